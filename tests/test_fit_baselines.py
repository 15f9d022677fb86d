import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from params_file import HERE, write_params
from small_project import write_encoder

from stages import fit_baselines
from stages.recommender import artifacts
from stages.recommender.errors import UserError
from stages.recommender.evaluation.baselines.registry import NAMES

MOVIES = 12


def examples(count: int, first_id: int, label: int, paper_split: list[str | None]) -> pa.Table:
    """Examples that all have one label, and a movie of their own as another."""
    columns: dict[str, list[Any]] = {
        "conversation_id": list(range(first_id, first_id + count)),
        "turn": [-1] * count,
        "paper_split": paper_split,
        "text": [f"i like movies like @ number {row}" for row in range(count)],
        "input_ids": [[2, 5 + row % 9, 3] for row in range(count)],
        "mentions": [[row % 3] for row in range(count)],
        "labels": [[label, 9 + row % 3] for row in range(count)],
    }
    return pa.table(
        [pa.array(columns[field.name], field.type) for field in artifacts.EXAMPLE_SCHEMA],
        schema=artifacts.EXAMPLE_SCHEMA,
    )


def movies() -> pa.Table:
    columns: dict[str, list[Any]] = {
        "index": list(range(MOVIES)),
        "redial_id": list(range(MOVIES)),
        "title": [f"Movie {index}" for index in range(MOVIES)],
        "match": ["none"] * MOVIES,
        "genres": [[] for _ in range(MOVIES)],
    }
    return pa.table(
        [
            pa.array(columns.get(field.name, [None] * MOVIES), field.type)
            for field in artifacts.MOVIE_SCHEMA
        ],
        schema=artifacts.MOVIE_SCHEMA,
    )


@pytest.fixture
def project(here: Path, tiny_encoder: Path) -> Path:
    """A project with all that the stage reads: movie 5 is the label in training, 6 in validation.

    Of the paper's split, the training part has the label 5 and the test part the label 6.
    """
    configure(protocol="corrected")
    write_encoder(tiny_encoder, artifacts.ENCODER)
    artifacts.write_table(artifacts.MOVIES, movies(), artifacts.MOVIE_SCHEMA)
    write_examples("whole", "train", examples(6, 0, 5, ["train"] * 6))
    write_examples("whole", "validation", examples(8, 10, 6, ["test"] * 8))
    for reading in ("whole", "before", "turn"):
        write_examples(reading, "test", examples(4, 100, 6, [None] * 4))
    return here


def write_examples(reading: str, split: str, table: pa.Table) -> None:
    path = artifacts.EXAMPLES / reading / f"{split}.parquet"
    artifacts.write_table(path, table, artifacts.EXAMPLE_SCHEMA)


def configure(protocol: str) -> None:
    changes = {
        "dialogues": {"protocol": protocol},
        "compute": {"device": "cpu", "threads": 1, "precision": "float32"},
        "evaluation": {"readings": ["before", "turn", "paper-split"]},
    }
    write_params(HERE, changes)


def rankings(name: str, reading: str) -> list[list[int]]:
    table = artifacts.read_table(
        artifacts.RANKINGS / f"{name}.parquet", artifacts.RANKING_SCHEMA, "fit_baselines"
    )
    rows = table.filter(pa.array(np.array(table["reading"].to_pylist()) == reading))
    found: list[list[int]] = rows["ranking"].to_pylist()
    return found


def scores(name: str) -> Any:
    return artifacts.read_json(artifacts.METRICS / f"{name}.json", "fit_baselines")["test"]


def test_writes_what_a_trained_model_writes(project: Path) -> None:
    fit_baselines.main()
    for name in NAMES:
        assert list(scores(name)) == ["all", "new", "before", "paper split", "turn", "turn fresh"]
        assert len(rankings(name, "whole")) == 4
        assert len(rankings(name, "paper-split")) == 8
        assert all(0 <= value <= 1 for value in scores(name)["all"].values())


def test_learns_from_training_and_validation_dialogues(project: Path) -> None:
    fit_baselines.main()
    # movie 6 is a label in 8 examples, movie 5 in 6
    assert [row[:2] for row in rankings("popular", "whole")] == [[6, 5]] * 4
    assert [row[:3] for row in rankings("mentions-popular", "whole")] == [
        [0, 6, 5],
        [1, 6, 5],
        [2, 6, 5],
        [0, 6, 5],
    ]
    assert scores("popular")["all"]["mrr@1"] == 1


def test_the_papers_test_part_is_never_learnt_from(project: Path) -> None:
    fit_baselines.main()
    best = rankings("popular", "paper-split")
    assert [row[0] for row in best] == [5] * 8
    assert all(row.index(6) > 3 for row in best)


def test_under_the_notebooks_protocol_validation_is_test_and_not_learnt_from(
    project: Path,
) -> None:
    configure(protocol="notebook")
    test = examples(4, 100, 6, [None] * 4)
    write_examples("whole", "validation", test)
    write_examples(
        "whole",
        "train",
        pa.concat_tables([examples(6, 0, 5, ["train"] * 6), examples(2, 10, 6, ["test"] * 2)]),
    )
    fit_baselines.main()
    # movie 9 is a label in 3 examples, movie 6 in 2, or in 6 were the test examples learnt from
    assert [row[:2] for row in rankings("popular", "whole")] == [[5, 9]] * 4
    assert len(rankings("popular", "paper-split")) == 2


def test_the_same_bytes_every_time(project: Path) -> None:
    fit_baselines.main()
    written = [*artifacts.RANKINGS.iterdir(), *artifacts.METRICS.glob("*.json")]
    first = {path: path.read_bytes() for path in written}
    shutil.rmtree(artifacts.RANKINGS)
    fit_baselines.main()
    assert len(first) == 2 * len(NAMES)
    assert {path: path.read_bytes() for path in written} == first


def test_a_missing_input_is_told_and_nothing_written(project: Path) -> None:
    (artifacts.EXAMPLES / "before" / "test.parquet").unlink()
    with pytest.raises(UserError, match=r"before/test\.parquet is missing.*tokenize_dialogues"):
        fit_baselines.main()
    assert not artifacts.RANKINGS.exists()
    assert not artifacts.METRICS.exists()


def test_a_papers_split_without_a_training_part_is_told(project: Path) -> None:
    write_examples("whole", "train", examples(6, 0, 5, ["test"] * 6))
    with pytest.raises(UserError, match="train part of the paper's split has no example; use more"):
        fit_baselines.main()
