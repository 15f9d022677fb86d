"""MovieLens (Harper and Konstan 2015) as three tables, from a GroupLens archive.

``movies.csv`` (movieId, title, genres), ``tags.csv`` (userId, movieId, tag, timestamp) and
``links.csv`` (movieId, imdbId, tmdbId), UTF-8, comma separated, in one folder of whatever name:
``ml-latest``, ``ml-32m`` and ``ml-latest-small`` are read alike. Where a file is not as it should
be, :mod:`~stages.recommender.corpora.csv_diagnosis` finds the line.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from stages.recommender.artifacts import (
    MOVIELENS_LINK_SCHEMA,
    MOVIELENS_MOVIE_SCHEMA,
    MOVIELENS_TAG_SCHEMA,
)
from stages.recommender.corpora.archives import Archive, open_archive
from stages.recommender.corpora.csv_diagnosis import Expected, diagnose, first_fault

NO_GENRES = "(no genres listed)"

MOVIES = Expected("movies.csv", {"movieId": int, "title": str, "genres": str}, unique="movieId")
TAGS = Expected("tags.csv", {"movieId": int, "tag": str})
LINKS = Expected(
    "links.csv",
    {"movieId": int, "imdbId": str, "tmdbId": int},
    unique="movieId",
    may_be_empty=frozenset({"tmdbId"}),
)

_BLOCK = 1 << 20
_ARROW_TYPES: Mapping[type, pa.DataType] = {int: pa.int64(), str: pa.string()}


def read_archive(path: Path) -> dict[str, pa.Table]:
    """Read a GroupLens archive.

    Args:
        path: A zip archive with ``movies.csv`` and ``tags.csv``, perhaps ``links.csv``.

    Returns:
        ``movies``, ``tags`` and ``links``, rows in the order of the files; no rows of ``links``
        where the archive has no such file.

    Raises:
        UserError: The archive or a line in it is not as it should be.
    """
    with open_archive(path) as archive:
        return read_members(archive)


def read_members(archive: Archive) -> dict[str, pa.Table]:
    """Read a GroupLens archive where it is open already; see :func:`read_archive`."""
    movies = _read(archive, MOVIES)
    tags = _read(archive, TAGS)
    links = _read(archive, LINKS) if archive.find(LINKS.file_name) else None
    return {
        "movies": pa.table(
            [movies["movieId"], movies["title"], _genres(movies["genres"])],
            schema=MOVIELENS_MOVIE_SCHEMA,
        ),
        "tags": pa.table([tags["movieId"], tags["tag"]], schema=MOVIELENS_TAG_SCHEMA),
        "links": MOVIELENS_LINK_SCHEMA.empty_table()
        if links is None
        else pa.table(
            [links["movieId"], links["imdbId"], links["tmdbId"]], schema=MOVIELENS_LINK_SCHEMA
        ),
    }


def _read(archive: Archive, expected: Expected) -> pa.Table:
    types = {name: _ARROW_TYPES[kind] for name, kind in expected.columns.items()}
    try:
        with archive.open(expected.file_name) as file:
            table = csv.read_csv(
                file,
                parse_options=csv.ParseOptions(newlines_in_values=True),
                convert_options=csv.ConvertOptions(
                    column_types=types, include_columns=list(types), null_values=[""]
                ),
            )
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        with archive.open(expected.file_name) as file:
            raise diagnose(file, archive.path, expected, str(error)) from None
    if not _is_sound(table, expected):
        with archive.open(expected.file_name) as file:
            raise diagnose(file, archive.path, expected, "a value is not as it should be")
    with archive.open(expected.file_name) as file:
        doubtful = _is_doubtful(file, expected)
    if doubtful:
        with archive.open(expected.file_name) as file:
            if fault := first_fault(file, archive.path, expected):
                raise fault
    return table


def _is_sound(table: pa.Table, expected: Expected) -> bool:
    for name, kind in expected.columns.items():
        column = table[name]
        if name not in expected.may_be_empty and column.null_count:
            return False
        if kind is str and pc.any(pc.match_substring(column, "\0")).as_py():
            return False
    return expected.unique is None or len(table[expected.unique].unique()) == len(table)


def _is_doubtful(file: IO[bytes], expected: Expected) -> bool:
    """Whether the fast reader may have taken for right what is not.

    It makes one value of all that follows an open quote, and takes either of two columns of the
    same name.
    """
    header, quotes = b"", 0
    while block := file.read(_BLOCK):
        header = header or b"".join(block.lstrip(b"\r\n").splitlines()[:1])
        quotes += block.count(b'"')
    return bool(quotes % 2) or any(header.count(name.encode()) > 1 for name in expected.columns)


def _genres(column: pa.ChunkedArray) -> pa.Array:
    listed = [
        [] if genres in {"", NO_GENRES} else genres.split("|") for genres in column.to_pylist()
    ]
    return pa.array(listed, pa.list_(pa.string()))
