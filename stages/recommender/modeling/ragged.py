"""Sequences of different lengths without padding: their values in a row, and where each begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import torch
from torch import Tensor
from torch.utils.dlpack import from_dlpack


@dataclass(frozen=True)
class Ragged:
    """``n`` integer sequences.

    Attributes:
        values: All sequences one after the other. (total,) int64
        lengths: Of each sequence. (n,) int64, on the CPU, where they decide on shapes
        sizes: The same lengths beside the values, on their device, so that nothing has to be
            sent there when the values are laid out. (n,) int64
    """

    values: Tensor
    lengths: Tensor
    sizes: Tensor = field(default=None)  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if self.sizes is None:
            object.__setattr__(
                self, "sizes", self.lengths.to(self.values.device, non_blocking=True)
            )

    @classmethod
    def from_column(cls, column: pa.ChunkedArray) -> Ragged:
        """From a ``list<int32>`` column without nulls."""
        lists = column.combine_chunks()
        if isinstance(lists, pa.ChunkedArray):  # pyarrow keeps a column of no chunk chunked
            lists = pa.concat_arrays(lists.chunks) if lists.num_chunks else pa.array([], lists.type)
        # by DLPack, since Arrow's own way to numpy imports pandas
        values, lengths = map(from_dlpack, (lists.flatten(), lists.value_lengths()))
        return cls(values.to(torch.int64), lengths.to(torch.int64))

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
        """Where each sequence begins in ``values``. (n,) int64, on the CPU."""
        return torch.cumsum(self.lengths, 0) - self.lengths

    def take(self, rows: Tensor) -> Ragged:
        """The sequences at ``rows`` (m,), in that order."""
        lengths = self.lengths[rows]  # (m,)
        starts = torch.cumsum(lengths, 0) - lengths  # (m,) where each begins in the result
        shift = torch.repeat_interleave(self.offsets[rows] - starts, lengths)  # (total of m,)
        places = torch.arange(len(shift)) + shift
        return Ragged(self.values[places.to(self.values.device, non_blocking=True)], lengths)

    def split(self, counts: list[int]) -> list[Ragged]:
        """The first ``counts[0]`` sequences, the next ``counts[1]``, and so on; nothing is copied.

        Args:
            counts: They add up to ``n``.
        """
        lengths = torch.split(self.lengths, counts)
        values = torch.split(self.values, [int(part.sum()) for part in lengths])
        sizes = torch.split(self.sizes, counts)
        return [Ragged(*parts) for parts in zip(values, lengths, sizes, strict=True)]

    def padded(self, filler: int, width: int | None = None) -> Tensor:
        """As a matrix on ``values``' device, filled up on the right.

        Args:
            filler: Stands where a sequence has ended.
            width: Columns; what is longer is cut.

        Returns:
            (n, width), or (n, longest) without a width.
        """
        if width is None:
            width = int(self.lengths.max()) if len(self) else 0
        if not len(self.values):
            return self.values.new_full((len(self), width), filler)
        columns = torch.arange(width, device=self.values.device)
        starts = torch.cumsum(self.sizes, 0) - self.sizes  # (n,)
        places = (starts[:, None] + columns).clamp_(max=len(self.values) - 1)  # (n, width)
        return torch.where(columns < self.sizes[:, None], self.values[places], filler)

    def rows(self) -> Tensor:
        """For each value, the sequence that it belongs to. (total,) int64, on their device."""
        numbers = torch.arange(len(self), device=self.values.device)
        return torch.repeat_interleave(numbers, self.sizes, output_size=len(self.values))

    def distinct(self) -> Ragged:
        """Each sequence without the values that stand in it before."""
        rows = self.rows()
        _, number = torch.unique(self.values, return_inverse=True)
        keys, order = torch.sort(rows * (len(self.values) + 1) + number, stable=True)
        first = torch.ones_like(rows, dtype=torch.bool)
        first[order[1:]] = keys[1:] != keys[:-1]
        lengths = torch.bincount(rows[first], minlength=len(self))
        return Ragged(self.values[first], lengths.cpu(), lengths)

    def to(self, device: torch.device) -> Ragged:
        """With values and sizes on a device."""
        return Ragged(
            self.values.to(device, non_blocking=True),
            self.lengths,
            self.sizes.to(device, non_blocking=True),
        )


def multi_hot(labels: Ragged, width: int) -> Tensor:
    """Ones where a sequence names a column: (n, width) float32, on the labels' device."""
    targets = torch.zeros(len(labels), width, device=labels.values.device)
    # filled in one row: index_put_ would sort the places first, to be deterministic on a GPU
    targets.view(-1).index_fill_(0, labels.rows() * width + labels.values, 1.0)
    return targets
