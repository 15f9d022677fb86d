"""RELIABILITY.md from what the scripts found: ``python tests/reliability/assemble.py``."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from dependencies import LOCKED, dependencies, locked_versions  # noqa: E402
from sections import RESULTS, Section, read_sections  # noqa: E402

from stages.recommender import artifacts  # noqa: E402

TARGET = ROOT / "RELIABILITY.md"
HEAD = """\
# Reliability

What was tried to break this pipeline, and what held. Every figure stands in a JSON file in
`docs/reliability/` that the named command writes; `make reliability` makes this page of them.
"""


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    parts += ["\n".join(_section(section)) for section in read_sections().values()]
    parts.append("\n".join(_dependencies()))
    return "\n".join(parts)


def _section(section: Section) -> Iterator[str]:
    yield f"## {section.title}\n"
    yield f"{section.says}\n"
    if section.columns:
        yield from _table(section.columns, section.rows)
        yield ""
    for picture in section.pictures:
        yield f"![{section.title}]({(RESULTS / picture).relative_to(ROOT)})\n"
    yield f"Made by `{section.command}`, on {section.machine}.\n"


def _dependencies() -> Iterator[str]:
    first, more = (len(locked_versions(lock)) for lock in LOCKED)
    yield "## Dependencies\n"
    yield (
        "What the project imports or runs, each with its reason; `requirements.lock` pins these "
        f"and all that they pull in, {first} packages. What only shared storage needs, "
        f"`requirements-s3.lock` pins, {more} packages more.\n"
    )
    yield from _table(["package", "version", "for"], ((n, v, r) for n, r, v in dependencies()))
    yield ""


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"| {' | '.join('---' for _ in columns)} |"
    for row in rows:
        yield f"| {' | '.join(row)} |"


if __name__ == "__main__":
    artifacts.write_text(TARGET, page())
