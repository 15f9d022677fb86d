from pathlib import Path

import pytest

from stages.recommender import artifacts
from stages.recommender.serving.models_folder import find_model, trained_models


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
