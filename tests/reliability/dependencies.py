"""The direct dependencies with their reasons, from requirements.in."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)[^#]*#\s*(.+)")


def dependencies() -> list[tuple[str, str, str]]:
    """(name, what it is for, version in the lock) of every line of requirements.in.

    Raises:
        ValueError: A line has no reason.
    """
    locked = locked_versions()
    found = []
    for line in (ROOT / "requirements.in").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            match = _REQUIREMENT.fullmatch(line)
            if match is None:
                raise ValueError(f"requirements.in: {line!r} has no reason behind a #")
            name, reason = match.groups()
            found.append((name, reason, locked[_normal(name)]))
    return found


def locked_versions() -> dict[str, str]:
    """Version of every package in requirements.lock, by normalised name."""
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pins = [line.partition("==") for line in lines if line and not line.startswith(("#", "-"))]
    return {_normal(name): version for name, _, version in pins}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
