"""The gate's answers with something decided otherwise: perfectly, or never to repeat."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stages.recommender.evaluation import metrics
from stages.recommender.evaluation.movie_lists import MovieLists
from stages.recommender.evaluation.rankings import Rankings


def without_mentions(rankings: Rankings) -> Rankings:
    """The new movies alone, in the model's order, against all labels."""
    return rankings.without(rankings.mentions)


def reranked(rankings: Rankings) -> Rankings:
    """The ranked movies in the best order: labels first. What is not ranked stays out."""
    misses = ~metrics.hits(rankings.ranking, rankings.labels)
    order = np.argsort(misses, axis=1, kind="stable")
    return replace(rankings, ranking=np.take_along_axis(rankings.ranking, order, axis=1))


def gated(rankings: Rankings) -> Rankings:
    """Every mention that is recommended first, and no other; then new movies in the model's order.

    No gate that leaves the order of the new movies as it is scores higher: of two neighbours in a
    ranking, of which the second is a label, the two changed about score no less.
    """
    again = rankings.labels.keep_values(rankings.labels.isin(rankings.mentions))
    first = _matrix(again)  # (examples, most mentions that are labels)
    ranked = np.concatenate([first, rankings.without(rankings.mentions).ranking], axis=1)
    order = np.argsort(ranked < 0, axis=1, kind="stable")
    depth = rankings.ranking.shape[1]
    return replace(rankings, ranking=np.take_along_axis(ranked, order, axis=1)[:, :depth])


def _matrix(rows: MovieLists) -> NDArray[np.int32]:
    """Rows of one width, -1 behind the shorter ones."""
    matrix = np.full((len(rows), int(rows.lengths.max(initial=0))), -1, dtype=np.int32)
    matrix[rows.row_of_value, rows.place_of_value] = rows.values
    return matrix
