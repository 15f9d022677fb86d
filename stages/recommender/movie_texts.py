"""What a movie is, in words that a sentence encoder reads."""

from pathlib import Path

import pyarrow as pa

from stages.recommender.artifacts import MOVIE_TEXT_SCHEMA
from stages.recommender.known_for import known_for
from stages.recommender.params import Titles
from stages.recommender.tokens import input_ids, load_tokenizer

_NO_TITLE = "unknown movie"


def movie_texts(tags: pa.Table, movies: pa.Table, encoder: Path, params: Titles) -> pa.Table:
    """Title (year). Genres. The tags that most users gave.

    Args:
        tags: Of ``artifacts.MOVIELENS_TAG_SCHEMA``.
        movies: The catalogue, of ``artifacts.MOVIE_SCHEMA``.
        encoder: Folder with the encoder's tokenizer.
        params: How many tags and tokens.

    Returns:
        Of ``artifacts.MOVIE_TEXT_SCHEMA``, a row for each movie in the order of the catalogue.
    """
    known = known_for(tags, movies, params.tags_per_movie)
    tags_of = dict(zip(known["movie"].to_pylist(), known["tags"].to_pylist(), strict=True))
    texts = []
    for movie in movies.select(["index", "title", "year", "genres"]).to_pylist():
        name = movie["title"] or _NO_TITLE
        if movie["year"]:
            name += f" ({movie['year']})"
        described = [", ".join(movie["genres"]), ", ".join(tags_of.get(movie["index"], []))]
        texts.append(". ".join([name, *filter(None, described)]))
    tokenizer = load_tokenizer(encoder, params.max_movie_tokens, keeps="start")
    return pa.table(
        {"movie": movies["index"], "text": texts, "input_ids": input_ids(tokenizer, texts)},
        schema=MOVIE_TEXT_SCHEMA,
    )
