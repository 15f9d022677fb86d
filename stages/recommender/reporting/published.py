"""What others published about the same task, to stand beside our own scores.

None of these figures is computed here. They differ from ours in the rows they are taken over:
the paper's test split is a random fifth of ReDial's training file, the notebook reads the first
speaker as the seeker, and the per-turn systems are scored on a slightly different set of turns.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

PAPER = "paper"
"""Trung Nguyen, *BERT one-shot movie recommender system*, Stanford CS224N report, 2024."""

NOTEBOOK = "notebook"
"""UFG-PPGCC-NLP-Final-Project, an SBERT adaptation of the paper, 2025."""

PAPER_NDCG_AT_10: Mapping[str, float] = MappingProxyType(
    {"baseline": 0.130, "rnn": 0.165, "multitask": 0.138, "rnn-multitask": 0.169}
)
"""The paper's nDCG@10 by variant, on a random 80/20 split of ReDial's training file."""

NOTEBOOK_NDCG_AT_10: Mapping[str, float] = MappingProxyType(
    {"baseline": 0.0440, "rnn": 0.0459, "multitask": 0.0443, "rnn-multitask": 0.0462}
)
"""The notebook's nDCG@10 by variant: its original trainer, best epoch on ReDial's test split."""

NOTEBOOK_LATER_NDCG_AT_10: Mapping[str, float] = MappingProxyType({"SBERT": 0.0571, "BERT": 0.0734})
"""The best that the notebook's authors reached in later runs, by encoder."""


@dataclass(frozen=True)
class TurnRecall:
    """Recall by turn: labels found over labels, micro-averaged, each from 0 to 1.

    Attributes:
        at_1: Among the first movie of each ranking.
        at_10: Among the first ten.
        at_50: Among the first fifty.
        intervals: The ends of the 95% interval of each of the three; none where not published.
    """

    at_1: float
    at_10: float
    at_50: float
    intervals: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class TurnSystem:
    """A conversational recommender scored turn by turn.

    Attributes:
        name: The system's name.
        every_movie: Each movie of the recommender's message is a label.
        fresh: Movies mentioned earlier in the dialogue are not; ``None`` where not published.
    """

    name: str
    every_movie: TurnRecall | None
    fresh: TurnRecall | None


TURN_SYSTEMS = (
    TurnSystem("KBRD", TurnRecall(0.033, 0.177, 0.332), None),
    TurnSystem("KGSF", TurnRecall(0.032, 0.177, 0.369), None),
    TurnSystem("UniCRS", TurnRecall(0.049, 0.213, 0.421), TurnRecall(0.024, 0.180, 0.335)),
    TurnSystem("ECR", TurnRecall(0.049, 0.220, 0.428), TurnRecall(0.026, 0.181, 0.337)),
    TurnSystem("MESE", TurnRecall(0.032, 0.178, 0.381), TurnRecall(0.025, 0.159, 0.361)),
    TurnSystem("PECRS", TurnRecall(0.044, 0.189, 0.383), TurnRecall(0.022, 0.143, 0.341)),
    TurnSystem("ReFICR", TurnRecall(0.049, 0.270, 0.507), TurnRecall(0.018, 0.213, 0.465)),
)
"""Kostric and Balog, *A Standardized Re-evaluation of Conversational Recommender Systems on the
ReDial Dataset*, SIGIR 2026; theirs are 3,617 turns, 3,372 of them with a fresh movie."""
