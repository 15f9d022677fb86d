"""The page on scaling: its tables are what the script estimates, by arithmetic that is checked."""

import json
import re
from pathlib import Path

import pytest

from tests.benchmarks import memory, scaling

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
FIGURES = json.loads(scaling.FIGURES.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def tables() -> dict[str, list[dict[str, str]]]:
    return scaling.tables()


def test_the_files_are_what_the_script_reckons(tables: dict[str, list[dict[str, str]]]) -> None:
    for name, rows in tables.items():
        found = (scaling.RESULTS / f"{name}.txt").read_text(encoding="utf-8")
        assert found == scaling.text(rows) + "\n", "python -m tests.benchmarks.scaling"


def test_the_page_quotes_the_files_and_its_links_lead_somewhere() -> None:
    quoted = re.findall(r"<!-- (\S+) -->\n```\n(.*?)\n```", PAGE, flags=re.DOTALL)
    assert len(quoted) == 4
    for path, table in quoted:
        assert table == (ROOT / path).read_text(encoding="utf-8").rstrip("\n")
    assert f"holds {scaling.limit(FIGURES)} times" in " ".join(PAGE.split())
    for link in re.findall(r"\]\(([^)#:]+)\)", PAGE):
        assert (ROOT / "docs" / link).exists(), link


def test_what_it_says_of_preparation_was_measured() -> None:
    path = ROOT / "docs" / "benchmarks" / "preparation.json"
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
    [row] = [row for row in rows if row["what"].startswith("build_movie_map")]
    counts = row["what"].removeprefix("build_movie_map, ")
    assert f"{counts} take {row['seconds']} s and {row['memory, GiB']} GiB" in PAGE


def test_what_it_says_of_memory_was_measured() -> None:
    path = ROOT / "docs" / "benchmarks" / "memory.json"
    stages = json.loads(path.read_text(encoding="utf-8"))["stages"]
    assert [stage["stage"] for stage in stages] == list(memory.STAGES)
    grown = {stage["stage"]: stage[str(memory.TIMES)] / stage["1"] for stage in stages}
    most = max(grown, key=lambda stage: grown[stage])
    assert grown[most] <= memory.MOST
    said = f"most grows `{most}`, to {grown[most]:.2f} times the memory"
    assert said in " ".join(PAGE.split())


def test_what_it_says_of_growing_dialogues_was_measured() -> None:
    path = ROOT / "docs" / "benchmarks" / "growth.json"
    first, *_, last = json.loads(path.read_text(encoding="utf-8"))["dialogues"]
    assert last["dialogues"] == 10 * first["dialogues"]
    times = last["memory_gib"] / first["memory_gib"]
    assert f"ten times the dialogues take {times:.1f} times the memory" in " ".join(PAGE.split())


def test_the_arithmetic_by_hand(tables: dict[str, list[dict[str, str]]]) -> None:
    dialogues = {row["what"]: row for row in tables["scaling-dialogues"]}
    assert dialogues["dialogues"]["100 x"] == f"{100 * (10_006 + 1_342):,}"
    # 8,949 training requests of 384 numbers of 4 bytes
    assert dialogues["sentence vectors kept, GiB"]["1 x"] == f"{8_949 * 384 * 4 / 2**30:.3g}"
    # 1,327 tested against 8,949 training requests: ten times each is a hundred times the pairs
    pairs = 1_327 * 8_949 * 4 / 2**30
    assert dialogues["similarities of nearest-dialogues, GiB"]["10 x"] == f"{100 * pairs:.3g}"
    # six layers, each 4 matrices of 384 x 384 and 2 of 384 x 1,536; 784,562 tokens an epoch
    weights = 6 * (4 * 384**2 + 2 * 384 * 1_536)
    epoch = 6 * weights * 784_562 / 1e15
    assert dialogues["an epoch, encoder trained, PFLOP"]["1 x"] == f"{epoch:.3g}"
    movies = {row["what"]: row for row in tables["scaling-movies"]}
    # 256 weights and a bias a movie, two heads; 256 numbers a movie and the padding's
    trained = (2 * 257 * 10**6 + 256 * (10**6 + 1)) * 16 / 2**30
    assert movies["both heads and embedding while they train, GiB"]["a million"] == f"{trained:.3g}"
    # 32 dialogues and 64 tags
    assert movies["logits of a step, GiB"]["a million"] == f"{96 * 10**6 * 4 / 2**30:.3g}"
    assert scaling.limit(FIGURES) == (2**31 - 1) // (31_163 * 77.2295)
