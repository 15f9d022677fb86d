"""Item-to-item co-occurrence: what is recommended in dialogues that name the same movies."""

from typing import ClassVar, Self

import numpy as np
from scipy.sparse import csr_array, diags_array

from stages.recommender.evaluation.baselines.examples import Examples
from stages.recommender.evaluation.baselines.incidence import incidence
from stages.recommender.evaluation.baselines.interface import Scores, put_first


class Cooccurrence:
    """Movies that are recommended in training dialogues that name a mentioned movie.

    A training dialogue names the movies that its seeker or its recommender mentions. For two
    movies i and j,

        P(j | i) = (dialogues that name i and have j as a label + shrinkage × share of j)
                   / (dialogues that name i + shrinkage),

    where the share of j is its popularity: the share of all dialogues in which it is a label. A
    movie's score is the sum of P(j | i) over the distinct movies i that the request mentions, i
    itself not counted, and its popularity for a request that mentions none.

    Args:
        movies: Size of the catalogue.
        shrinkage: So many dialogues are imagined, beside those that name i, in which movies are
            recommended by popularity alone: 1 orders what no dialogue tells apart, and steadies
            the rates of movies that few dialogues name.
    """

    name: ClassVar[str] = "cooccurrence"

    def __init__(self, movies: int, shrinkage: float = 1.0) -> None:
        if shrinkage <= 0:
            raise ValueError(f"shrinkage is {shrinkage}, but must be greater than 0")
        self.movies = movies
        self.shrinkage = shrinkage

    def fit(self, train: Examples) -> Self:
        """Count which movies are recommended in dialogues that name which."""
        labels = incidence(train.labels, self.movies)
        named = incidence(train.mentions, self.movies).maximum(labels)
        together = csr_array(named.T @ labels)
        together.setdiag(0)
        together.eliminate_zeros()
        weight = 1 / (named.sum(axis=0) + self.shrinkage)
        self.share = labels.sum(axis=0) / len(train)
        self.rate = csr_array(diags_array(weight) @ together)
        self.prior = self.shrinkage * weight
        return self

    def score(self, examples: Examples) -> Scores:
        """Sum the rates of the mentioned movies."""
        mentioned = incidence(examples.mentions, self.movies)
        prior = np.where(examples.mentions.lengths > 0, mentioned @ self.prior, 1.0)
        scores: Scores = np.outer(prior, self.share).astype(np.float32)
        counted = (mentioned @ self.rate).tocoo()
        scores[counted.row, counted.col] += counted.data
        return scores


class MentionsThenCooccurrence(Cooccurrence):
    """The movies that the request mentions, by their co-occurrence, then all others by theirs."""

    name: ClassVar[str] = "mentions-cooccurrence"

    def score(self, examples: Examples) -> Scores:
        """Co-occurrence, with the mentions before all else."""
        scores = super().score(examples)
        mentioned = examples.mentions.distinct()
        own = scores[mentioned.row_of_value, mentioned.values]
        return put_first(scores, mentioned, own)
