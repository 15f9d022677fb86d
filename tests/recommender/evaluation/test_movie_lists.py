import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.recommender.evaluation.movie_lists import MovieLists

rows_of_movies = st.lists(st.lists(st.integers(0, 9), max_size=6), max_size=6)


@given(rows_of_movies)
@settings(deadline=None)
def test_goes_through_a_column_unchanged(rows: list[list[int]]) -> None:
    lists = MovieLists.from_rows(rows)
    assert lists.to_rows() == rows
    assert MovieLists.from_column(lists.to_column()).to_rows() == rows
    assert len(lists) == len(rows)


def test_reads_chunks_slices_and_nulls() -> None:
    kind = pa.list_(pa.int32())
    column = pa.chunked_array([pa.array([[9], [1, 2], []], kind)[1:], pa.array([None, [3]], kind)])
    assert MovieLists.from_column(column).to_rows() == [[1, 2], [], [], [3]]
    assert MovieLists.from_column(pa.chunked_array([], kind)).to_rows() == []


def test_tells_where_each_value_stands() -> None:
    lists = MovieLists.from_rows([[5, 6], [], [7]])
    assert lists.row_of_value.tolist() == [0, 0, 2]
    assert lists.place_of_value.tolist() == [0, 1, 0]
    assert lists.offsets.tolist() == [0, 2, 2, 3]


@given(rows_of_movies)
@settings(deadline=None)
def test_distinct_keeps_the_first_of_each(rows: list[list[int]]) -> None:
    expected = [list(dict.fromkeys(row)) for row in rows]
    assert MovieLists.from_rows(rows).distinct().to_rows() == expected


@given(rows_of_movies, st.data())
@settings(deadline=None)
def test_keeps_rows_and_values(rows: list[list[int]], data: st.DataObject) -> None:
    lists = MovieLists.from_rows(rows)
    kept = data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))
    assert lists.keep_rows(np.array(kept, dtype=bool)).to_rows() == [
        row for row, keep in zip(rows, kept, strict=True) if keep
    ]
    assert lists.keep_values(lists.values % 2 == 0).to_rows() == [
        [movie for movie in row if movie % 2 == 0] for row in rows
    ]


@given(st.lists(st.tuples(st.lists(st.integers(0, 5)), st.lists(st.integers(-1, 9), min_size=3))))
@settings(deadline=None)
def test_contains_looks_in_the_same_row_only(pairs: list[tuple[list[int], list[int]]]) -> None:
    lists = MovieLists.from_rows([row for row, _ in pairs])
    matrix = np.array([asked[:3] for _, asked in pairs], dtype=np.int32).reshape(len(pairs), 3)
    expected = [[movie in row for movie in asked[:3]] for row, asked in pairs]
    assert lists.contains(matrix).tolist() == expected


@given(st.lists(st.tuples(st.lists(st.integers(0, 9)), st.lists(st.integers(0, 5)))))
@settings(deadline=None)
def test_isin_looks_in_the_same_row_only(pairs: list[tuple[list[int], list[int]]]) -> None:
    lists, others = (MovieLists.from_rows([pair[side] for pair in pairs]) for side in (0, 1))
    expected = [movie in other for row, other in pairs for movie in row]
    assert lists.isin(others).tolist() == expected


def test_refuses_what_is_no_list() -> None:
    with pytest.raises(ValueError, match="add up to 3"):
        MovieLists(np.array([1, 2]), np.array([3]))
    with pytest.raises(ValueError, match="negative"):
        MovieLists(np.array([-1]), np.array([1]))
    with pytest.raises(ValueError, match="2 rows in the matrix"):
        MovieLists.from_rows([[1]]).contains(np.zeros((2, 1), dtype=np.int32))
