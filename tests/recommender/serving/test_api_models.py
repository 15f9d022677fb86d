"""Models in memory, while their folders and the file of new movies change."""

import os
import shutil
from pathlib import Path

import pytest
from served_models import write_gate, write_models

from stages.recommender.modeling.model_folder import WEIGHTS
from stages.recommender.serving.api_models import LoadedModels, ModelError
from stages.recommender.serving.models_folder import find_model
from stages.recommender.serving.recommender import Recommender


def written(file: Path, content: str, seconds: int) -> None:
    """Write a file at a time of its own: two may be written within a clock's tick."""
    file.write_text(content, encoding="utf-8")
    os.utime(file, (seconds, seconds))


def test_a_model_is_loaded_once_and_anew_when_trained_again(
    tmp_path: Path, tiny_encoder: Path
) -> None:
    model = find_model("weighted-rnn", write_models(tmp_path, tiny_encoder))
    loaded = LoadedModels()
    first = loaded.get(model)
    assert loaded.get(model) is first
    os.utime(model.folder / "config.json", (1_000, 1_000))
    assert loaded.get(model) is not first


def test_weights_alone_that_are_replaced_are_loaded(tmp_path: Path, tiny_encoder: Path) -> None:
    # as a checkout does, to which the same configuration is no change
    model = find_model("weighted-rnn", write_models(tmp_path, tiny_encoder))
    loaded = LoadedModels()
    first = loaded.get(model)
    weights = model.folder / WEIGHTS
    before = weights.stat()
    other = tmp_path / "other.safetensors"
    shutil.copyfile(weights, other)
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(weights)
    assert loaded.get(model) is not first


def test_a_model_that_is_being_replaced_is_told(tmp_path: Path, tiny_encoder: Path) -> None:
    model = find_model("weighted-rnn", write_models(tmp_path, tiny_encoder))
    loaded = LoadedModels()
    loaded.get(model)
    aside = tmp_path / "aside"
    model.folder.rename(aside)
    with pytest.raises(
        ModelError, match=r"weighted-rnn cannot be read \(No such file .* try again"
    ):
        loaded.get(model)
    shutil.copytree(aside, model.folder)
    assert loaded.get(model).recommend("scary").recommendations


@pytest.mark.parametrize("content", ["[]", '{"gate": 3}', "{"])
def test_a_damaged_configuration_is_told(tmp_path: Path, tiny_encoder: Path, content: str) -> None:
    model = find_model("weighted-rnn", write_models(tmp_path, tiny_encoder))
    (model.folder / "config.json").write_text(content, encoding="utf-8")
    new = tmp_path / "new.csv"
    new.write_text("title\nNosferatu\n", encoding="utf-8")
    for loaded in (LoadedModels(), LoadedModels(new)):
        with pytest.raises(ModelError, match=r"dvc repro .*train@weighted-rnn"):
            loaded.get(model)


def test_new_movies_are_read_again_when_their_file_changes(
    tmp_path: Path, tiny_encoder: Path
) -> None:
    write_gate(tmp_path, tiny_encoder)
    model = find_model("softmax-gate", tmp_path / "models")
    file = tmp_path / "new.csv"
    loaded = LoadedModels(file)

    def added() -> list[str]:
        return [movie.title for movie in loaded.get(model).catalogue if movie.is_new]

    written(file, "title\nNosferatu\n", 1_000)
    assert added() == ["Nosferatu"]
    written(file, "title\nNosferatu\nAnora\n", 2_000)
    assert added() == ["Nosferatu", "Anora"]
    written(file, "name\n", 3_000)
    with pytest.raises(ModelError, match="line 1: name is no header"):
        loaded.get(model)
    file.unlink()
    with pytest.raises(ModelError, match=r"new\.csv cannot be read"):
        loaded.get(model)


def test_new_movies_are_of_no_concern_to_a_model_that_reads_no_texts(
    tmp_path: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = find_model("weighted-rnn", write_models(tmp_path, tiny_encoder))
    loaded = LoadedModels(tmp_path / "missing.csv")
    first = loaded.get(model)
    monkeypatch.setattr(Recommender, "load", None)
    assert loaded.get(model) is first
