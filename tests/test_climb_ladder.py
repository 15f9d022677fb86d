from pathlib import Path
from typing import Any

import pytest
import small_project
from redial_tables import whole

from stages import climb_ladder
from stages.recommender import artifacts
from stages.recommender.corpora.movielens import read_archive as read_movielens
from stages.recommender.corpora.redial import read_archive as read_redial
from stages.recommender.corpora.sample import write_movielens_zip, write_redial_zip
from stages.recommender.errors import UserError
from stages.recommender.ladder import climb
from stages.recommender.ladder.rungs import REPAIRS
from stages.recommender.params import Sample
from stages.recommender.training.run import ModelRun

SAMPLE = Sample(seed=1, movies=40, train_dialogues=60, test_dialogues=20)


@pytest.fixture
def project(here: Path, tiny_encoder: Path) -> Path:
    """A folder with all that the stage reads; each rung is trained with two seeds."""
    ladder = {"epochs": 1, "seed": 5, "repeats": 2}
    small_project.write_params(here / "params.yaml", {"ladder": ladder})
    small_project.write_encoder(tiny_encoder, artifacts.ENCODER)
    write_redial_zip(SAMPLE, here / "redial.zip")
    write_movielens_zip(SAMPLE, here / "movielens.zip")
    for part, table in whole(read_redial(here / "redial.zip")).items():
        artifacts.write_table(artifacts.REDIAL / f"{part}.parquet", table, table.schema)
    for name, table in read_movielens(here / "movielens.zip").items():
        artifacts.write_table(artifacts.MOVIELENS / f"{name}.parquet", table, table.schema)
    return here


def trainings(monkeypatch: pytest.MonkeyPatch, most: int = 99) -> list[str]:
    """The trainers of the rungs that are trained from now on; the process ends after ``most``."""
    trained: list[str] = []

    class Counted(ModelRun):
        def __init__(self, entry: Any, *rest: Any) -> None:
            if len(trained) == most:
                raise KeyboardInterrupt
            super().__init__(entry, *rest)
            trained.append(entry.trainer)

    monkeypatch.setattr(climb, "ModelRun", Counted)
    return trained


def kept(project: Path) -> list[Path]:
    return list((project / ".cache" / "ladder").glob("*.parquet"))


def test_a_climb_that_is_ended_goes_on_and_ends_in_the_same_bytes(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = trainings(monkeypatch, most=5)
    with pytest.raises(KeyboardInterrupt):
        climb_ladder.main()
    assert len(first) == len(kept(project)) == 5
    assert not artifacts.LADDER.exists()
    rest = trainings(monkeypatch)
    climb_ladder.main()
    assert len(rest) == len(REPAIRS) - 5
    assert [*first, *rest] == ["original"] * 6 + ["weighted"] * 2
    assert kept(project) == []
    resumed = artifacts.LADDER.read_bytes()
    undisturbed = trainings(monkeypatch)
    climb_ladder.main()
    assert len(undisturbed) == len(REPAIRS)
    assert artifacts.LADDER.read_bytes() == resumed
    ladder = artifacts.read_json(artifacts.LADDER, "climb_ladder")
    assert (ladder["variant"], ladder["epochs"], ladder["repeats"]) == ("rnn-multitask", 1, 2)
    assert [rung["name"] for rung in ladder["rungs"]] == [repair.name for repair in REPAIRS]
    # the test examples change with the roles, and never again
    assert [sorted(rung["changes"]) for rung in ladder["rungs"][:3]] == [
        [],
        [],
        ["all ndcg@10", "new ndcg@10"],
    ]
    populars = [rung["popular"] for rung in ladder["rungs"][1:]]
    assert all(each == populars[0] for each in populars)


def test_a_missing_input_is_told_and_nothing_is_written(project: Path) -> None:
    (artifacts.MOVIELENS / "tags.parquet").unlink()
    with pytest.raises(UserError, match=r"tags\.parquet is missing.*download_movielens"):
        climb_ladder.main()
    assert not artifacts.LADDER.exists()
