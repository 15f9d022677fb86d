import pyarrow as pa
import pytest

from stages.recommender.artifacts import (
    MOVIE_SCHEMA,
    MOVIELENS_MOVIE_SCHEMA,
    MOVIELENS_TAG_SCHEMA,
)
from stages.recommender.movies.catalogue import Catalogue
from stages.recommender.movies.movie_map import build_movie_map, coverage
from stages.recommender.params import MovieMap

BY_TITLE = MovieMap(join="title", fuzzy_threshold=90.0)
BY_ID = MovieMap(join="id", fuzzy_threshold=90.0)

CATALOGUE = Catalogue(
    redial_ids=[3, 10, 11, 12, 13],
    names=["Why Him%3F (2016)", "Heat  (1995)", "Matrix (1999)", None, "Frozen "],
    mentions=[4, 2, 3, 1, 0],
)
MOVIES = pa.table(
    {
        "movie_id": [10, 6, 2571, 1, 2],
        "title": ["Frozen (2010)", "Heat (1995)", "Matrix, The (1999)", "Frozen (2013)", "Up"],
        "genres": [[], ["Action", "Crime"], ["Sci-Fi"], ["Children"], []],
    },
    schema=MOVIELENS_MOVIE_SCHEMA,
)
TAGS = pa.table({"movie_id": [6, 2571, 2571], "tag": ["bank", "red", "blue"]}, MOVIELENS_TAG_SCHEMA)


def test_rows_of_the_map() -> None:
    movie_map = build_movie_map(CATALOGUE, MOVIES, TAGS, BY_TITLE)
    assert movie_map.schema == MOVIE_SCHEMA
    columns = movie_map.to_pydict()
    assert columns["index"] == [0, 1, 2, 3, 4]
    assert columns["redial_id"] == [3, 10, 11, 12, 13]
    assert columns["title"] == ["Why Him?", "Heat", "Matrix", None, "Frozen"]
    assert columns["year"] == [2016, 1995, 1999, None, None]
    assert columns["movielens_id"] == [None, 6, 2571, None, None]
    assert columns["match"] == ["none", "exact", "title", "none", "none"]
    assert columns["movielens_title"] == [None, "Heat (1995)", "Matrix, The (1999)", None, None]
    assert columns["genres"] == [[], ["Action", "Crime"], ["Sci-Fi"], [], []]


def test_join_by_id_takes_equal_numbers() -> None:
    columns = build_movie_map(CATALOGUE, MOVIES, TAGS, BY_ID).to_pydict()
    assert columns["movielens_id"] == [None, 10, None, None, None]
    assert columns["match"] == ["none", "id", "none", "none", "none"]
    assert columns["movielens_title"] == [None, "Frozen (2010)", None, None, None]


def test_tags_tell_which_movie_is_well_known() -> None:
    tags = pa.table({"movie_id": [1], "tag": ["snow"]}, MOVIELENS_TAG_SCHEMA)
    columns = build_movie_map(CATALOGUE, MOVIES, tags, BY_TITLE).to_pydict()
    assert (columns["movielens_id"][4], columns["match"][4]) == (1, "name_without_year")


def test_an_empty_catalogue_makes_an_empty_map() -> None:
    empty = Catalogue([], [], [])
    for params in (BY_TITLE, BY_ID):
        movie_map = build_movie_map(empty, MOVIES, TAGS, params)
        assert movie_map.num_rows == 0
        assert coverage(movie_map, [], params)["share_of_mentions_matched"] == 0.0


def test_coverage_counts_movies_and_mentions_by_rule() -> None:
    movie_map = build_movie_map(CATALOGUE, MOVIES, TAGS, BY_TITLE)
    figures = coverage(movie_map, CATALOGUE.mentions, BY_TITLE)
    by_rule = figures.pop("by_rule")
    assert figures == {
        "movies": 5,
        "movies_matched": 2,
        "share_of_movies_matched": 0.4,
        "mentions": 10,
        "mentions_matched": 5,
        "share_of_mentions_matched": 0.5,
    }
    assert list(by_rule)[:2] == ["exact", "title"]
    assert list(by_rule)[-1] == "none"
    assert {rule: counts for rule, counts in by_rule.items() if counts["movies"]} == {
        "exact": {"movies": 1, "mentions": 2},
        "title": {"movies": 1, "mentions": 3},
        "none": {"movies": 3, "mentions": 5},
    }


@pytest.mark.parametrize("params", [BY_TITLE, BY_ID])
def test_coverage_adds_up(params: MovieMap) -> None:
    movie_map = build_movie_map(CATALOGUE, MOVIES, TAGS, params)
    figures = coverage(movie_map, CATALOGUE.mentions, params)
    for what in ("movies", "mentions"):
        assert sum(counts[what] for counts in figures["by_rule"].values()) == figures[what]
