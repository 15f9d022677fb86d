import json
from pathlib import Path
from typing import Any

import fuzz
import pyarrow as pa
import pytest


@pytest.mark.parametrize("parser", fuzz.PARSERS)
def test_a_thousand_inputs_give_tables_or_a_sentence(parser: str) -> None:
    result = fuzz.run_chunk(parser, seed=0, first=0, count=1_000)
    assert result["findings"] == []
    counts = result["counts"]
    assert sum(counts.values()) == 1_000
    # neither is everything refused, nor everything taken
    assert 10 < counts["parsed"] < 990
    assert len(counts) > 30


@pytest.mark.parametrize("parser", fuzz.PARSERS)
def test_what_fuzzing_found_is_answered_as_it_was(parser: str) -> None:
    path = fuzz.FINDINGS / f"{parser}.jsonl"
    entries = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert len(entries) > 40
    for entry in entries:
        assert fuzz.answer(parser, fuzz.decoded(entry["input"])) == entry["answer"]


@pytest.mark.parametrize("parser", fuzz.PARSERS)
def test_the_inputs_of_a_seed_are_the_same_every_time(parser: str) -> None:
    inputs = [fuzz.make_input(parser, 3, number) for number in range(100)]
    assert inputs == [fuzz.make_input(parser, 3, number) for number in range(100)]
    assert inputs != [fuzz.make_input(parser, 4, number) for number in range(100)]
    assert len({json.dumps(fuzz.encoded(content)) for content in inputs}) > 90


def test_what_else_happens_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: Any) -> Any:
        raise KeyError("movies")

    monkeypatch.setattr(fuzz.movielens, "read_members", crash)
    found = fuzz.run_chunk("movielens", seed=0, first=0, count=3)["findings"]
    assert len(found) == 3
    assert found[0]["what"] == "KeyError at crash: 'movies'"

    def babble(*_: Any) -> Any:
        raise fuzz.UserError("a.zip\nis wrong")

    monkeypatch.setattr(fuzz.movielens, "read_members", babble)
    with pytest.raises(ValueError, match="no fit sentence"):
        fuzz.answer("movielens", fuzz.CSV)


@pytest.mark.parametrize(("parser", "table"), [("redial", "train"), ("movielens", "tags")])
def test_a_lost_row_is_a_finding(parser: str, table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content = fuzz.seeds()[parser][0]
    assert fuzz.answer(parser, content) == "parsed"
    read = fuzz._read

    def lose(*given: Any) -> dict[str, pa.Table]:
        tables = read(*given)
        return tables | {table: tables[table].slice(1)}

    monkeypatch.setattr(fuzz, "_read", lose)
    with pytest.raises(ValueError, match=r"that the (json|csv) module finds"):
        fuzz.answer(parser, content)


def test_a_stopped_run_goes_on_and_counts_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fuzz, "CHUNK", 50)
    first = fuzz.run_all(tmp_path, 100, 5, workers=1)
    assert [(chunk["parser"], chunk["first"]) for chunk in first] == [
        ("redial", 0),
        ("movielens", 0),
    ]
    (tmp_path / "movielens-5-0.json").unlink()
    more = fuzz.run_all(tmp_path, 200, 5, workers=1)
    assert len(more) == 4
    assert [chunk["counts"] for chunk in more[:2]] == [chunk["counts"] for chunk in first]
    rows = fuzz.section(more).rows
    assert [row[1] for row in rows] == ["100", "100"]
