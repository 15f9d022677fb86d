import re

import assemble
import dependencies
import pytest
from sections import RESULTS, Section, read_sections

ROOT = assemble.ROOT


def test_the_page_is_made_of_what_the_scripts_found() -> None:
    found = assemble.TARGET.read_text(encoding="utf-8")
    assert found == assemble.page(), "make it again with: make reliability"


def test_each_section_can_be_made_again_and_shows_what_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^([\w-]+):", makefile, re.MULTILINE)
    for name, section in read_sections().items():
        for target in re.findall(r"\bmake ([\w-]+)", section.command):
            assert target in targets, name
        for script in re.findall(r"\S+\.py\b", section.command):
            assert (ROOT / script).is_file(), name
        for picture in section.pictures:
            assert (RESULTS / picture).is_file(), name
        assert section.says.endswith("."), name


def test_a_row_has_a_cell_a_column() -> None:
    with pytest.raises(ValueError, match="has not a cell for each"):
        Section("A", "B.", "make c", "d", ["one", "two"], [["1"]])


def test_every_direct_dependency_has_a_reason_and_is_locked() -> None:
    found = dependencies.dependencies()
    asked = [(ROOT / name).read_text(encoding="utf-8") for name in dependencies.ASKED]
    lines = [line for text in asked for line in text.splitlines()]
    assert len(found) == len([line for line in lines if line and not line.startswith("#")])
    for name, reason, version in found:
        assert reason and version, name
    reasons = {name: (reason, version) for name, reason, version in found}
    assert reasons["torch"] == ("models and training", "2.13.0")
    assert reasons["flask"][0] == "the server of that S3"
    table = assemble.page()
    for name, reason, version in found:
        assert f"| {name} | {version} | {reason} |" in table
