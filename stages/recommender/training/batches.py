"""Examples as tensors, and the order in which training reads them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self, TypeVar

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from stages.recommender.modeling.ragged import Ragged
from stages.recommender.training import processes

_DIALOGUE_STREAM, _TAG_STREAM = 1, 2
_LAID_OUT_AT_ONCE = 64
"""Batches."""


@dataclass(frozen=True)
class DialogueExamples:
    """Requests with their labels.

    Attributes:
        tokens: Input ids of each request.
        mentions: Catalogue indices that each request mentions.
        labels: Catalogue indices to predict.
        vectors: Sentence vectors where the encoder is frozen. (requests, width)
    """

    tokens: Ragged
    mentions: Ragged
    labels: Ragged
    vectors: Tensor | None = None

    @classmethod
    def from_table(cls, table: pa.Table) -> DialogueExamples:
        """From a table of ``artifacts.EXAMPLE_SCHEMA``."""
        return cls(
            tokens=Ragged.from_column(table["input_ids"]),
            mentions=Ragged.from_column(table["mentions"]),
            labels=Ragged.from_column(table["labels"]),
        )

    @classmethod
    def concatenate(cls, parts: Sequence[DialogueExamples]) -> DialogueExamples:
        """All parts' examples, one part after the other."""
        vectors = [part.vectors for part in parts if part.vectors is not None]
        return cls(
            Ragged.concatenate([part.tokens for part in parts]),
            Ragged.concatenate([part.mentions for part in parts]),
            Ragged.concatenate([part.labels for part in parts]),
            torch.cat(vectors) if vectors else None,
        )

    def __len__(self) -> int:
        return len(self.tokens)

    def inputs(self) -> tuple[Any, ...]:
        """What a model reads beside the sentence vectors."""
        return (self.mentions,)

    def an_epoch(self) -> int:
        """How many examples an epoch reads."""
        return len(self)

    def batches(self, size: int, seed: int, epoch: int) -> list[Tensor]:
        """The rows of each batch of an epoch; see :func:`dialogue_batches`."""
        return dialogue_batches(len(self), size, seed, epoch)

    def take(self, rows: Tensor) -> DialogueExamples:
        """The examples at ``rows`` (m,), in that order."""
        return DialogueExamples(
            self.tokens.take(rows),
            self.mentions.take(rows),
            self.labels.take(rows),
            None
            if self.vectors is None
            else self.vectors[rows.to(self.vectors.device, non_blocking=True)],
        )

    def split(self, counts: list[int]) -> list[DialogueExamples]:
        """The first ``counts[0]`` examples, the next ``counts[1]``, and so on, without copying."""
        vectors = (
            [None] * len(counts) if self.vectors is None else torch.split(self.vectors, counts)
        )
        parts = (self.tokens.split(counts), self.mentions.split(counts), self.labels.split(counts))
        return [DialogueExamples(*part) for part in zip(*parts, vectors, strict=True)]

    def to(self, device: torch.device) -> DialogueExamples:
        """With all values on a device."""
        return DialogueExamples(
            self.tokens.to(device),
            self.mentions.to(device),
            self.labels.to(device),
            None if self.vectors is None else self.vectors.to(device),
        )

    def digest(self) -> str:
        """Of tokens, mentions and labels: tells these examples from any others."""
        parts = (self.tokens, self.mentions, self.labels)
        return digest_of(*(tensor for part in parts for tensor in (part.lengths, part.values)))

    def with_vectors(self, vectors: Tensor) -> Self:
        """With the sentence vectors of a frozen encoder."""
        return replace(self, vectors=vectors)


