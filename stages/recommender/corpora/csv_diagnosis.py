"""Which line of a CSV file is wrong, and how: the slow reading after the fast one failed."""

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from stages.recommender.errors import UserError

_INTEGER = re.compile(r"-?[0-9]{1,19}")
_SHOWN = 60
_REMEDY = "mend the file or get the archive again"


@dataclass(frozen=True)
class Expected:
    """What a CSV file must be like.

    Attributes:
        file_name: Its name in the archive.
        columns: The columns that are read, with the type of their values, ``int`` or ``str``.
        unique: The column of numbers in which none stands twice.
        may_be_empty: The columns of numbers that may hold nothing.
    """

    file_name: str
    columns: Mapping[str, type]
    unique: str | None = None
    may_be_empty: frozenset[str] = frozenset()


class _FaultError(Exception):
    """What is wrong with a line."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.line = line


def diagnose(file: IO[bytes], archive: Path, expected: Expected, problem: str) -> UserError:
    """Say what is wrong with a CSV file.

    Args:
        file: The file, from its beginning.
        archive: The archive that it lies in, to name it.
        expected: What it must be like.
        problem: What the fast reader said, for a fault that only it sees.

    Returns:
        The error to raise; it names the line of the first fault.
    """
    return first_fault(file, archive, expected) or UserError(
        f"{archive}: {expected.file_name} cannot be read ({problem.splitlines()[0].rstrip('.')}); "
        f"{_REMEDY}"
    )


def first_fault(file: IO[bytes], archive: Path, expected: Expected) -> UserError | None:
    """Look for the first line of a CSV file that is not as it must be.

    Args:
        file: The file, from its beginning.
        archive: The archive that it lies in, to name it.
        expected: What it must be like.

    Returns:
        The error to raise, if there is one.
    """
    try:
        _check(file, expected)
    except _FaultError as fault:
        place = f"{archive}: {expected.file_name}, line {fault.line}"
        return UserError(f"{place} {fault}; {_REMEDY}")
    return None


def _check(file: IO[bytes], expected: Expected) -> None:
    rows = _rows(file)
    _, header = next(rows, (1, []))
    missing = [name for name in expected.columns if name not in header]
    if missing:
        raise _FaultError(
            1, f"must name the columns {', '.join(expected.columns)}, but has no {missing[0]}"
        )
    for name in expected.columns:
        if header.count(name) > 1:
            raise _FaultError(1, f"names the column {name} more than once")
    first_lines: dict[int, int] = {}
    for line, row in rows:
        if len(row) != len(header):
            raise _FaultError(line, f"has {len(row)} values, but the header has {len(header)}")
        values = dict(zip(header, row, strict=True))
        for name, kind in expected.columns.items():
            if fault := _fault(values[name], kind, name in expected.may_be_empty):
                raise _FaultError(line, f"has the {name} {_shown(values[name])}, {fault}")
        if expected.unique is not None:
            value = int(values[expected.unique])
            if value in first_lines:
                raise _FaultError(
                    line,
                    f"has the {expected.unique} {value} again, which stands already in line "
                    f"{first_lines[value]}",
                )
            first_lines[value] = line


def _rows(file: IO[bytes]) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, each with the line that it begins in."""
    reader = csv.reader(_lines(file), strict=True)
    line = 1
    try:
        for row in reader:
            if row:
                yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        what = f"a quote is open or out of place ({error})"
        if str(error).startswith("new-line character"):
            what = "a carriage return stands without a line feed"
        raise _FaultError(line, f"is no CSV, {what}") from None


def _lines(file: IO[bytes]) -> Iterator[str]:
    for number, line in enumerate(file, start=1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise _FaultError(
                number, f"is no UTF-8 (its byte {error.start + 1} is {line[error.start]:#04x})"
            ) from None


def _fault(value: str, kind: type, may_be_empty: bool) -> str | None:
    if kind is str:
        return "with a NUL character" if "\0" in value else None
    digits = value.strip(" \t")  # the fast reader passes over these alone
    if not value and may_be_empty:
        return None
    if not digits:
        return "nothing where a number is needed"
    if not _INTEGER.fullmatch(digits) or not -(2**63) <= int(digits) < 2**63:
        return "which is no whole number of 64 bits"
    return None


def _shown(value: str) -> str:
    return repr(value) if len(value) <= _SHOWN else f"{value[:_SHOWN]!r}..."
