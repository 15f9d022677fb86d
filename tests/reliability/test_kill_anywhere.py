from collections.abc import Iterator
from typing import Any

import pytest
from kill_anywhere import PHASES, Kill, Trial, planned, section
from preloaded import preloaded_python

from stages import INTERRUPTED


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    folder = tmp_path_factory.mktemp("killed")
    with preloaded_python(folder) as python:
        yield Trial(folder, python, short=True)


@pytest.mark.parametrize(
    "kill",
    [
        Kill(0, "train@original-rnn", 0.5, "SIGKILL"),
        Kill(1, "lock of train@weighted-multitask", 0.1, "SIGKILL"),
    ],
    ids=lambda kill: kill.phase,
)
def test_a_killed_pipeline_ends_in_the_same_bytes(trial: Trial, kill: Kill) -> None:
    ended = trial.end(kill)
    assert ended.problems == []
    assert ended.phase == kill.phase
    assert "compare" not in ended.recorded


def test_every_phase_is_killed_twice_and_the_same_moments_are_drawn_again() -> None:
    kills = planned(50, 5, 7)
    assert kills == planned(50, 5, 7)
    assert kills != planned(50, 5, 8)
    assert [kill.how for kill in kills].count("SIGKILL") == 50
    assert {kill.phase for kill in kills} == set(PHASES)
    assert {kill.how for kill in kills[50:]} == {"SIGTERM", "SIGINT"}


def entry(**changes: Any) -> dict[str, Any]:
    whole = {"phase": "compare", "how": "SIGKILL", "partials": 0, "lock": "whole", "steps": ""}
    return {**whole, "problems": [], **changes}


def test_the_figures_are_counted() -> None:
    found = section(
        [
            entry(),
            entry(phase="train@original-rnn", steps="3/9", partials=2),
            entry(phase="train@original-rnn", steps="9/9", problems=["models differs"]),
            entry(phase="lock of compare", lock="damaged"),
            entry(how="SIGINT", phase="build_movie_map"),
        ]
    )
    rows = {row[0]: row[1:] for row in found.rows}
    assert rows["training"] == ["2", "1", "0", "1"]
    assert rows["DVC writes its lock"] == ["1", "0", "1", "1"]
    assert rows["SIGKILL in all"] == ["4", "1", "1", "3"]
    assert rows["SIGINT in all"] == ["1", "0", "0", "1"]
    assert "4 of 5 times all of this held" in found.says
    assert "Of the kills, 1 fell between" in found.says
    assert INTERRUPTED in found.says
