"""One sheet of bad input: every case, the sentence that it must give, what it must leave."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bad_input import (
    ROOT,
    NotHereError,
    all_cases,
    finish_project,
    harm_done,
    meet,
    read_sheet,
)

CASES = all_cases()
SHEET = read_sheet()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished") / "project"
    finish_project(folder)
    return folder


def test_the_sheet_has_every_case_and_no_other() -> None:
    assert list(SHEET) == list(CASES)
    assert len(SHEET) >= 120


@pytest.mark.parametrize(("area", "name"), CASES)
def test_bad_input_gives_one_sentence_and_does_no_harm(
    area: str, name: str, finished: Path, tmp_path: Path
) -> None:
    try:
        outcome = meet(CASES[area, name], finished, tmp_path)
    except NotHereError as reason:
        pytest.skip(str(reason))
    assert outcome.told == SHEET[area, name]
    assert outcome.harm == []


@pytest.mark.parametrize(
    ("after", "keeps", "must_keep", "harm"),
    [
        ({"a": "1", "runs/new": "2"}, ["runs*"], [], []),
        ({"a": "1", "runs/.new.7.partial": "2"}, ["runs*"], [], ["runs/.new.7.partial is left"]),
        ({"a": "1", "b.7.partial/c": "2"}, ["*"], [], ["b.7.partial/c is left"]),
        ({"a": "1", "b.partial": "2"}, ["b.partial"], [], []),
        ({"a": "1"}, [], ["*/state"], ["no */state is kept"]),
        ({"a": "1", "b/state": "2"}, ["*"], ["*/state"], []),
        ({"a": "2"}, [], [], ["a is changed"]),
        ({}, [], [], ["a is lost"]),
    ],
)
def test_harm_is_what_is_lost_changed_left_or_not_kept(
    after: dict[str, str], keeps: list[str], must_keep: list[str], harm: list[str]
) -> None:
    assert harm_done({"a": "1"}, after, keeps, [], must_keep) == harm


def test_a_sentence_says_what_is_wrong_and_what_to_do() -> None:
    for case, told in SHEET.items():
        assert told.splitlines() == [told], case
        assert len(told) <= 400, case
        assert "Traceback" not in told, case
        if told.startswith("error: "):
            # what is wrong; then what to do
            assert re.search(r"[;,:] \S", told.removeprefix("error: ")), case


def test_a_process_ends_with_the_sentence_alone(finished: Path, tmp_path: Path) -> None:
    project = tmp_path / "mit Leerzeichen"
    shutil.copytree(finished, project)
    (project / "data" / "movies.parquet").unlink()
    done = subprocess.run(
        [sys.executable, "-m", "stages.tokenize_tags"],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    told = SHEET["Parquet between stages", "the map is missing"].replace("dialogues", "tags")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"{told}\n")
