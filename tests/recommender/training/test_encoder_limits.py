import json
from pathlib import Path

import pyarrow as pa
import pytest

from stages.recommender.errors import UserError
from stages.recommender.training.encoder_limits import check_limits

FILE = Path("data/examples/whole/train.parquet")


def examples(*texts: list[int]) -> pa.Table:
    return pa.table({"input_ids": pa.array(texts, pa.list_(pa.int32()))})


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    """One that reads four tokens at most, of ten that there are."""
    config = {"max_position_embeddings": 4, "vocab_size": 10}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return tmp_path


def test_what_the_encoder_reads_passes(encoder: Path) -> None:
    check_limits(encoder, examples([1, 2, 3, 9], [], [0]), FILE, "dialogues")
    check_limits(encoder, examples(), FILE, "dialogues")


def test_a_text_too_long_is_told(encoder: Path) -> None:
    with pytest.raises(
        UserError,
        match=r"^data/examples/whole/train\.parquet has a text of 5 tokens, but the encoder in .* "
        r"reads 4 at most; lower dialogues\.max_tokens to 4$",
    ):
        check_limits(encoder, examples([1], [1, 2, 3, 4, 5]), FILE, "dialogues")


@pytest.mark.parametrize(
    ("file", "section", "parameter"),
    [
        ("data/examples/turn/test.parquet", "dialogues", r"dialogues\.max_tokens"),
        ("data/tags/train.parquet", "tags", r"tags\.max_tokens"),
        ("data/titles/whole/train.parquet", "titles", r"titles\.max_tokens"),
        ("data/titles/turn/test.parquet", "titles", r"titles\.max_turn_tokens"),
        ("data/titles/movies.parquet", "titles", r"titles\.max_movie_tokens"),
    ],
)
def test_the_parameter_that_cuts_the_file_is_named(
    encoder: Path, file: str, section: str, parameter: str
) -> None:
    with pytest.raises(UserError, match=rf"; lower {parameter} to 4$"):
        check_limits(encoder, examples([1] * 5), Path(file), section)


def test_a_token_of_another_encoder_is_told(encoder: Path) -> None:
    with pytest.raises(
        UserError,
        match=r"^tags\.parquet has the token 10, but the encoder in .* knows 10; make it for this "
        r"encoder with: dvc repro -f -s tokenize_tags$",
    ):
        check_limits(encoder, examples([1, 10]), Path("tags.parquet"), "tags")


def test_an_encoder_that_says_no_sizes_is_not_compared(encoder: Path) -> None:
    (encoder / "config.json").write_text("{}", encoding="utf-8")
    check_limits(encoder, examples([1_000_000] * 100), FILE, "dialogues")


def test_an_encoder_without_configuration_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"config\.json is missing; .* dvc repro download_encoder"):
        check_limits(tmp_path, examples([1]), FILE, "dialogues")
