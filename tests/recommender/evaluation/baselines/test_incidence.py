import numpy as np

from stages.recommender.evaluation.baselines.incidence import incidence
from stages.recommender.evaluation.movie_lists import MovieLists


def test_a_row_has_ones_where_it_names_a_movie_however_often() -> None:
    found = incidence(MovieLists.from_rows([[3, 1, 3], [], [0]]), movies=5)
    assert found.dtype == np.float64
    assert found.toarray().tolist() == [[0, 1, 0, 1, 0], [0, 0, 0, 0, 0], [1, 0, 0, 0, 0]]
