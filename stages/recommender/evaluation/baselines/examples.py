"""What a baseline learns from and answers."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from stages.recommender.evaluation.movie_lists import MovieLists


@dataclass(frozen=True, eq=False)
class Examples:
    """Requests with what was recommended."""

    texts: list[str]
    mentions: MovieLists
    """Catalogue indices that the request mentions, in order, repeats kept."""
    labels: MovieLists
    """Distinct catalogue indices that were recommended; a baseline reads them only to learn."""
    vectors: NDArray[np.float32] | None = None
    """Sentence vectors of the texts (examples, width); only some baselines read them."""

    def __post_init__(self) -> None:
        """Refuse columns of different lengths."""
        counts = {len(self.texts), len(self.mentions), len(self.labels)}
        if self.vectors is not None:
            counts.add(len(self.vectors))
        if len(counts) > 1:
            raise ValueError(f"columns of examples have different lengths: {sorted(counts)}")

    @classmethod
    def from_table(cls, table: pa.Table, vectors: NDArray[np.float32] | None = None) -> Self:
        """The examples of a table of ``artifacts.EXAMPLE_SCHEMA``."""
        return cls(
            table["text"].to_pylist(),
            MovieLists.from_column(table["mentions"]),
            MovieLists.from_column(table["labels"]),
            vectors,
        )

    def __len__(self) -> int:
        """Number of examples."""
        return len(self.texts)

    def label_counts(self, movies: int) -> NDArray[np.int64]:
        """In how many examples each movie of the catalogue is a label: (movies,)."""
        return np.bincount(self.labels.values, minlength=movies)
