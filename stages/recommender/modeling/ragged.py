"""Sequences of different lengths without padding: their values in a row, and where each begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor


@dataclass(frozen=True)
class Ragged:
    """``n`` integer sequences.

    Attributes:
        values: All sequences one after the other. (total,) int64
        lengths: Of each sequence. (n,) int64, on the CPU
    """

    values: Tensor
    lengths: Tensor

    @classmethod
    def from_column(cls, column: pa.ChunkedArray) -> Ragged:
        """From a ``list<int32>`` column without nulls."""
        lists = column.combine_chunks()
        if isinstance(lists, pa.ChunkedArray):  # pyarrow keeps a column of no chunk chunked
            lists = pa.concat_arrays(lists.chunks) if lists.num_chunks else pa.array([], lists.type)
        values = lists.flatten().to_numpy(zero_copy_only=False).astype(np.int64)
        lengths = np.asarray(lists.value_lengths(), dtype=np.int64)
        return cls(torch.from_numpy(values), torch.from_numpy(lengths))

    @classmethod
    def concatenate(cls, parts: Sequence[Ragged]) -> Ragged:
        """All parts' sequences, one part after the other."""
        return cls(
            torch.cat([part.values for part in parts]), torch.cat([part.lengths for part in parts])
        )

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def offsets(self) -> Tensor:
        """Where each sequence begins in ``values``. (n,) int64."""
        return torch.cumsum(self.lengths, 0) - self.lengths

    def take(self, rows: Tensor) -> Ragged:
        """The sequences at ``rows`` (m,), in that order."""
        lengths = self.lengths[rows]  # (m,)
        starts = torch.cumsum(lengths, 0) - lengths  # (m,) where each begins in the result
        shift = torch.repeat_interleave(self.offsets[rows] - starts, lengths)  # (total of m,)
        places = torch.arange(len(shift)) + shift
        return Ragged(self.values[self._beside_values(places)], lengths)

    def head(self, most: int) -> Ragged:
        """Each sequence cut after its first ``most`` values."""
        lengths = self.lengths.clamp(max=most)
        keep = self._columns() < most  # (total,)
        kept = keep.nonzero()[:, 0]  # a mask on a GPU would have to be counted, and waited for
        return Ragged(self.values[self._beside_values(kept)], lengths)

    def padded(self, filler: int, width: int | None = None) -> Tensor:
        """As a matrix, filled up on the right: (n, width or longest), on ``values``' device."""
        columns = int(self.lengths.max()) if width is None and len(self) else (width or 0)
        if not len(self.values):
            return self.values.new_full((len(self), columns), filler)
        steps = torch.arange(columns)  # (columns,)
        places = (self.offsets[:, None] + steps).clamp(max=len(self.values) - 1)
        matrix = self.values[self._beside_values(places)]  # (n, columns)
        beyond = self._beside_values(steps >= self.lengths[:, None])  # (n, columns)
        return matrix.masked_fill(beyond, filler)

    def rows(self) -> Tensor:
        """For each value, the sequence that it belongs to. (total,) int64."""
        return torch.repeat_interleave(torch.arange(len(self)), self.lengths)

    def _columns(self) -> Tensor:
        """For each value, its place in its sequence. (total,) int64."""
        return torch.arange(len(self.values)) - torch.repeat_interleave(self.offsets, self.lengths)

    def _beside_values(self, index: Tensor) -> Tensor:
        """An index on the values' device, without waiting for the device."""
        return index.to(self.values.device, non_blocking=True)

    def to(self, device: torch.device) -> Ragged:
        """With the values on a device; lengths stay on the CPU, where they are read."""
        return Ragged(self.values.to(device, non_blocking=True), self.lengths)


def multi_hot(labels: Ragged, width: int) -> Tensor:
    """Ones where a sequence names a column: (n, width) float32, on the labels' device."""
    device = labels.values.device
    targets = torch.zeros(len(labels), width, device=device)
    targets[labels.rows().to(device, non_blocking=True), labels.values] = 1.0
    return targets
