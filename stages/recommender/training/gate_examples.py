"""The gate's training examples: of every reading, each telling which dialogue it is from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from stages.recommender.modeling.gate import READINGS
from stages.recommender.modeling.neighbours import Nearest
from stages.recommender.modeling.ragged import Ragged
from stages.recommender.training.batches import DialogueExamples, dialogue_batches, digest_of

_TIMES = {"whole": 2, "before": 1, "turn": 1}
"""How often an epoch reads an example, by its reading."""


@dataclass(frozen=True, kw_only=True)
class GateExamples(DialogueExamples):
    """Requests with their labels, of several readings.

    Attributes:
        readings: Indices into :data:`~stages.recommender.modeling.gate.READINGS`. (requests,)
        dialogues: The conversation that each is from. (requests,)
        own: What that conversation recommends, where the model's co-occurrence counts hold it.
        contexts: Token ids around each mention, as many for each; see
            :func:`~stages.recommender.dialogues.contexts.mention_contexts`.
        remembered: The number of that conversation among those that the model remembers, -1 where
            it does not. (requests,)
        nearest: The training dialogues most like each, where the encoder is frozen.
    """

    readings: Tensor
    dialogues: Tensor
    own: Ragged
    contexts: Ragged
    remembered: Tensor
    nearest: Nearest | None = None

    @classmethod
    def read(
        cls, examples: DialogueExamples, reading: str, dialogues: Tensor, contexts: Ragged
    ) -> GateExamples:
        """Examples of one reading, from conversations that are not counted."""
        count = len(examples)
        empty = torch.zeros(0, dtype=torch.int64)
        return cls(
            **vars(examples),
            readings=torch.full((count,), READINGS.index(reading)),
            dialogues=dialogues,
            own=Ragged(empty, torch.zeros(count, dtype=torch.int64)),
            contexts=contexts,
            remembered=torch.full((count,), -1),
        )

    @classmethod
    def concatenate(cls, parts: Sequence[Any]) -> GateExamples:
        """All parts' examples, one part after the other."""
        return cls(
            **vars(DialogueExamples.concatenate(parts)),
            readings=torch.cat([part.readings for part in parts]),
            dialogues=torch.cat([part.dialogues for part in parts]),
            own=Ragged.concatenate([part.own for part in parts]),
            contexts=Ragged.concatenate([part.contexts for part in parts]),
            remembered=torch.cat([part.remembered for part in parts]),
        )

    def by_dialogue(self, movies: int) -> tuple[Ragged, Ragged, Tensor]:
        """What each conversation names and recommends, over all its examples.

        Args:
            movies: Size of the catalogue.

        Returns:
            Distinct catalogue indices, ascending, that each conversation names, and those of them
            that its recommender does; for each example, the number of its conversation.
        """
        distinct, number = torch.unique(self.dialogues, return_inverse=True)
        labels = number[self.labels.rows()] * movies + self.labels.values
        mentions = number[self.mentions.rows()] * movies + self.mentions.values

        def sets(cells: Tensor) -> Ragged:
            cells = torch.unique(cells)
            rows = torch.div(cells, movies, rounding_mode="floor")
            return Ragged(cells % movies, torch.bincount(rows, minlength=len(distinct)))

        return sets(torch.cat([labels, mentions])), sets(labels), number

    def counted(self, movies: int) -> GateExamples:
        """The same, from conversations that are counted and remembered."""
        _, recommended, number = self.by_dialogue(movies)
        return replace(self, own=recommended.take(number), remembered=number)

    def inputs(self) -> tuple[Any, ...]:
        """What the gate reads beside the sentence vectors."""
        return self.mentions, self.readings, self.own, self.contexts, self.remembered, self.nearest

    def an_epoch(self) -> int:
        """How many examples an epoch reads."""
        return len(self._rows_of_epoch())

    def batches(self, size: int, seed: int, epoch: int) -> list[Tensor]:
        """The rows of each batch of an epoch, shuffled."""
        rows = self._rows_of_epoch()
        return [rows[batch] for batch in dialogue_batches(len(rows), size, seed, epoch)]

    def _rows_of_epoch(self) -> Tensor:
        times = torch.tensor([_TIMES[reading] for reading in READINGS])
        return torch.repeat_interleave(times[self.readings.cpu()])

    def take(self, rows: Tensor) -> GateExamples:
        """The examples at ``rows`` (m,), in that order."""
        there = rows.to(self.readings.device)
        return GateExamples(
            **vars(super().take(rows)),
            readings=self.readings[there],
            dialogues=self.dialogues[there],
            own=self.own.take(rows),
            contexts=self.contexts.take(rows),
            remembered=self.remembered[there],
            nearest=None if self.nearest is None else self.nearest.take(there),
        )

    def split(self, counts: list[int]) -> list[DialogueExamples]:
        """The first ``counts[0]`` examples, the next ``counts[1]``, and so on, without copying."""
        parts = (
            super().split(counts),
            torch.split(self.readings, counts),
            torch.split(self.dialogues, counts),
            self.own.split(counts),
            self.contexts.split(counts),
            torch.split(self.remembered, counts),
            [None] * len(counts) if self.nearest is None else self.nearest.split(counts),
        )
        return [
            GateExamples(
                **vars(part),
                readings=readings,
                dialogues=dialogues,
                own=own,
                contexts=contexts,
                remembered=remembered,
                nearest=nearest,
            )
            for part, readings, dialogues, own, contexts, remembered, nearest in zip(
                *parts, strict=True
            )
        ]

    def to(self, device: torch.device) -> GateExamples:
        """With all values on a device."""
        return GateExamples(
            **vars(super().to(device)),
            readings=self.readings.to(device),
            dialogues=self.dialogues.to(device),
            own=self.own.to(device),
            contexts=self.contexts.to(device),
            remembered=self.remembered.to(device),
            nearest=None if self.nearest is None else self.nearest.to(device),
        )

    def digest(self) -> str:
        """Tells these examples from any others."""
        sequences = (self.own, self.contexts)
        tensors = [tensor for part in sequences for tensor in (part.lengths, part.values)]
        return super().digest() + digest_of(
            self.readings, self.dialogues, self.remembered, *tensors
        )
