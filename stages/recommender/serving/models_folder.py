"""Which models are trained, with their scores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stages.recommender import artifacts
from stages.recommender.errors import UserError
from stages.recommender.modeling.model_folder import CONFIG, WEIGHTS

MEASURES = ("ndcg@10", "recall@10")
READINGS = ("all", "new")
RUNS = Path("runs")
WORKSPACES = ("redial", "sample")
"""The folders under :data:`RUNS` that ``make run`` makes, the real corpus first."""


@dataclass(frozen=True)
class TrainedModel:
    """A model in the folder of models.

    Attributes:
        name: ``<trainer>-<variant>``.
        folder: Where it lies.
        scores: On the test split by reading and measure, such as ``scores["new"]["ndcg@10"]``;
            empty where its metrics are not there.
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


def find_model(name: str | None = None, models: Path = artifacts.MODELS) -> TrainedModel:
    """A trained model by name, or the best.

    Args:
        name: ``None``: the best by nDCG@10 on the validation split.
        models: The folder of models.

    Raises:
        UserError: It is not trained; the message names the command that trains it.
    """
    trained = trained_models(models, models.parent / artifacts.METRICS.name)
    if not trained:
        raise UserError(
            f"no model is trained in {models}/; train all with: make run, or one with: "
            f"dvc repro train@{name or 'weighted-rnn'}"
        )
    if name is None:
        return trained[0]
    for model in trained:
        if model.name == name:
            return model
    raise UserError(
        f"no model {name} is trained in {models}/, only {', '.join(m.name for m in trained)}; "
        f"train it with: dvc repro train@{name}"
    )


def _trained_model(folder: Path, file: Path) -> TrainedModel:
    if not file.is_file():
        return TrainedModel(folder.name, folder, {}, None)
    metrics = artifacts.read_json(file, f"train@{file.stem}")
    test = metrics.get("test", {})
    scores = {
        reading: {measure: test[reading][measure] for measure in MEASURES}
        for reading in READINGS
        if reading in test
    }
    return TrainedModel(folder.name, folder, scores, metrics.get("validation", {}).get("ndcg@10"))
