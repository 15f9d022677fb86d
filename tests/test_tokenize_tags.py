from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import small_project

from stages import tokenize_tags
from stages.recommender import artifacts
from stages.recommender.errors import run_stage

SPLITS = ("train", "held_out")
TAGS = [(7, " scary "), (9, "funny"), (7, "x"), (8, "no movie of the catalogue"), (7, "great")] * 4


def set_params(**tags: Any) -> None:
    small_project.write_params(Path("params.yaml"), {"tags": {"max_tokens": 16} | tags})


@pytest.fixture(autouse=True)
def project(here: Path, tiny_encoder: Path) -> None:
    """A catalogue of two movies, which are MovieLens' 9 and 7."""
    set_params()
    small_project.write_encoder(tiny_encoder, artifacts.ENCODER)
    movies = small_project.movies(2)
    column = artifacts.MOVIE_SCHEMA.get_field_index("movielens_id")
    movies = movies.set_column(
        column, artifacts.MOVIE_SCHEMA.field(column), pa.array([9, 7], pa.int64())
    )
    artifacts.write_table(artifacts.MOVIES, movies, artifacts.MOVIE_SCHEMA)
    table = pa.table(
        {"movie_id": [movie for movie, _ in TAGS], "tag": [tag for _, tag in TAGS]},
        schema=artifacts.MOVIELENS_TAG_SCHEMA,
    )
    path = artifacts.MOVIELENS / "tags.parquet"
    artifacts.write_table(path, table, artifacts.MOVIELENS_TAG_SCHEMA)


def written() -> dict[str, list[tuple[int, str]]]:
    return {
        split: [
            (row["movie"], row["tag"])
            for row in artifacts.read_table(
                artifacts.TAGS / f"{split}.parquet", artifacts.TAG_EXAMPLE_SCHEMA, "tokenize_tags"
            ).to_pylist()
        ]
        for split in SPLITS
    }


def test_tags_become_examples() -> None:
    tokenize_tags.main()
    found = written()
    assert sorted(found["train"] + found["held_out"]) == sorted(
        [(0, "funny"), (1, "great"), (1, "scary")] * 4
    )
    assert len(found["held_out"]) == 1  # a tenth of twelve


def test_parameters_are_followed() -> None:
    set_params(max_per_movie=1, min_characters=1, held_out_fraction=0.5)
    tokenize_tags.main()
    found = written()
    assert sorted(found["train"] + found["held_out"]) == [(0, "funny"), (1, "scary")]
    assert len(found["held_out"]) == 1


def test_the_same_bytes_every_time() -> None:
    def content() -> list[bytes]:
        tokenize_tags.main()
        return [(artifacts.TAGS / f"{split}.parquet").read_bytes() for split in SPLITS]

    assert content() == content()


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        (artifacts.MOVIELENS / "tags.parquet", r"dvc repro download_movielens"),
        (artifacts.MOVIES, r"dvc repro build_movie_map"),
        (artifacts.ENCODER / "tokenizer.json", r"dvc repro download_encoder"),
    ],
)
def test_a_missing_input_is_told_and_nothing_spoilt(missing: Path, told: str) -> None:
    tokenize_tags.main()
    before = written()
    missing.unlink()
    with pytest.raises(SystemExit, match=rf"^error: .*{missing.name} is missing; .*{told}$"):
        run_stage(tokenize_tags.main)
    assert written() == before
    assert not list(Path("data").glob(".*"))


def test_nothing_to_learn_is_told_and_nothing_written() -> None:
    set_params(min_characters=9)
    with pytest.raises(SystemExit, match=r"^error: only 0 tags belong to movies of the catalogue"):
        run_stage(tokenize_tags.main)
    assert not artifacts.TAGS.exists()
