"""What every baseline can do."""

from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from stages.recommender.evaluation.baselines.examples import Examples
from stages.recommender.evaluation.movie_lists import MovieLists

Scores = NDArray[np.float32]


class Baseline(Protocol):
    """A recommender that counts instead of being trained by gradient."""

    name: ClassVar[str]
    """Its row in every table."""

    def __init__(self, movies: int) -> None:
        """For a catalogue of ``movies``."""
        ...

    def fit(self, train: Examples) -> Self:
        """Learn from examples, forgetting what was learnt before."""
        ...

    def score(self, examples: Examples) -> Scores:
        """Score every movie for every request: (examples, movies), a greater score is better."""
        ...


def put_first(scores: Scores, mentioned: MovieLists, order: NDArray[Any]) -> Scores:
    """Scores in which the mentioned movies are greater than all others of their row.

    Args:
        scores: (examples, movies); changed in place.
        mentioned: Distinct movies by example.
        order: A value for each of them that says how they rank among themselves.

    Returns:
        ``scores``.
    """
    rows = mentioned.row_of_value
    greatest = scores.max(axis=1, initial=0)[rows]
    least = order.min(initial=0)
    scores[rows, mentioned.values] = greatest + 1 + (order - least)
    return scores
