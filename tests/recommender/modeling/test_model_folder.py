import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import small_project
import torch
from safetensors.torch import load_file, save_file

from stages.recommender import artifacts
from stages.recommender.errors import UserError
from stages.recommender.modeling.encoder import SentenceEncoder
from stages.recommender.modeling.model_folder import ModelConfig, load_model, save_model
from stages.recommender.modeling.ragged import Ragged
from stages.recommender.modeling.variants import VARIANTS, OneShotRecommender
from stages.recommender.params import Mentions, Model

MODEL = Model(
    pooling="cls",
    hidden_size=5,
    dropout=0.25,
    mentions=Mentions(max=3, embedding_size=2, hidden_size=2, reads_padding=False),
)
CONFIG = ModelConfig(
    trainer="weighted",
    variant="rnn-multitask",
    movies=small_project.MOVIES,
    model=MODEL,
    text_form="titles",
    max_tokens=48,
)
TEXTS = Ragged(torch.tensor([2, 9, 3, 2, 11, 12, 3]), torch.tensor([3, 4]))
MENTIONS = Ragged(torch.tensor([4, 29, 4, 7]), torch.tensor([4, 0]))


def made(encoder: Path, layers: int | str) -> tuple[OneShotRecommender, SentenceEncoder]:
    """A model with random weights, its encoder's learning ones too."""
    torch.manual_seed(0)
    sentences = SentenceEncoder(encoder, MODEL.pooling, layers)
    with torch.no_grad():
        for parameter in sentences.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1)
    variant = VARIANTS[CONFIG.variant]
    return OneShotRecommender(variant, sentences.width, CONFIG.movies, MODEL), sentences


def save(folder: Path, encoder: Path, layers: int | str = 1) -> torch.Tensor:
    """Save a model; its logits."""
    model, sentences = made(encoder, layers)
    save_model(
        folder,
        CONFIG,
        model,
        None if layers == "none" else sentences,
        encoder,
        small_project.movies(),
        small_project.known_for(),
        small_project.requests(),
    )
    return model.eval()(sentences.eval()(TEXTS), MENTIONS)


@pytest.fixture
def encoder(tmp_path: Path, tiny_encoder: Path) -> Path:
    small_project.write_encoder(tiny_encoder, tmp_path / "encoder")
    return tmp_path / "encoder"


@pytest.fixture
def folder(tmp_path: Path, encoder: Path) -> Path:
    path = tmp_path / "models" / "weighted-rnn-multitask"
    save(path, encoder)
    return path


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("layers", ["none", 1, "all"])
def test_what_is_saved_is_loaded(tmp_path: Path, encoder: Path, layers: int | str) -> None:
    path = tmp_path / "model"
    logits = save(path, encoder, layers)
    config, model, sentences, movies = load_model(path)
    assert config == CONFIG
    assert movies.equals(small_project.movies())
    assert not model.training
    assert not sentences.training
    assert torch.equal(model(sentences(TEXTS), MENTIONS), logits)


def test_the_folder_has_all_that_a_request_needs_and_no_pickle(folder: Path) -> None:
    assert list(files(folder)) == [
        "config.json",
        "encoder/config.json",
        "encoder/model.safetensors",
        "encoder/tokenizer.json",
        "movies.parquet",
        "recommender.safetensors",
        "requests.parquet",
        "tags.parquet",
        "title_usage.parquet",
    ]


def test_a_frozen_encoder_is_copied_as_it_came(tmp_path: Path, encoder: Path) -> None:
    save(tmp_path / "model", encoder, "none")
    assert files(tmp_path / "model" / "encoder") == files(encoder)


def test_the_same_model_gives_the_same_bytes(tmp_path: Path, encoder: Path, folder: Path) -> None:
    save(tmp_path / "again", encoder)
    assert files(tmp_path / "again") == files(folder)
    save(folder, encoder)  # in the place of what is there
    assert files(tmp_path / "again") == files(folder)


def test_files_that_may_not_be_written_over_are_no_hindrance(tmp_path: Path, encoder: Path) -> None:
    (encoder / "model.safetensors").chmod(0o444)  # as DVC links them from its cache
    save(tmp_path / "model", encoder)
    assert (tmp_path / "model" / "encoder" / "model.safetensors").stat().st_mode & 0o200


def test_a_save_that_fails_leaves_what_was_there(
    folder: Path, encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files(folder)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(artifacts, "write_table", full)
    with pytest.raises(OSError, match="No space"):
        save(folder, encoder)
    assert files(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


# --- folders that are not whole ----------------------------------------------------------------


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def halve(name: str) -> Callable[[Path], None]:
    def halved(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])

    return halved


def configure(**changes: object) -> Callable[[Path], None]:
    def configured(folder: Path) -> None:
        path = folder / "config.json"
        config = json.loads(path.read_text(encoding="utf-8"))
        artifacts.write_json(path, config | changes)

    return configured


def fewer_weights(folder: Path) -> None:
    path = folder / "recommender.safetensors"
    weights = load_file(path)
    weights.pop("head.1.bias")
    save_file(weights, path)


def fewer_movies(folder: Path) -> None:
    movies = small_project.movies(small_project.MOVIES - 1)
    artifacts.write_table(folder / "movies.parquet", movies, artifacts.MOVIE_SCHEMA)


def not_text(folder: Path) -> None:
    (folder / "config.json").write_bytes(b"\xff\xfe")


AGAIN = "train it again with: dvc repro -f -s train@weighted-rnn-multitask"
MISSING = "train it with: dvc repro train@weighted-rnn-multitask"


@pytest.mark.parametrize(
    ("damage", "told", "remedy"),
    [
        (remove("config.json"), "config.json is missing", MISSING),
        (remove("recommender.safetensors"), "is missing", MISSING),
        (remove("encoder/model.safetensors"), "encoder holds no whole encoder", AGAIN),
        (remove("encoder/config.json"), "encoder holds no whole encoder", AGAIN),
        (remove("movies.parquet"), "movies.parquet is missing", "train@weighted-rnn-multitask"),
        (halve("config.json"), "holds no whole model", AGAIN),
        (halve("recommender.safetensors"), "holds no whole model", AGAIN),
        (halve("encoder/model.safetensors"), "encoder holds no whole encoder", AGAIN),
        (halve("encoder/config.json"), "encoder holds no whole encoder", AGAIN),
        (halve("movies.parquet"), "no whole Parquet", "train@weighted-rnn-multitask"),
        (not_text, "holds no whole model", AGAIN),
        (configure(unknown=1), "holds no whole model", AGAIN),
        (configure(variant="transformer"), "names the variant transformer, but", AGAIN),
        (configure(variant="baseline"), "does not fit config.json and encoder", AGAIN),
        (configure(movies=31), "does not fit config.json and encoder", AGAIN),
        (fewer_weights, "does not fit config.json and encoder", AGAIN),
        (fewer_movies, "has 29 movies, but config.json beside it says 30", AGAIN),
    ],
)
def test_a_folder_that_is_not_whole_is_told(
    folder: Path, damage: Callable[[Path], None], told: str, remedy: str
) -> None:
    damage(folder)
    with pytest.raises(UserError, match=f"{re.escape(told)}.*{re.escape(remedy)}") as raised:
        load_model(folder)
    assert "\n" not in str(raised.value)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"missing; train it with: dvc repro train@original-rnn$"):
        load_model(tmp_path / "original-rnn")
