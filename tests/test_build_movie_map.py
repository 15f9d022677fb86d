import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from params_file import HERE, write_params

from stages import build_movie_map
from stages.recommender import artifacts
from stages.recommender.errors import UserError


@pytest.fixture(autouse=True)
def committed(here: Path) -> None:
    set_params()


def set_params(**changes: Any) -> None:
    """Write a params.yaml here: the project's, with these values under ``movie_map``."""
    write_params(HERE, {"movie_map": {"join": "title", "fuzzy_threshold": 90.0} | changes})


@pytest.fixture
def corpus() -> None:
    splits: dict[str, tuple[list[str], list[tuple[int, str]]]] = {
        "train": (
            ["I liked @30 and @4", "try @200!"],
            [(30, "Heat  (1995)"), (4, "Why Him%3F (2016)"), (200, "Zootopia")],
        ),
        "test": (["@30 again, not @5"], [(30, "Heat  (1995)"), (5, "Nobody Knows It (1951)")]),
    }
    for split, (texts, movies) in splits.items():
        row = {
            "conversation_id": 1,
            "initiator_id": 0,
            "respondent_id": 1,
            "messages": [{"sender_id": 0, "text": text} for text in texts],
            "movies": [{"movie_id": movie_id, "name": name} for movie_id, name in movies],
            "initiator_answers": [],
            "respondent_answers": [],
        }
        table = pa.Table.from_pylist([row], schema=artifacts.DIALOGUE_SCHEMA)
        path = artifacts.REDIAL / f"{split}.parquet"
        artifacts.write_table(path, table, artifacts.DIALOGUE_SCHEMA)
    movies = pa.table(
        {
            "movie_id": [30, 6, 7, 8],
            "title": ["Up (2009)", "Heat (1995)", "Why Him? (2016)", "Zootopia (2016)"],
            "genres": [[], ["Crime"], [], ["Animation"]],
        },
        artifacts.MOVIELENS_MOVIE_SCHEMA,
    )
    tags = pa.table({"movie_id": [8], "tag": ["fox"]}, artifacts.MOVIELENS_TAG_SCHEMA)
    path = artifacts.MOVIELENS / "movies.parquet"
    artifacts.write_table(path, movies, artifacts.MOVIELENS_MOVIE_SCHEMA)
    path = artifacts.MOVIELENS / "tags.parquet"
    artifacts.write_table(path, tags, artifacts.MOVIELENS_TAG_SCHEMA)


def movie_map() -> dict[str, list[Any]]:
    table = artifacts.read_table(artifacts.MOVIES, artifacts.MOVIE_SCHEMA, "build_movie_map")
    columns: dict[str, list[Any]] = table.to_pydict()
    return columns


@pytest.mark.usefixtures("corpus")
def test_the_stage_writes_the_map_and_its_coverage(capsys: pytest.CaptureFixture[str]) -> None:
    build_movie_map.main()
    columns = movie_map()
    assert columns["redial_id"] == [4, 5, 30, 200]
    assert columns["movielens_id"] == [7, None, 6, 8]
    assert columns["match"] == ["exact", "none", "exact", "name_without_year"]
    figures = json.loads(artifacts.COVERAGE.read_text(encoding="utf-8"))
    assert (figures["movies"], figures["movies_matched"]) == (4, 3)
    assert (figures["mentions"], figures["mentions_matched"]) == (5, 4)
    assert capsys.readouterr().out == "3 of 4 movies joined to MovieLens, 80.0% of all mentions\n"


@pytest.mark.usefixtures("corpus")
def test_join_by_id_repeats_the_notebooks_mistake() -> None:
    set_params(join="id")
    build_movie_map.main()
    assert movie_map()["movielens_title"] == [None, None, "Up (2009)", None]
    figures = json.loads(artifacts.COVERAGE.read_text(encoding="utf-8"))
    assert list(figures["by_rule"]) == ["id", "none"]


@pytest.mark.usefixtures("corpus")
def test_the_same_input_gives_the_same_bytes() -> None:
    outputs = []
    for _ in range(2):
        build_movie_map.main()
        outputs.append((artifacts.MOVIES.read_bytes(), artifacts.COVERAGE.read_bytes()))
    assert outputs[0] == outputs[1]


def test_missing_input_names_the_stage_that_makes_it_and_leaves_nothing() -> None:
    with pytest.raises(UserError, match=r"train\.parquet is missing; .*download_redial"):
        build_movie_map.main()
    assert not artifacts.MOVIES.parent.exists()
