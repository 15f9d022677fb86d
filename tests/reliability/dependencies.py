"""The direct dependencies with their reasons, from requirements.in and requirements-s3.in."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ASKED, LOCKED = (
    ("requirements.in", "requirements-s3.in"),
    ("requirements.lock", "requirements-s3.lock"),
)
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)[^#]*#\s*(.+)")


def dependencies() -> list[tuple[str, str, str]]:
    """(name, what it is for, version in the lock) of every line of :data:`ASKED`.

    Raises:
        ValueError: A line has no reason.
    """
    locked = {name: version for lock in LOCKED for name, version in locked_versions(lock).items()}
    found = []
    for asked in ASKED:
        for line in (ROOT / asked).read_text(encoding="utf-8").splitlines():
            if line and not line.startswith("#"):
                match = _REQUIREMENT.fullmatch(line)
                if match is None:
                    raise ValueError(f"{asked}: {line!r} has no reason behind a #")
                name, reason = match.groups()
                found.append((name, reason, locked[_normal(name)]))
    return found


def locked_versions(lock: str) -> dict[str, str]:
    """Version of every package in one of :data:`LOCKED`, by normalised name."""
    lines = (ROOT / lock).read_text(encoding="utf-8").splitlines()
    pins = [line.partition("==") for line in lines if line and not line.startswith(("#", "-"))]
    return {_normal(name): version for name, _, version in pins}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
