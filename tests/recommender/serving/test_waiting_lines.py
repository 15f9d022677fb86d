import io
import os
from collections.abc import Iterator

import pytest

from stages.recommender.serving.waiting_lines import waiting_lines


@pytest.fixture
def pipe() -> Iterator[tuple[io.BufferedReader, io.RawIOBase]]:
    """A pipe's two ends; who reads a line too many from it waits for ever."""
    read, write = os.pipe()
    with open(read, "rb") as reader, open(write, "wb", buffering=0) as writer:  # noqa: PTH123
        yield reader, writer


def test_what_is_there_is_given_before_more_comes(
    pipe: tuple[io.BufferedReader, io.RawIOBase],
) -> None:
    reader, writer = pipe
    lines = waiting_lines(reader, "utf-8", 64)
    writer.write(b"scary\n")
    assert next(lines) == ["scary"]
    writer.write(b"funny\nsad\nbeg")
    assert next(lines) == ["funny", "sad"]
    writer.write(b"un\n")
    assert next(lines) == ["begun"]
    writer.write(b"no end")
    writer.close()
    assert list(lines) == [["no end"]]


def test_no_more_lines_come_together_than_may() -> None:
    lines = waiting_lines(io.BytesIO(b"1\n2\n3\n4\n5\n"), "utf-8", 2)
    assert list(lines) == [["1", "2"], ["3", "4"], ["5"]]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (b"", []),
        (b"\n", [[""]]),
        (b"one\r\ntwo\rthree", [["one", "two"], ["three"]]),
        (b"caf\xe9 \xc3\xa9\n", [["caf\ufffd \u00e9"]]),
        (b"cut \xc3", [["cut \ufffd"]]),
    ],
)
def test_lines_are_those_that_a_text_file_has(given: bytes, expected: list[list[str]]) -> None:
    assert list(waiting_lines(io.BytesIO(given), "utf-8", 64)) == expected


def test_letters_and_line_ends_may_be_cut_anywhere() -> None:
    class Drops(io.BytesIO):
        """Gives a byte at a time."""

        def read1(self, size: int | None = -1, /) -> bytes:
            return super().read1(1)

    given = "caf\u00e9\r\n\u2603\r\n".encode()
    assert list(waiting_lines(Drops(given), "utf-8", 64)) == [["caf\u00e9"], ["\u2603"]]
