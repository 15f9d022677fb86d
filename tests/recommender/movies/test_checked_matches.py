"""The movie map of the real corpora: how much it covers, and how much of it is wrong."""

import csv
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from draw_matches import COLUMNS, draw, join_corpora

from stages.recommender.movies.matching import title_rules

SHEET = Path(__file__).with_name("checked_matches.csv")


@pytest.fixture(scope="module")
def rows(corpora: Path) -> list[dict[str, Any]]:
    return join_corpora(corpora)


@pytest.fixture(scope="module")
def sheet() -> list[dict[str, str]]:
    with SHEET.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_catalogue_has_the_published_number_of_movies(rows: list[dict[str, Any]]) -> None:
    assert len(rows) == 6636
    assert [row["index"] for row in rows] == list(range(6636))
    ids = [row["redial_id"] for row in rows]
    assert ids == sorted(set(ids))


def test_at_least_95_percent_of_all_mentions_are_covered(rows: list[dict[str, Any]]) -> None:
    covered = sum(row["mentions"] for row in rows if row["movielens_id"] is not None)
    assert covered / sum(row["mentions"] for row in rows) >= 0.95


def test_at_most_one_checked_match_in_a_hundred_is_wrong(sheet: list[dict[str, str]]) -> None:
    verdicts = Counter(row["verdict"] for row in sheet)
    assert set(verdicts) <= {"right", "wrong"}
    assert verdicts.total() == 200
    assert verdicts["wrong"] / verdicts.total() <= 0.01
    assert all(row["note"] for row in sheet if row["verdict"] == "wrong")


def test_every_rule_was_checked(sheet: list[dict[str, str]]) -> None:
    assert tuple(sheet[0]) == COLUMNS
    assert {row["match"] for row in sheet} == set(title_rules(90.0))


def test_the_matches_are_still_those_that_were_checked(
    sheet: list[dict[str, str]], rows: list[dict[str, Any]]
) -> None:
    now = {row["redial_id"]: row for row in rows}
    for checked in sheet:
        row = now[int(checked["redial_id"])]
        assert row["redial_name"] == checked["redial_name"]
        assert str(row["movielens_id"]) == checked["movielens_id"], checked
        assert row["match"] == checked["match"], checked


def test_drawing_is_reproducible(rows: list[dict[str, Any]]) -> None:
    assert draw(rows) == draw(rows)
    assert len({row["redial_id"] for row in draw(rows)}) == 200
