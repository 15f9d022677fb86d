"""What the training dialogues most like a request name: by sentence vector, and by words."""

from typing import Any, ClassVar, Self

import bm25s
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from stages.recommender.dialogues.text import SEPARATOR
from stages.recommender.evaluation.baselines.examples import Examples
from stages.recommender.evaluation.baselines.incidence import incidence
from stages.recommender.evaluation.baselines.interface import Scores


class _Votes:
    """Training dialogues vote for the movies that their seeker or their recommender mentions."""

    def __init__(self, train: Examples, movies: int) -> None:
        labels = incidence(train.labels, movies)
        self.named = incidence(train.mentions, movies).maximum(labels)
        self.share = labels.sum(axis=0) / len(train)

    def count(self, neighbours: NDArray[np.integer], weights: NDArray[np.floating]) -> Scores:
        """The weighted share of the neighbours that name a movie.

        What none of them names follows in the order of its popularity, which counts as much as
        one neighbour of average weight; it is all that counts where no neighbour has any weight.

        Args:
            neighbours: Training examples (examples, neighbours).
            weights: Theirs, 0 or greater, same shape.

        Returns:
            (examples, movies).
        """
        rows, width = neighbours.shape
        total = weights.sum(axis=1, keepdims=True, dtype=np.float64)
        shares = np.divide(weights, total, out=np.zeros((rows, width)), where=total > 0)
        voting = csr_array(
            (shares.ravel(), neighbours.ravel(), np.arange(0, rows * width + 1, width)),
            shape=(rows, self.named.shape[0]),
        )
        scores: Scores = np.tile((self.share / width).astype(np.float32), (rows, 1))
        votes = (voting @ self.named).tocoo()
        scores[votes.row, votes.col] += votes.data
        return scores


class NearestDialogues:
    """What the training dialogues of the nearest sentence vectors name, by cosine similarity.

    Args:
        movies: Size of the catalogue.
        neighbours: Dialogues that vote; chosen once by hand, on training dialogues held out from
            the others.
        sharpness: The power of its similarity with which a dialogue votes; likewise.
    """

    name: ClassVar[str] = "nearest-dialogues"

    def __init__(self, movies: int, neighbours: int = 100, sharpness: float = 10.0) -> None:
        self.movies = movies
        self.neighbours = neighbours
        self.sharpness = sharpness

    def fit(self, train: Examples) -> Self:
        """Keep the training dialogues' vectors and movies."""
        # takes longer to import than all else here, and most stages need only this model's name
        from sklearn.neighbors import NearestNeighbors

        neighbours = min(self.neighbours, len(train))
        self._index: Any = NearestNeighbors(
            n_neighbors=neighbours, metric="cosine", algorithm="brute"
        )
        self._index.fit(_vectors(train))
        self._votes = _Votes(train, self.movies)
        return self

    def score(self, examples: Examples) -> Scores:
        """Let the nearest dialogues vote."""
        if not len(examples):
            return np.empty((0, self.movies), dtype=np.float32)
        distances, neighbours = self._index.kneighbors(_vectors(examples))
        similarity = np.clip(1 - distances, 0, None)
        return self._votes.count(neighbours, similarity**self.sharpness)


class Bm25:
    """What the training dialogues found by BM25 name (Robertson and Zaragoza 2009).

    A dialogue is found by the words of its seeker, stop words left out, and by the movies that
    the seeker mentions, each a term of its own. Found are dialogues by Lucene's BM25 with k1 = 1.5
    and b = 0.75, as bm25s computes it.

    Args:
        movies: Size of the catalogue.
        depth: Dialogues that vote; chosen once by hand, on training dialogues held out from the
            others.
        sharpness: The power of its BM25 score with which a dialogue votes; likewise.
    """

    name: ClassVar[str] = "bm25"

    def __init__(self, movies: int, depth: int = 100, sharpness: float = 2.0) -> None:
        self.movies = movies
        self.depth = depth
        self.sharpness = sharpness

    def fit(self, train: Examples) -> Self:
        """Index the training dialogues."""
        self._index: Any = bm25s.BM25(method="lucene", k1=1.5, b=0.75, backend="numpy")
        self._index.index(_terms(train), show_progress=False)
        self._found = min(self.depth, len(train))
        self._votes = _Votes(train, self.movies)
        return self

    def score(self, examples: Examples) -> Scores:
        """Let the dialogues found vote."""
        if not len(examples):
            return np.empty((0, self.movies), dtype=np.float32)
        found, relevance = self._index.retrieve(
            _terms(examples), k=self._found, show_progress=False, backend_selection="numpy"
        )
        return self._votes.count(found, relevance.astype(np.float64) ** self.sharpness)


def _vectors(examples: Examples) -> NDArray[np.float32]:
    if examples.vectors is None:
        raise ValueError("nearest dialogues need the sentence vectors of their examples")
    return examples.vectors


def _terms(examples: Examples) -> Any:
    texts = [
        " ".join([text.replace(SEPARATOR, " "), *(f"movie{movie}" for movie in mentions)])
        for text, mentions in zip(examples.texts, examples.mentions.to_rows(), strict=True)
    ]
    # as ids: a list of words would be numbered in the order of a set
    return bm25s.tokenize(texts, stopwords="en", return_ids=True, show_progress=False)
