"""Lists of movies of different lengths as two flat arrays, so that nothing loops over examples."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class MovieLists:
    """Movies by example, such as mentions or labels: a list of catalogue indices each."""

    values: NDArray[np.integer]
    """The indices of all rows one after the other, 0 or greater: (total,)."""
    lengths: NDArray[np.integer]
    """How many of them each row has: (rows,)."""

    def __post_init__(self) -> None:
        """Refuse arrays that are no rows."""
        if self.lengths.sum() != len(self.values) or (self.lengths < 0).any():
            raise ValueError(
                f"lengths add up to {self.lengths.sum()}, but there are {len(self.values)} values"
            )
        if (self.values < 0).any():
            raise ValueError("a catalogue index must not be negative")

    @classmethod
    def from_column(cls, column: pa.Array | pa.ChunkedArray) -> Self:
        """The rows of an Arrow list column; a null counts as an empty row."""
        lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy()
        values = pc.list_flatten(column).to_numpy()
        return cls(values.astype(np.int32, copy=False), lengths.astype(np.int64))

    @classmethod
    def from_rows(cls, rows: list[list[int]]) -> Self:
        """The rows of a list of lists."""
        return cls.from_column(pa.array(rows, pa.list_(pa.int32())))

    def to_column(self) -> pa.Array:
        """The rows as an Arrow ``list<int32>`` array."""
        return pa.ListArray.from_arrays(
            pa.array(self.offsets, pa.int32()), pa.array(self.values, pa.int32())
        )

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.lengths)

    @property
    def offsets(self) -> NDArray[np.int64]:
        """Where each row begins in ``values``, and at last where the last one ends: (rows + 1,)."""
        return np.concatenate([[0], np.cumsum(self.lengths)]).astype(np.int64)

    @property
    def row_of_value(self) -> NDArray[np.int64]:
        """The row that each value stands in: (total,)."""
        return np.repeat(np.arange(len(self)), self.lengths)

    @property
    def place_of_value(self) -> NDArray[np.int64]:
        """The place that each value has in its row, from 0: (total,)."""
        return np.arange(len(self.values)) - np.repeat(self.offsets[:-1], self.lengths)

    def to_rows(self) -> list[list[int]]:
        """The rows as a list of lists."""
        rows: list[list[int]] = self.to_column().to_pylist()
        return rows

    def keep_values(self, kept: NDArray[np.bool_]) -> "MovieLists":
        """The same rows with only some values; ``kept`` has one entry a value."""
        lengths = np.bincount(self.row_of_value[kept], minlength=len(self))
        return MovieLists(self.values[kept], lengths)

    def keep_rows(self, kept: NDArray[np.bool_]) -> "MovieLists":
        """Only some rows, whole; ``kept`` has one entry a row."""
        return MovieLists(self.values[np.repeat(kept, self.lengths)], self.lengths[kept])

    def distinct(self) -> "MovieLists":
        """The same rows with each value only where it stands first."""
        _, first = np.unique(self._pairs(), return_index=True)
        kept = np.zeros(len(self.values), dtype=np.bool_)
        kept[first] = True
        return self.keep_values(kept)

    def isin(self, other: "MovieLists") -> NDArray[np.bool_]:
        """Which values stand in the row of the same number of ``other``: (total,)."""
        width = max(self._width(), other._width())
        return np.isin(self._pairs(width), other._pairs(width))

    def contains(self, matrix: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Which entries of a matrix stand in the row of the same number.

        Args:
            matrix: Catalogue indices (rows, width); -1 stands for nothing and is in no row.

        Returns:
            (rows, width).
        """
        if len(matrix) != len(self):
            raise ValueError(f"{len(matrix)} rows in the matrix, but {len(self)} here")
        width = max(int(matrix.max(initial=0)) + 1, self._width())
        pairs = np.arange(len(self), dtype=np.int64)[:, None] * width + matrix
        return np.isin(pairs, self._pairs(width)) & (matrix >= 0)

    def _width(self) -> int:
        return int(self.values.max(initial=0)) + 1

    def _pairs(self, width: int | None = None) -> NDArray[np.int64]:
        """One number for each pair of a row and a value of it, ascending with the rows."""
        return self.row_of_value * (width or self._width()) + self.values
