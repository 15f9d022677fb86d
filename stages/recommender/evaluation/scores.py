"""Every score of one reading, each with its interval."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.recommender.evaluation import metrics
from stages.recommender.evaluation.intervals import RESAMPLES, Dialogues, Interval
from stages.recommender.evaluation.rankings import Rankings
from stages.recommender.evaluation.readings import CUTOFFS

AVERAGED = {
    "ndcg": metrics.ndcg,
    "recall": metrics.recall,
    "mrr": metrics.reciprocal_rank,
    "hit": metrics.hit_rate,
}
"""What is averaged over the examples, by its name in files and tables."""


@dataclass(frozen=True)
class Scores:
    """The scores of one model under one reading.

    Keys are ``<metric>@<cutoff>``: ``ndcg``, ``recall``, ``mrr``, ``hit`` as in :data:`AVERAGED`;
    ``micro recall``, labels found over labels; ``popularity``, how often a recommended movie is a
    label in training, on average; ``coverage``, the share of the catalogue that is recommended.
    """

    examples: int
    labels: int
    intervals: dict[str, Interval]
    """All but ``coverage``."""
    coverage: dict[str, float]
    """A property of all rankings together, that a resample of them would understate."""

    def to_json(self) -> dict[str, object]:
        """Counts, and for each key its value, or its ``value``, ``low`` and ``high``."""
        return {
            "examples": self.examples,
            "labels": self.labels,
            **{
                key: {"value": each.value, "low": each.low, "high": each.high}
                for key, each in self.intervals.items()
            },
            **self.coverage,
        }


def by_example(rankings: Rankings, metric: str, k: int) -> metrics.Values:
    """One averaged metric at one cutoff for each example, to compare models by: (examples,)."""
    return AVERAGED[metric](rankings.ranking, rankings.labels, k)


def score(
    rankings: Rankings,
    movies: int,
    training_labels: NDArray[np.integer],
    resamples: int = RESAMPLES,
) -> Scores:
    """Score rankings with every metric at every cutoff.

    Args:
        rankings: Of one reading, each example with a label.
        movies: Size of the catalogue.
        training_labels: By catalogue index, in how many training examples a movie is a label.
        resamples: Of the dialogues, for the intervals.

    Raises:
        ValueError: There is no example.
    """
    ranking, labels = rankings.ranking, rankings.labels
    averaged = {
        f"{name}@{k}": metric(ranking, labels, k)
        for name, metric in AVERAGED.items()
        for k in CUTOFFS
    }
    averaged |= {
        f"popularity@{k}": metrics.popularity(ranking, training_labels, k) for k in CUTOFFS
    }
    found = {f"micro recall@{k}": metrics.labels_found(ranking, labels, k) for k in CUTOFFS}
    numerators = np.stack([*averaged.values(), *found.values()], axis=1)
    denominators = np.ones_like(numerators)
    denominators[:, len(averaged) :] = labels.lengths[:, None]
    intervals = Dialogues(rankings.conversation_id, resamples).ratios(numerators, denominators)
    return Scores(
        examples=len(rankings),
        labels=len(labels.values),
        intervals=dict(zip([*averaged, *found], intervals, strict=True)),
        coverage={f"coverage@{k}": metrics.coverage(ranking, movies, k) for k in CUTOFFS},
    )
