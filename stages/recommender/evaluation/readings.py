"""The readings that results are reported under: which rankings are scored, and what is filtered.

A reading here is one entry in :data:`READINGS`: rankings that exist, and a filter over them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from stages.recommender.errors import UserError
from stages.recommender.evaluation import metrics
from stages.recommender.evaluation.rankings import Rankings, fresh, new

CUTOFFS = (1, 10, 50)

PAPER_SPLIT = "paper-split"
"""The scoring that needs a training of its own, on a random part of the training file."""


@dataclass(frozen=True)
class Reading:
    """Rankings of one scoring, filtered."""

    scored: str
    """The ``reading`` column of ``artifacts.RANKING_SCHEMA``."""
    keep: Callable[[Rankings], Rankings] = lambda rankings: rankings
    """What is left of them."""


READINGS = {
    "all": Reading("whole"),
    "new": Reading("whole", new),
    "before": Reading("before"),
    "paper split": Reading(PAPER_SPLIT),
    "turn": Reading("turn"),
    "turn fresh": Reading("turn", fresh),
}

MEANINGS = {
    "all": "Every movie that the recommender mentions is a label, the seeker's own among them.",
    "new": "Movies that the seeker mentions are taken out of labels and rankings.",
    "before": "The request is only what the seeker said before the first recommendation.",
    "paper split": "All labels, on a random part of the training file, as the paper splits.",
    "turn": "For each recommender message with a movie, from all that was said before it.",
    "turn fresh": "The same without movies that were mentioned before.",
}
"""What each of them is, in one sentence."""


def by_reading(table: pa.Table) -> dict[str, list[Rankings]]:
    """A model's rankings under each reading that it was scored for, one for each training.

    Args:
        table: Of ``artifacts.RANKING_SCHEMA``.

    Raises:
        UserError: A filter leaves no example.
    """
    scored = table.group_by(["reading"]).aggregate([("repeat", "max")]).to_pylist()
    repeats = {row["reading"]: row["repeat_max"] + 1 for row in scored}
    found = {
        name: [
            reading.keep(Rankings.from_table(table, reading.scored, repeat))
            for repeat in range(repeats[reading.scored])
        ]
        for name, reading in READINGS.items()
        if reading.scored in repeats
    }
    for name, trainings in found.items():
        if not all(len(rankings) for rankings in trainings):
            raise UserError(
                f"reading {name}: no example has a label that its request does not mention, so "
                "that there is nothing to score; use more dialogues"
            )
    return found


def mean_scores(trainings: Sequence[Rankings]) -> dict[str, float]:
    """The mean metrics over examples and trainings, at each of :data:`CUTOFFS`.

    Args:
        trainings: The answers of each training of a model, to the same examples.
    """
    scores = [_mean_scores(rankings) for rankings in trainings]
    return {
        name: round(sum(score[name] for score in scores) / len(scores), 6) for name in scores[0]
    }


def _mean_scores(rankings: Rankings) -> dict[str, float]:
    found: dict[str, float] = {}
    labels = rankings.labels
    for k in CUTOFFS:
        found[f"ndcg@{k}"] = metrics.ndcg(rankings.ranking, labels, k).mean()
        found[f"recall@{k}"] = metrics.recall(rankings.ranking, labels, k).mean()
        found[f"mrr@{k}"] = metrics.reciprocal_rank(rankings.ranking, labels, k).mean()
        found[f"hit@{k}"] = metrics.hit_rate(rankings.ranking, labels, k).mean()
        total = metrics.labels_found(rankings.ranking, labels, k).sum()
        found[f"micro recall@{k}"] = total / max(1, len(labels.values))
    return {name: float(value) for name, value in found.items()}
