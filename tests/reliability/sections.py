"""The sections of RELIABILITY.md: each a JSON file in docs/reliability that a script writes.

A script that measures something ends with ``write_section("name", Section(...))``; ``make
reliability`` puts all of them, in :data:`ORDER`, into RELIABILITY.md.
"""

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from pathlib import Path

from joblib import cpu_count

from stages.recommender import artifacts

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "reliability"
ORDER = ["killed", "bad-input", "fuzzing", "processes", "models", "storage", "memory"]
"""Names of the files in the order in which they are shown; others follow by name."""


@dataclass(frozen=True)
class Section:
    """What one script found."""

    title: str
    says: str
    """What was done and what held, in a few sentences of Markdown."""
    command: str
    """What makes these figures again."""
    machine: str
    """Where they were measured; see :func:`machine`."""
    columns: list[str] = field(default_factory=list)
    """The header of the table; none: no table."""
    rows: list[list[str]] = field(default_factory=list)
    """Its cells, as they are shown."""
    pictures: list[str] = field(default_factory=list)
    """Names of pictures beside the JSON file."""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"{self.title}: {row} has not a cell for each of {self.columns}")


def machine() -> str:
    """This machine in a few words."""
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    cores = cpu_count()  # that this process may use
    shown = f"{cores} core{'s' if cores > 1 else ''}"
    return f"{shown}, {pages * size / 2**30:.0f} GiB, {platform.system()}"


def write_section(name: str, section: Section) -> None:
    """Write what a script found to ``docs/reliability/<name>.json``."""
    artifacts.write_json(RESULTS / f"{name}.json", asdict(section))


def read_sections() -> dict[str, Section]:
    """All that scripts have found, by name, in the order in which it is shown."""
    found = {
        path.stem: Section(**json.loads(path.read_text(encoding="utf-8")))
        for path in RESULTS.glob("*.json")
    }
    order = [name for name in ORDER if name in found]
    return {name: found[name] for name in [*order, *sorted(found.keys() - set(order))]}
