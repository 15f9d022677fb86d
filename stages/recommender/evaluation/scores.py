"""Every score of one reading, each with its interval."""

from collections.abc import Sequence
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


def by_example(trainings: Sequence[Rankings], metric: str, k: int) -> metrics.Values:
    """One averaged metric at one cutoff for each example, the mean of a model's trainings.

    Args:
        trainings: The answers of each training, to the same examples.
        metric: A key of :data:`AVERAGED`.
        k: Cutoff.

    Returns:
        (examples,).
    """
    values = [AVERAGED[metric](each.ranking, each.labels, k) for each in trainings]
    mean: metrics.Values = np.mean(values, axis=0)
    return mean


def score(
    trainings: Sequence[Rankings],
    movies: int,
    training_labels: NDArray[np.integer],
    resamples: int = RESAMPLES,
) -> Scores:
    """Score a model's rankings with every metric at every cutoff, as the mean of its trainings.

    Args:
        trainings: The answers of each training, to the same examples of one reading, each with a
            label.
        movies: Size of the catalogue.
        training_labels: By catalogue index, in how many training examples a movie is a label.
        resamples: Of the dialogues, for the intervals.

    Raises:
        ValueError: There is no example.
    """
    numerators = np.mean([_by_example(each, training_labels) for each in trainings], axis=0)
    first = trainings[0]
    denominators = np.ones_like(numerators)
    denominators[:, -len(CUTOFFS) :] = first.labels.lengths[:, None]  # of micro recall
    intervals = Dialogues(first.conversation_id, resamples).ratios(numerators, denominators)
    keys = [f"{name}@{k}" for name in [*AVERAGED, "popularity", "micro recall"] for k in CUTOFFS]
    coverage = {
        f"coverage@{k}": float(np.mean([metrics.coverage(t.ranking, movies, k) for t in trainings]))
        for k in CUTOFFS
    }
    return Scores(
        examples=len(first),
        labels=len(first.labels.values),
        intervals=dict(zip(keys, intervals, strict=True)),
        coverage=coverage,
    )


def _by_example(rankings: Rankings, training_labels: NDArray[np.integer]) -> metrics.Values:
    """A column for each metric and cutoff: (examples, figures)."""
    ranking, labels = rankings.ranking, rankings.labels
    columns = [metric(ranking, labels, k) for metric in AVERAGED.values() for k in CUTOFFS]
    columns += [metrics.popularity(ranking, training_labels, k) for k in CUTOFFS]
    columns += [metrics.labels_found(ranking, labels, k) for k in CUTOFFS]
    return np.stack(columns, axis=1)
