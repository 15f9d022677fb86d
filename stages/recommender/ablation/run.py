"""The gate trained without one of its parts, or on fewer dialogues, and scored on validation."""

import hashlib
import json
import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from stages.recommender import artifacts
from stages.recommender.ablation.parts import Part
from stages.recommender.dialogues import splits
from stages.recommender.modeling.gate import READINGS
from stages.recommender.modeling.ragged import Ragged
from stages.recommender.params import ModelEntry, Params, Training
from stages.recommender.training.batches import DialogueExamples, TagExamples, digest_of
from stages.recommender.training.checkpoints import code_digest
from stages.recommender.training.gate_examples import GateExamples
from stages.recommender.training.gate_run import GateRun
from stages.recommender.training.loop import Trainee, fit
from stages.recommender.training.run import Inputs

ENTRY = ModelEntry(trainer="softmax", variant="gate", data="data/titles", watches=["gate"] * 3)


@dataclass
class Shared:
    """What all trainings read alike.

    Attributes:
        vectors: Sentence vectors by their title; what is missing is added.
    """

    vectors: dict[str, torch.Tensor] = field(default_factory=dict)


class AblatedRun(GateRun):
    """One training; the test split is not among its inputs.

    Args:
        params: The pipeline's.
        inputs: Training and validation examples of every reading.
        repeat: Its number among the trainings with other seeds, from 0.
        part: What the gate is trained without; ``None``: nothing.
        fraction: Of the training dialogues that it learns from and that are counted, above 0. On
            fewer of them it is trained for more epochs, in about as many steps.
        shared: What the runs of one ablation share.
    """

    def __init__(
        self,
        params: Params,
        inputs: Inputs,
        repeat: int,
        part: Part | None,
        fraction: float,
        shared: Shared,
    ) -> None:
        seed = params.ablation.seed + repeat + (part.seed if part else 0)
        super().__init__(ENTRY, _params(params, seed, fraction), inputs, repeat)
        self._part = part
        self._fraction = fraction
        self._shared = shared

    def answers(self) -> pa.Table:
        """Train, and rank the catalogue for every validation example.

        Returns:
            Of ``artifacts.RANKING_SCHEMA``, for ``whole``, ``before`` and ``turn``.
        """
        validation = {reading: self._dialogues(reading, splits.VALIDATION) for reading in READINGS}
        lessons = self._lessons(self._dialogues("whole", splits.TRAIN))
        trainee = self._trainee(lessons, validation["whole"])
        fit(trainee, self.params.training, self.machine, self._checkpoints(trainee))
        return pa.concat_tables(
            [
                self._table(
                    reading,
                    self.inputs.examples[reading, splits.VALIDATION],
                    self._score(trainee, examples),
                )
                for reading, examples in validation.items()
            ]
        )

    def identity(self) -> str:
        """Named after all that the answers depend on."""
        tables = self.inputs.examples
        depends_on = {
            "code": code_digest(),
            "part": self._part.name if self._part else None,
            "fraction": [self._fraction, self.params.ablation.seed],
            "repeat": self.repeat,
            "gate": self.params.gate.model_dump(exclude={"repeats", "encoder_learning_rate"}),
            "training": self.params.training.model_dump(),
            "pooling": self.params.model.pooling,
            "evaluation batch": self.params.evaluation.batch,
            "machine": str(self.machine),
            "encoder": self.encoder_identity,
            "movies": self.inputs.movies.num_rows,
            "examples": [_digest(tables[key]) for key in sorted(tables)],
            "texts": self._movie_texts.digest(),
        }
        return hashlib.sha256(json.dumps(depends_on, sort_keys=True).encode()).hexdigest()[:32]

    def _lessons(self, whole: DialogueExamples, paper: bool = False) -> GateExamples:
        lessons = super()._lessons(whole, paper)
        if self._fraction == 1:
            return lessons
        return fraction_of(lessons, self._fraction, self.params.ablation.seed)

    def _altered(self, trainee: Trainee) -> Trainee:
        return self._part.remove(trainee) if self._part else trainee

    def _vectors(self, examples: DialogueExamples | TagExamples, title: str) -> torch.Tensor:
        known = self._shared.vectors
        if title not in known:
            known[title] = super()._vectors(examples, title)
        return known[title]

    def _folder(self, trainee: Trainee) -> Path:
        return artifacts.CACHE / "training" / self.identity()


def fraction_of(lessons: GateExamples, fraction: float, seed: int) -> GateExamples:
    """All examples of some of the dialogues; those of a smaller fraction are among a greater's.

    Args:
        lessons: Of all dialogues.
        fraction: Of the dialogues that are kept, rounded up.
        seed: Of their choice.
    """
    distinct = torch.unique(lessons.dialogues)
    order = torch.from_numpy(np.random.default_rng(seed).permutation(len(distinct)))
    chosen = distinct.cpu()[order[: number_of(fraction, len(distinct))]]
    [rows] = torch.where(torch.isin(lessons.dialogues.cpu(), chosen))
    return lessons.take(rows)


def number_of(fraction: float, dialogues: int) -> int:
    """How many a fraction of some dialogues is, rounded up."""
    return math.ceil(fraction * dialogues)


def _params(params: Params, seed: int, fraction: float) -> Params:
    """All parameters for one training: what is not the gate's own of them stands in `training`."""
    epochs = params.ablation.epochs or params.gate.epochs
    gate = params.gate.model_copy(
        update={"epochs": round(epochs / fraction), "trainable_layers": "none"}
    )
    training = Training(
        trainable_layers="none",
        encoder_learning_rate=gate.learning_rate,  # of none, as it is frozen
        head_learning_rate=gate.learning_rate,
        epochs=gate.epochs,
        dialogue_batch=gate.batch,
        tag_batch=gate.movie_batch,
        warmup_fraction=params.training.warmup_fraction,
        weight_decay=params.training.weight_decay,
        max_gradient_norm=params.training.max_gradient_norm,
        seed=seed,
        repeats=1,
    )
    return params.model_copy(update={"gate": gate, "training": training})


def _digest(table: pa.Table) -> str:
    """Tells examples apart, those too that are alike but for their dialogues or contexts."""
    contexts = Ragged.from_column(table["contexts"])
    dialogues = torch.from_numpy(table["conversation_id"].to_numpy().copy())
    own = digest_of(dialogues, contexts.lengths, contexts.values)
    return DialogueExamples.from_table(table).digest() + own
