"""Requests read from standard input, a line each, without waiting for more than there is.

A program that writes a request and waits for its answer gets it at once; the lines of a file, or
of a program that writes faster than it is answered, are given together.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from typing import Protocol

_BYTES_AT_ONCE = 65_536


class Readable(Protocol):
    """A binary stream with a buffer."""

    def read1(self, size: int = ..., /) -> bytes:
        """What is there, up to a size; waits only where nothing is; empty at the end."""


def waiting_lines(stream: Readable, encoding: str, most: int) -> Iterator[list[str]]:
    """The lines of a stream, as many together as can be read without waiting.

    Args:
        stream: Of text; what is not in its encoding is replaced.
        encoding: Of the text.
        most: Lines together.

    Yields:
        One or more lines, without their ends; the last one of the stream may have had none.
    """
    decoder = io.IncrementalNewlineDecoder(
        codecs.getincrementaldecoder(encoding)("replace"), translate=True
    )
    begun: list[str] = []  # pieces of a line whose end is not there yet
    while chunk := stream.read1(_BYTES_AT_ONCE):
        *lines, rest = decoder.decode(chunk).split("\n")
        if lines:
            lines[0] = "".join([*begun, lines[0]])
            begun = []
        begun.append(rest)
        for start in range(0, len(lines), most):
            yield lines[start : start + most]
    begun.append(decoder.decode(b"", final=True))
    lines = "".join(begun).split("\n")
    if lines[-1] == "":
        lines.pop()
    if lines:
        yield lines
