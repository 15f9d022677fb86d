"""Which movies a row names, as a sparse matrix."""

import numpy as np
from scipy.sparse import csr_array

from stages.recommender.evaluation.movie_lists import MovieLists


def incidence(rows: MovieLists, movies: int) -> csr_array:
    """Ones where a row names a movie, however often it does: (rows, movies) float64."""
    once = rows.distinct()
    ones = np.ones(len(once.values))
    return csr_array((ones, once.values, once.offsets), shape=(len(rows), movies))
