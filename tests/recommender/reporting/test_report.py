import hashlib
import itertools
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import made_up_report
import pytest

from stages.recommender.reporting import pictures
from stages.recommender.reporting import report as report_module
from stages.recommender.reporting.content import Report

_VOID = {"meta", "link", "br", "img", "hr"}


class _Page(HTMLParser):
    """Collects what a browser would read, and checks that elements nest."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.headings: list[tuple[int, str]] = []
        self.ids: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag not in _VOID:
            self.open.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append((int(tag[1]), ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.ids += [value for name, value in attrs if name == "id" and value]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data
        if self.open and re.fullmatch("h[1-6]", self.open[-1]):
            level, text = self.headings[-1]
            self.headings[-1] = (level, text + data)


def read(page: str) -> _Page:
    parsed = _Page()
    parsed.feed(page)
    parsed.close()
    assert parsed.open == []
    return parsed


@pytest.fixture(scope="module")
def parsed(page: str) -> _Page:
    return read(page)


def test_sections_stand_in_their_order(parsed: _Page) -> None:
    assert [text for level, text in parsed.headings if level == 2] == [
        "The ladder",
        "The models",
        "What each part is worth",
        "Training curves",
        "Weighted over original",
        "Against published figures",
        "The movie map",
        "Where it fails",
        "Corpus and parameters",
    ]


def test_headings_never_skip_a_level(parsed: _Page) -> None:
    levels = [level for level, _ in parsed.headings]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(following - level <= 1 for level, following in itertools.pairwise(levels))


def test_ids_are_unique_and_links_lead_somewhere(page: str, parsed: _Page) -> None:
    ids = parsed.ids
    assert len(ids) == len(set(ids))
    for target in re.findall(r'href="#([^"]+)"|labelledby="([^"]+)"', page):
        assert "".join(target) in ids


def test_texts_cannot_break_out(page: str, parsed: _Page) -> None:
    assert "script" not in parsed.tags
    assert not any(name.startswith("on") for name in parsed.attributes)
    # the title, the heading, both cells of the run, the request, its label; a part of the model
    # in two tables, its name and its note
    assert parsed.text.count(made_up_report.ATTACK) == 6 + 4
    assert "<script" not in page


def test_nothing_is_loaded(page: str, parsed: _Page) -> None:
    assert "default-src 'none'" in page
    outside = re.findall(r"(?:src|href|url\()[=\"'(]*\s*(?:https?:)?//[^\s\"')]+", page)
    assert outside == []
    assert not {"img", "iframe", "script", "object", "embed"} & parsed.tags


def test_what_is_found_is_said_first(parsed: _Page) -> None:
    text = parsed.text
    finding = "Of 4 trained models, weighted-rnn-multitask scores highest: it reaches nDCG@10 0.120"
    assert text.index(finding) < text.index("From the notebook as it was published")


def test_scores_and_titles_are_there(page: str, parsed: _Page) -> None:
    for piece in ("[0.1100, 0.1400]", "+150.0%", "rank 1,432", "not ranked", "It (2017)"):
        assert piece in parsed.text, piece
    assert '<td class="number best">0.2100</td>' in page


def test_one_training_of_several_is_told_where_it_fails(parsed: _Page) -> None:
    assert f"The model is {made_up_report.BEST}, first seed of 3. It is the one" in parsed.text


def test_the_command_is_told_with_the_folder_to_run_it_in(parsed: _Page) -> None:
    said = "This page is made by dvc repro in the folder that holds this metrics/."
    assert said in parsed.text


def test_every_section_is_optional() -> None:
    empty = read(report_module.html(Report(corpus="nothing", run={})))
    assert [text for level, text in empty.headings] == ["nothing"]
    assert not {"table", "svg", "figure"} & empty.tags
    baselines = Report(corpus="few", run={}, results=made_up_report.results().head(2))
    found = read(report_module.html(baselines))
    assert [text for level, text in found.headings] == ["few", "The models"]


def test_another_process_with_other_settings_makes_the_same_bytes(tmp_path: Path) -> None:
    settings = tmp_path / "matplotlibrc"
    settings.write_text("font.size: 23\nsavefig.bbox: tight\nlines.linewidth: 9\n")
    program = (
        "import hashlib, made_up_report\n"
        "from stages.recommender.reporting import pictures, report\n"
        "content = made_up_report.short_report()\n"
        "for text in [report.html(content).encode(), pictures.pictures(content)[0].png()]:\n"
        "    print(hashlib.sha256(text).hexdigest())\n"
    )
    here = Path(__file__).parent
    root = here.parents[2]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(here), str(root)]),
        "PYTHONHASHSEED": "7",
        "MATPLOTLIBRC": str(settings),
    }
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        check=True,
    )
    short = made_up_report.short_report()
    made_here = [report_module.html(short).encode(), pictures.pictures(short)[0].png()]
    assert done.stdout.split() == [hashlib.sha256(text).hexdigest() for text in made_here]
