"""Why a movie was recommended: what is shown beside it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import torch
from torch import Tensor
from torch.utils.dlpack import from_dlpack

from stages.recommender import artifacts
from stages.recommender.dialogues.text import SEPARATOR
from stages.recommender.modeling.model_folder import REQUESTS, TITLE_USAGE
from stages.recommender.modeling.ragged import Ragged
from stages.recommender.serving.catalogue import Catalogue, Movie
from stages.recommender.title_usage import TitleUsage


class NearestRequest(NamedTuple):
    """A training request that was answered with the recommended movie."""

    text: str
    """Readable, with titles."""
    similarity: float
    """Cosine of the two sentence vectors."""


class PulledUpBy(NamedTuple):
    """A movie that the request names, and that raised the recommended movie's score."""

    movie: Movie
    contribution: float
    """The logit with it less the logit without it."""


@dataclass(frozen=True)
class Reasons:
    """Why a movie was recommended; each list may be empty, the strongest reason comes first."""

    nearest_requests: list[NearestRequest]
    pulled_up_by: list[PulledUpBy]
    tags: list[str]
    """The tags that MovieLens' users know it for."""


class TrainingRequests:
    """The requests that a model was trained on.

    Args:
        table: Of ``artifacts.REQUEST_SCHEMA``.
        title_usage: How they use words, of ``artifacts.TITLE_USAGE_SCHEMA``.
        catalogue: That their movies belong to.
    """

    def __init__(self, table: pa.Table, title_usage: pa.Table, catalogue: Catalogue) -> None:
        self._title_usage = title_usage
        self._texts = table["text"].combine_chunks()
        self._mentions = table["mentions"].combine_chunks()
        self._catalogue = catalogue
        # by DLPack, since Arrow's own way to numpy imports pandas
        flat = from_dlpack(table["vector"].combine_chunks().flatten())
        vectors = flat.float().view(table.num_rows, -1)
        normalized = torch.nn.functional.normalize(vectors, dim=1)
        # by columns, since one row times a matrix is quicker so
        self._vectors = normalized.T.contiguous()  # (width, requests)
        labels = Ragged.from_column(table["labels"])
        order = torch.argsort(labels.values, stable=True)
        self._rows = labels.rows()[order]  # (labels,) the requests answered with movie 0, 1, ...
        counts = torch.bincount(labels.values, minlength=len(catalogue))
        self._ends = torch.cumsum(counts, 0).tolist()

    def title_usage(self) -> TitleUsage:
        """How they use titles."""
        mentions = Counter(self._mentions.flatten().to_pylist())
        return TitleUsage.from_table(self._title_usage, mentions)

    def similarities(self, sentences: Tensor) -> Tensor:
        """Cosines of sentence vectors (n, width) and those of all requests: (n, requests)."""
        return torch.nn.functional.normalize(sentences, dim=1) @ self._vectors

    def nearest(self, similarities: Tensor, movie: int, k: int) -> list[NearestRequest]:
        """The requests most like one, of those that were answered with a movie.

        Args:
            similarities: Of the one request to all. (requests,)
            movie: Catalogue index.
            k: Most requests.
        """
        start = self._ends[movie - 1] if movie else 0
        rows = self._rows[start : self._ends[movie]]
        best = similarities[rows].topk(min(k, len(rows)))
        return [
            NearestRequest(self._readable(row), similarity)
            for row, similarity in zip(
                rows[best.indices].tolist(), best.values.tolist(), strict=True
            )
        ]

    def _readable(self, row: int) -> str:
        text: str = self._texts[row].as_py().replace(SEPARATOR, " / ")
        named = [self._catalogue[movie].name for movie in self._mentions[row].as_py()]
        pieces = text.split("@")
        if len(pieces) != len(named) + 1:  # a text form that keeps titles, or another @
            return text
        return "".join(piece + name for piece, name in zip(pieces, [*named, ""], strict=True))


def load_training_requests(folder: Path, catalogue: Catalogue) -> TrainingRequests | None:
    """The requests that a model was trained on, ``None`` where it was saved without.

    Args:
        folder: Of the model.
        catalogue: That their movies belong to.

    Raises:
        UserError: A file is damaged, or one of the two is missing.
    """
    if not (folder / REQUESTS).is_file():
        return None
    made_by = f"train@{folder.name}"
    return TrainingRequests(
        artifacts.read_table(folder / REQUESTS, artifacts.REQUEST_SCHEMA, made_by),
        artifacts.read_table(folder / TITLE_USAGE, artifacts.TITLE_USAGE_SCHEMA, made_by),
        catalogue,
    )
