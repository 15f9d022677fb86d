"""The rungs of the ladder: the notebook, then one repair on top of another.

A new rung is one entry in :data:`REPAIRS`; where it repairs something that no rung has touched
yet, it is one more field of :class:`Setup` too, whose default is the notebook's way.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from stages.recommender.params import (
    Dialogues,
    Evaluation,
    Focal,
    Loss,
    Mentions,
    Model,
    ModelEntry,
    MovieMap,
    Params,
    Tags,
    Training,
)

VARIANT: Literal["rnn-multitask"] = "rnn-multitask"
"""The model of every rung: the only one with all that is repaired, mentions and tags."""


@dataclass(frozen=True)
class Setup:
    """What tells one rung from another; as made without arguments, the notebook's way.

    Attributes:
        protocol: Who is the seeker; see ``dialogues.protocol``.
        join: How tags find their movies; see ``movie_map.join``.
        reads_padding: Whether the GRU runs on through its padding.
        selects_on: The split that selects the epoch; ``test`` leaves the validation dialogues to
            training.
        head_learning_rate: Of all that learns, since the encoder is frozen.
        trainer: The loss.
        text_form: What stands in the text for a movie.
    """

    protocol: Literal["notebook", "corrected"] = "notebook"
    join: Literal["id", "title"] = "id"
    reads_padding: bool = True
    selects_on: Literal["test", "validation"] = "test"
    head_learning_rate: float = 2e-5
    trainer: Literal["original", "weighted"] = "original"
    text_form: Literal["masked", "titles"] = "masked"

    def __post_init__(self) -> None:
        """Refuse what examples cannot be made for."""
        if self.protocol == "notebook" and self.selects_on != "test":
            raise ValueError("under the notebook's protocol, validation is the test split")

    def dialogues(self, max_tokens: int) -> Dialogues:
        """How dialogues become examples, cut at ``max_tokens``."""
        return Dialogues(
            protocol=self.protocol,
            text_form=self.text_form,
            split="official",
            test_fraction=0.2,
            validation_fraction=0.1,
            split_seed=42,
            max_tokens=max_tokens,
        )

    def tags(self, max_tokens: int) -> Tags:
        """How tags become examples, cut at ``max_tokens``."""
        return Tags(
            max_per_movie=50,
            min_characters=3,
            held_out_fraction=0.1,
            seed=42,
            max_tokens=max_tokens,
        )

    def movie_map(self) -> MovieMap:
        """How movies are joined to MovieLens."""
        return MovieMap(join=self.join, fuzzy_threshold=90.0)

    def entry(self) -> ModelEntry:
        """The model that is trained."""
        return ModelEntry(
            trainer=self.trainer, variant=VARIANT, data="data/tags", watches=["training"] * 3
        )

    def params(self, params: Params, max_tokens: int) -> Params:
        """All parameters: epochs, repeats, seed and machine are the given ones'.

        Args:
            params: The pipeline's.
            max_tokens: Of a request.
        """
        training = Training(
            trainable_layers="none",
            encoder_learning_rate=2e-5,
            head_learning_rate=self.head_learning_rate,
            epochs=params.ladder.epochs,
            dialogue_batch=32,
            tag_batch=64,
            warmup_fraction=0.1,
            weight_decay=0.01,
            max_gradient_norm=1.0,
            seed=params.ladder.seed,
            repeats=params.ladder.repeats,
        )
        model = Model(
            pooling="mean",
            hidden_size=256,
            dropout=0.1,
            mentions=Mentions(
                max=20, embedding_size=256, hidden_size=128, reads_padding=self.reads_padding
            ),
        )
        loss = Loss(
            reduction="mean",
            pos_weight=1200,
            tag_weight=0.001,
            focal=Focal(enabled=False, alpha=1.0, gamma=2.0),
        )
        return params.model_copy(
            update={
                "dialogues": self.dialogues(max_tokens),
                "model": model,
                "loss": loss,
                "training": training,
                "evaluation": Evaluation(batch=64, readings=[]),
            }
        )


@dataclass(frozen=True)
class Repair:
    """One defect repaired.

    Attributes:
        name: What is right from here on, in a few words.
        note: One sentence on what was wrong before.
        changes: The fields of :class:`Setup` that it changes, with their new values.
    """

    name: str
    note: str
    changes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Rung:
    """A repair on top of all before it."""

    repair: Repair
    setup: Setup


REPAIRS = (
    Repair(
        "the notebook",
        "As published, all defects together, but for the encoder: it is frozen on every rung, so "
        "that only heads and mention network learn.",
    ),
    Repair(
        "right roles",
        "The first speaker was taken for the seeker, though ReDial says who is. Requests and "
        "labels are others from here on, those of the test split too: compare with popular beside.",
        {"protocol": "corrected"},
    ),
    Repair(
        "tags on their movies",
        "MovieLens ids were looked up as if they were ReDial's, so that tags stood for other "
        "movies. The tags' head shares nothing that learns with the dialogues' head while the "
        "encoder is frozen: tags act through the clipping of the joint gradient alone.",
        {"join": "title"},
    ),
    Repair(
        "GRU without padding",
        "The recurrent network ran on through up to 20 steps of padding after the last mention.",
        {"reads_padding": False},
    ),
    Repair(
        "selects on validation",
        "The epoch with the best test score was reported as the test score. A tenth of the "
        "training dialogues selects it now, and is trained on no longer.",
        {"selects_on": "validation"},
    ),
    Repair(
        "heads at 1e-3",
        "Heads that start from random weights learned at 2e-5, the rate of a trained encoder.",
        {"head_learning_rate": 1e-3},
    ),
    Repair(
        "weighted loss",
        "The few movies that are labels weighed no more than the thousands that are none, and the "
        "tags' loss as much as the dialogues'.",
        {"trainer": "weighted"},
    ),
    Repair(
        "titles in the text",
        "Every movie in the text was the same @, whatever it was.",
        {"text_form": "titles"},
    ),
)
"""From the notebook upwards; the first one changes nothing."""


def rungs() -> Iterator[Rung]:
    """Every rung, the notebook first."""
    setup = Setup()
    for repair in REPAIRS:
        setup = replace(setup, **repair.changes)
        yield Rung(repair, setup)
