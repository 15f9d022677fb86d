"""Movies that came out after a model was trained, in a small CSV file that a person writes.

.. code-block:: text

    title,year,genres,tags
    Nosferatu,2024,Horror|Fantasy,vampire|gothic|remake
    "Good Night, Moon",,Children,

A line a movie. As in MovieLens' files, ``|`` stands between genres, and here between tags as well,
of which the best known comes first. Only the title must be there.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NoReturn

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from stages.recommender.errors import UserError
from stages.recommender.movies.keys import title_words
from stages.recommender.movies.titles import FIRST_YEAR, LAST_YEAR, article_first, clean, parse

MOST_MOVIES = 1_000
"""Of one file: each costs some milliseconds of the encoder while a model is loaded."""
MOST_BYTES = 1_000_000
SEPARATOR = "|"

_Listed = list[Annotated[str, StringConstraints(max_length=50)]]


def _title(title: str) -> str:
    if parse(title).year is not None:
        raise ValueError("it holds a year, which belongs in the column year")
    if not title_words(title):
        raise ValueError("it has no letter and no number")
    return article_first(title)


def _items(value: str) -> list[str]:
    return [item for item in dict.fromkeys(map(clean, value.split(SEPARATOR))) if item]


def _tags(value: str) -> list[str]:
    return _items(value.lower())  # as they are counted in training


class NewMovie(BaseModel):
    """A line of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: Annotated[
        str,
        StringConstraints(min_length=1, max_length=200),
        BeforeValidator(clean),
        AfterValidator(_title),
    ]
    year: Annotated[
        Annotated[int, Field(ge=FIRST_YEAR, le=LAST_YEAR)] | None,
        BeforeValidator(lambda value: value.strip() or None),
    ] = None
    genres: Annotated[_Listed, Field(max_length=20), BeforeValidator(_items)] = []
    tags: Annotated[_Listed, Field(max_length=100), BeforeValidator(_tags)] = []

    @property
    def key(self) -> tuple[str, int | None]:
        """Equal for two lines of the same movie."""
        return title_words(self.title), self.year


def read_new_movies(path: Path) -> dict[int, NewMovie]:
    """Read the file.

    Returns:
        The movies in their order, by the number of the line that each ends in.

    Raises:
        UserError: The file is missing, too large, no CSV, or something in it is not as it should
            be; the message names the line and the column.
    """
    movies: dict[int, NewMovie] = {}
    lines: dict[tuple[str, int | None], int] = {}
    for line, row in _rows(path, _text(path)):
        movie = _checked(path, line, row)
        if movie.key in lines:
            refuse(path, line, f"the movie of line {lines[movie.key]} again; remove one of them")
        if len(movies) == MOST_MOVIES:
            refuse(path, line, f"more than {MOST_MOVIES:,} movies; make the file shorter")
        movies[line], lines[movie.key] = movie, line
    return movies


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({error.strerror}); name a file of new movies"
        ) from None
    if len(content) > MOST_BYTES:
        raise UserError(f"{path} has more than {MOST_BYTES:,} bytes; make it shorter")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no UTF-8 text ({error.reason}); save it as UTF-8") from None


def _rows(path: Path, text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """The lines below the header with their numbers, empty ones left out."""
    columns = list(NewMovie.model_fields)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        if "title" not in header or len(set(header)) < len(header) or set(header) - set(columns):
            found = clean(",".join(header))[:80] or "nothing"
            refuse(path, 1, f"{found} is no header; write {','.join(columns)} there")
        for row in reader:
            if len(row) > len(header):
                refuse(
                    path,
                    reader.line_num,
                    f"{len(row)} values for {len(header)} columns; put a value that holds a comma "
                    'in "quotes"',
                )
            if any(value.strip() for value in row):
                yield reader.line_num, dict(zip(header, row, strict=False))
    except csv.Error as error:
        refuse(path, reader.line_num, f"no CSV ({error}); mend it there")


def _checked(path: Path, line: int, row: dict[str, str]) -> NewMovie:
    try:
        return NewMovie.model_validate(row)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        what = problem["msg"].removeprefix("Value error, ")
        refuse(path, line, f"{problem['loc'][0]}: {what[0].lower()}{what[1:]}; mend it there")


def refuse(path: Path, line: int, what: str) -> NoReturn:
    """Tell what is wrong with a line.

    Raises:
        UserError: Always.
    """
    raise UserError(f"{path}, line {line}: {what}")
