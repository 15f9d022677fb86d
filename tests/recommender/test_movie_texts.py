from pathlib import Path

import pyarrow as pa
import pytest
import small_project

from stages.recommender import artifacts
from stages.recommender.movie_texts import movie_text, movie_texts
from stages.recommender.params import Titles


@pytest.mark.parametrize(
    ("movie", "text"),
    [
        (
            ("Up", 2009, ["Animation", "Drama"], ["pixar", "dog"]),
            "Up (2009). Animation, Drama. pixar, dog",
        ),
        (("Up", None, [], ["dog"]), "Up. dog"),
        (("Up", 2009, ["Drama"], []), "Up (2009). Drama"),
        (("", None, [], []), "unknown movie"),
    ],
)
def test_a_text_names_what_is_known(
    movie: tuple[str, int | None, list[str], list[str]], text: str
) -> None:
    assert movie_text(*movie) == text


def test_texts_have_the_tags_that_most_users_gave(tiny_encoder: Path) -> None:
    movies = small_project.movies(2)
    ids = pa.array([None, 7], artifacts.MOVIE_SCHEMA.field("movielens_id").type)
    place = movies.column_names.index("movielens_id")
    movies = movies.set_column(place, "movielens_id", ids)
    tags = pa.table(
        {"movie_id": [7, 7, 7, 7, 8], "tag": ["funny", "scary", "Scary", "great", "hi"]},
        schema=artifacts.MOVIELENS_TAG_SCHEMA,
    )
    params = Titles(
        max_tokens=8, max_turn_tokens=8, context_tokens=1, max_movie_tokens=8, tags_per_movie=2
    )
    table = movie_texts([tags.slice(0, 2), tags.slice(2)], movies, tiny_encoder, params)
    assert table["text"].to_pylist() == ["Movie 0", "Movie 1. scary, funny"]
    assert table["movie"].to_pylist() == [0, 1]
    assert max(map(len, table["input_ids"].to_pylist())) == 8