@dataclass(frozen=True)
class TagExamples:
    """Tags with their movies.

    Attributes:
        tokens: Input ids of each tag.
        movies: Catalogue index of each tag's movie. (tags,)
        vectors: Sentence vectors where the encoder is frozen. (tags, width)
    """

    tokens: Ragged
    movies: Tensor
    vectors: Tensor | None = None

    @classmethod
    def from_table(cls, table: pa.Table) -> TagExamples:
        """From a table of ``artifacts.TAG_EXAMPLE_SCHEMA``."""
        movies = torch.from_numpy(table["movie"].to_numpy().astype(np.int64))
        return cls(Ragged.from_column(table["input_ids"]), movies)

    def __len__(self) -> int:
        return len(self.tokens)

    def take(self, rows: Tensor) -> TagExamples:
        """The examples at ``rows`` (m,), in that order."""
        return TagExamples(
            self.tokens.take(rows),
            self.movies[rows.to(self.movies.device, non_blocking=True)],
            None
            if self.vectors is None
            else self.vectors[rows.to(self.vectors.device, non_blocking=True)],
        )

    def split(self, counts: list[int]) -> list[TagExamples]:
        """The first ``counts[0]`` examples, the next ``counts[1]``, and so on, without copying."""
        vectors = (
            [None] * len(counts) if self.vectors is None else torch.split(self.vectors, counts)
        )
        parts = (self.tokens.split(counts), torch.split(self.movies, counts))
        return [TagExamples(*part) for part in zip(*parts, vectors, strict=True)]

    def to(self, device: torch.device) -> TagExamples:
        """With all values on a device."""
        vectors = None if self.vectors is None else self.vectors.to(device)
        return TagExamples(self.tokens.to(device), self.movies.to(device), vectors)

    def digest(self) -> str:
        """Of tokens and movies: tells these examples from any others."""
        return digest_of(self.tokens.lengths, self.tokens.values, self.movies)

    def with_vectors(self, vectors: Tensor) -> Self:
        """With the sentence vectors of a frozen encoder."""
        return replace(self, vectors=vectors)


def digest_of(*tensors: Tensor) -> str:
    """Of tensors of one dimension, each with its length: sha256 in hexadecimal."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(len(tensor).to_bytes(8, "little"))
        digest.update(tensor.cpu().numpy().tobytes())
    return digest.hexdigest()


Examples = TypeVar("Examples", DialogueExamples, TagExamples)


def batches_of(examples: Examples, rows: Sequence[Tensor]) -> Iterator[Examples]:
    """The examples of each batch, without their tokens where they have vectors.

    They are laid out one batch after the other, for many of them at once, which saves time, but
    not for all, which would hold every example twice.

    Args:
        examples: To choose from.
        rows: Of each batch; see :meth:`DialogueExamples.batches` and :func:`tag_batches`.
    """
    if examples.vectors is not None:
        tokens = examples.tokens
        unread = Ragged(tokens.values[:0], torch.zeros_like(tokens.lengths))
        examples = replace(examples, tokens=unread)
    for start in range(0, len(rows), _LAID_OUT_AT_ONCE):
        part = rows[start : start + _LAID_OUT_AT_ONCE]
        yield from examples.take(torch.cat(list(part))).split([len(batch) for batch in part])


def share_of(examples: Examples) -> tuple[Examples, float]:
    """What this process does of several examples, where others do the rest.

    Returns:
        Its examples, and the part of all that they are. Where there are fewer than processes, one
        without an example of its own reads the first, which weighs nothing: every process runs
        the same model.
    """
    size = len(examples)
    start, end = processes.bounds(size)
    weight = (end - start) / size
    if weight == 1:
        return examples, weight
    if not weight:
        start, end = 0, 1
    _, share, _ = examples.split([start, end - start, size - end])
    return share, weight


def dialogue_batches(count: int, size: int, seed: int, epoch: int) -> list[Tensor]:
    """The rows of each batch of an epoch, shuffled; the last batch may be smaller.

    Args:
        count: Examples.
        size: Of a batch.
        seed: Of the training.
        epoch: From 0.
    """
    order = np.random.default_rng([seed, _DIALOGUE_STREAM, epoch]).permutation(count)
    return list(torch.split(torch.from_numpy(order), size))


def tag_batches(count: int, size: int, seed: int, first: int) -> Iterator[Tensor]:
    """The rows of tag batch ``first`` and all after it, without end.

    When the tags run out they are shuffled anew and start again.

    Args:
        count: Examples.
        size: Of a batch.
        seed: Of the training.
        first: Number of the first batch, over all epochs, from 0.
    """
    batches_a_pass = -(-count // size)
    tag_pass, skipped = divmod(first, batches_a_pass)
    while True:
        order = np.random.default_rng([seed, _TAG_STREAM, tag_pass]).permutation(count)
        yield from torch.split(torch.from_numpy(order), size)[skipped:]
        tag_pass, skipped = tag_pass + 1, 0
