"""Baselines that know only how often a movie is recommended."""

from typing import ClassVar, Self

import numpy as np

from stages.recommender.evaluation.baselines.examples import Examples
from stages.recommender.evaluation.baselines.interface import Scores, put_first


class MostPopular:
    """The movies that are recommended in most training examples, the same for every request."""

    name: ClassVar[str] = "popular"

    def __init__(self, movies: int) -> None:
        """For a catalogue of ``movies``."""
        self.movies = movies

    def fit(self, train: Examples) -> Self:
        """Count in how many examples each movie is a label."""
        self.share = train.label_counts(self.movies) / len(train)
        return self

    def score(self, examples: Examples) -> Scores:
        """A movie's score is the share of the training examples in which it is a label."""
        return np.tile(self.share.astype(np.float32), (len(examples), 1))


class MentionsThenPopular(MostPopular):
    """The movies that the request mentions, the first one first, then the most popular.

    Recommenders in ReDial repeat what the seeker mentions, so that this is hard to beat where
    such repetitions count.
    """

    name: ClassVar[str] = "mentions-popular"

    def score(self, examples: Examples) -> Scores:
        """Popularity, with the mentions before all else."""
        mentioned = examples.mentions.distinct()
        # the earlier its mention, the greater; all greater than any score that is a share
        first = mentioned.lengths[mentioned.row_of_value] - mentioned.place_of_value
        return put_first(super().score(examples), mentioned, first)
