from pathlib import Path

import pytest

from stages.recommender import artifacts
from stages.recommender.errors import UserError
from stages.recommender.serving.models_folder import (
    TRAINABLE,
    find_model,
    metrics_of,
    trained_models,
)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """Three models: the better on test is the worse on validation, and one has no metrics."""
    scores = {"a-model": (0.2, 0.3), "b-model": (0.4, 0.1), "c-model": None}
    for name, both in scores.items():
        folder = tmp_path / "models" / name
        folder.mkdir(parents=True)
        for file in ("config.json", "recommender.safetensors"):
            (folder / file).touch()
        if both is not None:
            test = {"all": {"ndcg@10": both[1], "recall@10": both[1], "mrr@10": 1.0}}
            metrics = {"validation": {"ndcg@10": both[0]}, "test": test}
            artifacts.write_json(tmp_path / "metrics" / f"{name}.json", metrics)
    return tmp_path / "models"


def test_the_validation_split_tells_which_model_answers(models: Path) -> None:
    assert find_model(models=models).name == "b-model"
    found = trained_models(models, models.parent / "metrics")
    assert [model.name for model in found] == ["b-model", "a-model", "c-model"]


def test_scores_are_those_of_the_test_split(models: Path) -> None:
    best, _, last = trained_models(models, models.parent / "metrics")
    assert best.scores == {"all": {"ndcg@10": 0.1, "recall@10": 0.1}}
    assert (last.scores, last.validation) == ({}, None)


@pytest.mark.parametrize(
    "damaged",
    [
        "{",
        "[1]",
        '{"test": 1, "validation": 2}',
        '{"test": {"all": {"ndcg@10": "high", "recall@10": 0.1}}, "validation": {"ndcg@10": null}}',
        '{"test": {"all": {"ndcg@10": 0.1}}, "validation": {"ndcg@10": NaN}}',
    ],
)
def test_a_model_with_damaged_metrics_has_no_scores_and_takes_no_other_with_it(
    models: Path, damaged: str
) -> None:
    (models.parent / "metrics" / "b-model.json").write_text(damaged, encoding="utf-8")
    found = trained_models(models, models.parent / "metrics")
    assert [(model.name, model.validation) for model in found] == [
        ("a-model", 0.2),
        ("b-model", None),
        ("c-model", None),
    ]
    assert found[1].scores == {}


def test_metrics_lie_beside_the_folder_of_models(
    models: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(models)
    assert metrics_of(Path()).resolve() == tmp_path / "metrics"
    assert metrics_of(Path("a-model/..")).resolve() == tmp_path / "metrics"
    assert find_model(models=Path()).validation == 0.4
    monkeypatch.chdir(tmp_path)
    assert metrics_of(Path("models")) == Path("metrics")


def test_there_can_be_nine_models() -> None:
    assert len(TRAINABLE) == 9
    assert {"original-baseline", "weighted-rnn-multitask", "softmax-gate"} < set(TRAINABLE)


@pytest.mark.parametrize(
    ("folder", "name", "told"),
    [
        (".", "weighted-rnn", "only b-model, a-model, c-model; train it with: dvc repro train@we"),
        ("runs/mine", "weighted-rnn", "c-model; train it with: make run CORPUS=mine and the PRE"),
        (".", "wieghted-rnn", "only b-model, a-model, c-model; name one of these$"),
        ("runs/mine", "wieghted-rnn", "only a-model, b-model, c-model; name one of these$"),
    ],
)
def test_a_model_that_is_not_there_is_told_with_what_helps(
    models: Path, tmp_path: Path, folder: str, name: str, told: str
) -> None:
    place = tmp_path / folder / "models"
    if place != models:
        place.parent.mkdir(parents=True)
        models.rename(place)
    with pytest.raises(UserError, match=told):
        find_model(name, place)


@pytest.mark.parametrize(
    ("folder", "name", "told"),
    [
        (".", None, "train all with: make run, or one with: dvc repro train@weighted-rnn$"),
        (".", "softmax-gate", "or one with: dvc repro train@softmax-gate$"),
        (".", "bert", "train all with: make run; there can be original-baseline, .*gate$"),
        ("runs/mine", "softmax-gate", "train all with: make run CORPUS=mine and the PRE"),
    ],
)
def test_where_nothing_is_trained_it_says_how_to(
    tmp_path: Path, folder: str, name: str | None, told: str
) -> None:
    with pytest.raises(UserError, match=told):
        find_model(name, tmp_path / folder / "models")
