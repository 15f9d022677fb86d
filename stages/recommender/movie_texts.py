"""What a movie is, in words that a sentence encoder reads."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa

from stages.recommender.artifacts import MOVIE_TEXT_SCHEMA
from stages.recommender.known_for import known_for
from stages.recommender.params import Titles
from stages.recommender.tokens import input_ids, load_tokenizer

_NO_TITLE = "unknown movie"


def movie_text(title: str, year: int | None, genres: Sequence[str], tags: Sequence[str]) -> str:
    """Title (year). Genres. Tags.

    Args:
        title: Without year; may be empty.
        year: ``None`` where not known.
        genres: Any number.
        tags: Any number, those that most users gave first.
    """
    name = title or _NO_TITLE
    if year:
        name += f" ({year})"
    return ". ".join([name, *filter(None, [", ".join(genres), ", ".join(tags)])])


def movie_texts(
    tags: Iterable[pa.Table], movies: pa.Table, encoder: Path, params: Titles
) -> pa.Table:
    """The text of each movie of a catalogue, with the tags that most users gave.

    Args:
        tags: Of ``artifacts.MOVIELENS_TAG_SCHEMA``, part by part.
        movies: The catalogue, of ``artifacts.MOVIE_SCHEMA``.
        encoder: Folder with the encoder's tokenizer.
        params: How many tags and tokens.

    Returns:
        Of ``artifacts.MOVIE_TEXT_SCHEMA``, a row for each movie in the order of the catalogue.
    """
    known = known_for(tags, movies, params.tags_per_movie)
    tags_of = dict(zip(known["movie"].to_pylist(), known["tags"].to_pylist(), strict=True))
    texts = [
        movie_text(movie["title"], movie["year"], movie["genres"], tags_of.get(movie["index"], []))
        for movie in movies.select(["index", "title", "year", "genres"]).to_pylist()
    ]
    tokenizer = load_tokenizer(encoder, params.max_movie_tokens, keeps="start")
    return pa.table(
        {"movie": movies["index"], "text": texts, "input_ids": input_ids(tokenizer, texts)},
        schema=MOVIE_TEXT_SCHEMA,
    )
