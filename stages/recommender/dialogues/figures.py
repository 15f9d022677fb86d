"""What a corpus looks like, counted part by part."""

from collections.abc import Collection
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stages.recommender.dialogues import splits

_COLUMNS = ("labels", "mentions", "input_ids")


class CorpusFigures:
    """Counts and means of a corpus.

    Args:
        movies: Size of the catalogue.
        readings: Of the examples.
    """

    def __init__(self, movies: int, readings: Collection[str]) -> None:
        self._movies = movies
        self._dialogues = {splits.TRAIN: 0, splits.TEST: 0}
        self._initiator_first = {splits.TRAIN: 0, splits.TEST: 0}
        self._examples = {
            (reading, split): ExampleFigures() for reading in readings for split in splits.SPLITS
        }

    def add_dialogues(self, file: str, dialogues: pa.Table) -> None:
        """Count dialogues of ``artifacts.DIALOGUE_SCHEMA``, of the ``train`` or ``test`` file."""
        self._dialogues[file] += dialogues.num_rows
        self._initiator_first[file] += sum(
            bool(row["messages"]) and row["messages"][0]["sender_id"] == row["initiator_id"]
            for row in dialogues.select(["initiator_id", "messages"]).to_pylist()
        )

    def add_examples(self, reading: str, split: str, examples: pa.Table) -> None:
        """Count examples of ``artifacts.EXAMPLE_SCHEMA``."""
        self._examples[reading, split].add(examples)

    def summary(self) -> dict[str, Any]:
        """All figures, those of the examples by reading and split."""
        readings: dict[str, dict[str, Any]] = {}
        for (reading, split), counted in self._examples.items():
            readings.setdefault(reading, {})[split] = counted.summary(self._movies)
        return {
            "movies": self._movies,
            "dialogues": self._dialogues,
            "first_speaker_is_initiator": self._initiator_first,
            "examples": readings,
        }


class ExampleFigures:
    """Counts and means of the examples of one reading and split."""

    def __init__(self) -> None:
        self._lengths: dict[str, list[NDArray[np.int32]]] = {name: [] for name in _COLUMNS}
        self._repeated = 0

    def add(self, examples: pa.Table) -> None:
        """Count examples of ``artifacts.EXAMPLE_SCHEMA``."""
        for name, lengths in self._lengths.items():
            lengths.append(pc.list_value_length(examples[name]).to_numpy())
        self._repeated += sum(
            len(set(wanted) & set(named))
            for wanted, named in zip(
                examples["labels"].to_pylist(), examples["mentions"].to_pylist(), strict=True
            )
        )

    def summary(self, movies: int) -> dict[str, Any]:
        """The figures.

        Args:
            movies: Size of the catalogue.

        Returns:
            Counts and means an example; ``negatives_per_positive`` is what the notebook prints as
            its class imbalance: movies that are no label over movies that are one.
        """
        labels, mentions, tokens = (
            np.concatenate([np.empty(0, np.int32), *self._lengths[name]]) for name in _COLUMNS
        )
        if not len(labels):
            return {"examples": 0}
        return {
            "examples": len(labels),
            "labels": int(labels.sum()),
            "mean_labels": _round(labels.mean()),
            "mean_mentions": _round(mentions.mean()),
            "mean_tokens": _round(tokens.mean()),
            "tokens_95th_percentile": int(np.percentile(tokens, 95)),
            "labels_that_the_seeker_mentions": _round(self._repeated / labels.sum()),
            "negatives_per_positive": _round(movies / labels.mean()),
        }


def _round(value: float) -> float:
    return round(float(value), 4)
