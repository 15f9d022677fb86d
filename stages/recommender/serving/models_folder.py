"""Which models are trained, with their scores."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.recommender import artifacts
from stages.recommender.errors import UserError
from stages.recommender.modeling.losses import TRAINERS
from stages.recommender.modeling.model_folder import CONFIG, WEIGHTS
from stages.recommender.modeling.variants import VARIANTS

MEASURES = ("ndcg@10", "recall@10")
READINGS = ("all", "new")
RUNS = Path("runs")
WORKSPACES = ("redial", "sample")
"""The folders under :data:`RUNS` that ``make run`` makes, the real corpus first."""
TRAINABLE = tuple(
    f"{trainer}-{variant}"
    for trainer in TRAINERS
    for variant, is_a in VARIANTS.items()
    if is_a.gates_repeats == (trainer == "softmax")
)
"""The names of the models that there can be; the gate has a trainer of its own."""


@dataclass(frozen=True)
class TrainedModel:
    """A model in the folder of models.

    Attributes:
        name: ``<trainer>-<variant>``.
        folder: Where it lies.
        scores: On the test split by reading and measure, such as ``scores["new"]["ndcg@10"]``;
            empty where its metrics are not there, or are none.
        validation: Its nDCG@10 on the validation split; ``None`` likewise.
    """

    name: str
    folder: Path
    scores: dict[str, dict[str, float]]
    validation: float | None


def trained_models(
    models: Path = artifacts.MODELS, metrics: Path = artifacts.METRICS
) -> list[TrainedModel]:
    """The trained models, the best on the validation split first; those without scores last.

    The test split chooses nothing here either.

    Args:
        models: The folder of models.
        metrics: The folder of their metrics.
    """
    found = [
        _trained_model(folder, metrics / f"{folder.name}.json")
        for folder in sorted(models.glob("*"))
        if (folder / CONFIG).is_file() and (folder / WEIGHTS).is_file()
    ]
    return sorted(
        found,
        key=lambda model: -1.0 if model.validation is None else model.validation,
        reverse=True,
    )


def default_models() -> Path:
    """The folder of models here, or that of a workspace where none is trained here."""
    places = [artifacts.MODELS, *(RUNS / name / artifacts.MODELS for name in WORKSPACES)]
    return next((folder for folder in places if trained_models(folder)), artifacts.MODELS)


def metrics_of(models: Path) -> Path:
    """The folder of metrics beside a folder of models, which may be the current one.

    Args:
        models: The folder of models.
    """
    return _workspace(models) / artifacts.METRICS.name


def find_model(name: str | None = None, models: Path = artifacts.MODELS) -> TrainedModel:
    """A trained model by name, or the best.

    Args:
        name: ``None``: the best by nDCG@10 on the validation split.
        models: The folder of models.

    Raises:
        UserError: It is not trained; the message names the command that trains it, or, where
            there is no such model, those that there are.
    """
    trained = trained_models(models, metrics_of(models))
    if not trained:
        raise UserError(f"no model is trained in {models}/; {_how_to_train_one(name, models)}")
    if name is None:
        return trained[0]
    for model in trained:
        if model.name == name:
            return model
    raise UserError(
        f"no model {name} is trained in {models}/, only {', '.join(m.name for m in trained)}; "
        f"{_how_to_train(name, models)}"
    )


def _how_to_train_one(name: str | None, models: Path) -> str:
    workspace = _workspace_name(models)
    if workspace is not None:
        return f"train all with: {_make_run(workspace)}"
    if name is None or name in TRAINABLE:
        return f"train all with: make run, or one with: dvc repro train@{name or 'weighted-rnn'}"
    return f"train all with: make run; there can be {', '.join(TRAINABLE)}"


def _how_to_train(name: str, models: Path) -> str:
    if name not in TRAINABLE:
        return "name one of these"
    workspace = _workspace_name(models)
    return f"train it with: {_make_run(workspace) if workspace else f'dvc repro train@{name}'}"


def _make_run(workspace: str) -> str:
    # without them it would be another run, which takes the place of this one
    return f"make run CORPUS={workspace} and the PRESET and SET that it was made with"


def _workspace(models: Path) -> Path:
    """The folder that a folder of models lies in."""
    # such as `.`, of which no parent is written; a link to a folder has the parent it is named by
    return models.resolve().parent if models.name in ("", "..") else models.parent


def _workspace_name(models: Path) -> str | None:
    """The name of the workspace that models are of; ``None`` where they are of none."""
    workspace = _workspace(models).resolve()
    return workspace.name if workspace.parent.name == RUNS.name else None


def _trained_model(folder: Path, file: Path) -> TrainedModel:
    try:
        metrics = artifacts.read_json(file, f"train@{file.stem}")
    except (UserError, OSError):  # the model answers without them
        metrics = None
    scores: dict[str, dict[str, float]] = {}
    for reading in READINGS:
        found = {measure: _number(metrics, "test", reading, measure) for measure in MEASURES}
        known = {measure: score for measure, score in found.items() if score is not None}
        if len(known) == len(MEASURES):
            scores[reading] = known
    return TrainedModel(folder.name, folder, scores, _number(metrics, "validation", "ndcg@10"))


def _number(content: Any, *keys: str) -> float | None:
    """A number within mappings; ``None`` where there is none."""
    for key in keys:
        content = content.get(key) if isinstance(content, dict) else None
    is_number = isinstance(content, (int, float)) and not isinstance(content, bool)
    return content if is_number and math.isfinite(content) else None
