"""Metrics of rankings against labels, one value an example, so that intervals can build on them.

Everywhere, ``rankings`` are catalogue indices (examples, depth), best first, distinct within a
row, with -1 where a row has fewer movies; ``labels`` are the distinct labels of each example; and
``k`` is the cutoff, at most the depth unless the whole catalogue is ranked. An example without
labels scores 0; the readings leave such examples out beforehand.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.recommender.evaluation.movie_lists import MovieLists

Labels = MovieLists
Rankings = NDArray[np.int32]
Values = NDArray[np.float64]


def hits(rankings: Rankings, labels: Labels) -> NDArray[np.bool_]:
    """Which places of each ranking hold a label: (examples, depth)."""
    return labels.contains(rankings)


def ndcg(rankings: Rankings, labels: Labels, k: int) -> Values:
    """Normalised discounted cumulative gain (Järvelin and Kekäläinen 2002) with gains 0 and 1.

    A hit at rank r, counted from 1, is worth 1 / log2(r + 1). The sum over the first k ranks is
    divided by the best possible one, that of min(k, labels) hits in a row.

    Returns:
        (examples,), from 0 to 1.
    """
    hit = hits(_first(rankings, k), labels)
    discount = 1 / np.log2(np.arange(2, k + 2))
    best = np.concatenate([[0], np.cumsum(discount)])[np.minimum(labels.lengths, k)]
    return _ratio(hit @ discount[: hit.shape[1]], best)


def recall(rankings: Rankings, labels: Labels, k: int) -> Values:
    """The share of an example's labels that stand among its first k ranks: (examples,)."""
    return _ratio(labels_found(rankings, labels, k), labels.lengths)


def reciprocal_rank(rankings: Rankings, labels: Labels, k: int) -> Values:
    """One over the rank of the first label, 0 without one among the first k; its mean is MRR."""
    hit = hits(_first(rankings, k), labels)
    reciprocal: Values = hit.any(axis=1) / (hit.argmax(axis=1) + 1.0)
    return reciprocal


def hit_rate(rankings: Rankings, labels: Labels, k: int) -> Values:
    """1 where a label stands among the first k ranks, else 0: (examples,)."""
    return np.minimum(labels_found(rankings, labels, k), 1.0)


def labels_found(rankings: Rankings, labels: Labels, k: int) -> Values:
    """How many labels stand among the first k ranks: (examples,).

    Their sum over the number of all labels is the micro-averaged recall.
    """
    found: Values = hits(_first(rankings, k), labels).sum(axis=1, dtype=np.float64)
    return found


def popularity(rankings: Rankings, training_labels: NDArray[np.integer], k: int) -> Values:
    """How popular the first k movies are: the mean number of times that each is a training label.

    Args:
        rankings: As above.
        training_labels: By catalogue index, in how many training examples a movie is a label.
        k: Cutoff.

    Returns:
        (examples,); 0 for an empty ranking.
    """
    first = _first(rankings, k)
    there = first >= 0
    counts = np.where(there, training_labels[first], 0).sum(axis=1)
    return _ratio(counts, there.sum(axis=1))


def coverage(rankings: Rankings, movies: int, k: int) -> float:
    """The share of a catalogue of ``movies`` that stands among the first k of any ranking."""
    first = _first(rankings, k)
    return len(np.unique(first[first >= 0])) / movies


def _first(rankings: Rankings, k: int) -> Rankings:
    if k < 1:
        raise ValueError(f"the cutoff is {k}, but must be at least 1")
    return rankings[:, :k]


def _ratio(numerator: NDArray[Any], denominator: NDArray[Any]) -> Values:
    """0 where the denominator is 0."""
    ratio = np.zeros(len(numerator), dtype=np.float64)
    np.divide(numerator, denominator, out=ratio, where=denominator != 0)
    return ratio
