import pyarrow as pa
import torch
from hypothesis import given
from hypothesis import strategies as st

from stages.recommender.modeling.ragged import Ragged, multi_hot

LISTS = st.lists(st.lists(st.integers(0, 9), max_size=6), min_size=1, max_size=8)


def ragged(lists: list[list[int]]) -> Ragged:
    return Ragged.from_column(pa.chunked_array([pa.array(lists, pa.list_(pa.int32()))]))


def lists_of(sequences: Ragged) -> list[list[int]]:
    parts = torch.split(sequences.values, sequences.lengths.tolist())
    return [part.tolist() for part in parts]


@given(LISTS, st.data())
def test_take(lists: list[list[int]], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.integers(0, len(lists) - 1), max_size=8))
    taken = ragged(lists).take(torch.tensor(rows, dtype=torch.int64))
    assert lists_of(taken) == [lists[row] for row in rows]


@given(LISTS, st.data())
def test_split(lists: list[list[int]], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(lists)))
    first, second = ragged(lists).split([cut, len(lists) - cut])
    assert lists_of(first) == lists[:cut]
    assert lists_of(second) == lists[cut:]
    assert second.sizes.tolist() == [len(row) for row in lists[cut:]]


@given(LISTS)
def test_distinct(lists: list[list[int]]) -> None:
    found = ragged(lists).distinct()
    assert lists_of(found) == [list(dict.fromkeys(row)) for row in lists]
    assert found.sizes.tolist() == found.lengths.tolist()


@given(LISTS)
def test_padded(lists: list[list[int]]) -> None:
    longest = max(map(len, lists))
    expected = [row + [-1] * (longest - len(row)) for row in lists]
    assert ragged(lists).padded(-1).tolist() == expected


def test_padded_to_a_width() -> None:
    rows = ragged([[1], [], [2, 3]])
    assert rows.padded(0, 3).tolist() == [[1, 0, 0], [0, 0, 0], [2, 3, 0]]
    assert rows.padded(0, 1).tolist() == [[1], [0], [2]]


def test_sliced_and_chunked_columns() -> None:
    column = pa.chunked_array(
        [pa.array([[9], [1, 2]], pa.list_(pa.int32())), pa.array([[], [3]], pa.list_(pa.int32()))]
    )
    assert lists_of(Ragged.from_column(column.slice(1))) == [[1, 2], [], [3]]


def test_empty_column() -> None:
    assert len(Ragged.from_column(pa.chunked_array([], pa.list_(pa.int32())))) == 0


def test_concatenate() -> None:
    assert lists_of(Ragged.concatenate([ragged([[1], []]), ragged([[2, 3]])])) == [[1], [], [2, 3]]


def test_multi_hot() -> None:
    assert multi_hot(ragged([[0, 2], [], [1]]), 3).tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0]]
