"""The movie-id map: a row for each movie of the catalogue, with the MovieLens movie it is."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from stages.recommender.artifacts import MOVIE_SCHEMA
from stages.recommender.movies import titles
from stages.recommender.movies.catalogue import Catalogue
from stages.recommender.movies.matching import (
    NO_MATCH,
    SAME_ID,
    match_by_id,
    match_by_title,
    title_rules,
)
from stages.recommender.movies.movielens import MovieLensIndex
from stages.recommender.params import MovieMap


def build_movie_map(
    catalogue: Catalogue, movies: pa.Table, tags: pa.Table, params: MovieMap
) -> pa.Table:
    """Join the catalogue to MovieLens.

    Args:
        catalogue: ReDial's movies.
        movies: MovieLens' movies, of ``artifacts.MOVIELENS_MOVIE_SCHEMA``.
        tags: Their tags, of ``artifacts.MOVIELENS_TAG_SCHEMA``; only their number counts.
        params: How to join.

    Returns:
        A table of ``artifacts.MOVIE_SCHEMA``, in the order of the catalogue.
    """
    names = [titles.parse(name or "") for name in catalogue.names]
    movie_ids: list[int] = movies["movie_id"].to_pylist()
    movie_names: list[str] = movies["title"].to_pylist()
    match params.join:
        case "id":
            matches = match_by_id(catalogue.redial_ids, movie_ids)
        case "title":
            years = [name.year for name in names if name.year is not None]
            newest = max(years, default=titles.LAST_YEAR)
            counts = _count(tags["movie_id"])
            index = MovieLensIndex(movie_ids, movie_names, counts, newest)
            matches = match_by_title(names, index, params.fuzzy_threshold)
    rows = {movie_id: row for row, movie_id in enumerate(movie_ids)}
    joined = [None if match.movie_id is None else rows[match.movie_id] for match in matches]
    genres = movies["genres"].take(pa.array(joined, pa.int64()))
    return pa.table(
        {
            "index": range(len(names)),
            "redial_id": catalogue.redial_ids,
            "title": [name.title or None for name in names],
            "year": [name.year for name in names],
            "movielens_id": [match.movie_id for match in matches],
            "match": [match.rule for match in matches],
            "movielens_title": [None if row is None else movie_names[row] for row in joined],
            "genres": [[] if own is None else own for own in genres.to_pylist()],
        },
        schema=MOVIE_SCHEMA,
    )


def coverage(movie_map: pa.Table, mentions: Sequence[int], params: MovieMap) -> dict[str, Any]:
    """How much of the catalogue, and of what messages mention, is joined to MovieLens.

    Args:
        movie_map: Of ``artifacts.MOVIE_SCHEMA``.
        mentions: How often each of its movies is mentioned, in its order.
        params: How it was joined.

    Returns:
        Totals and shares of movies and of mentions, and both counts for each rule, in the order
        in which the rules are tried; what no rule joined comes last, as ``none``.
    """
    rules = [SAME_ID] if params.join == "id" else list(title_rules(params.fuzzy_threshold))
    by_rule = {rule: {"movies": 0, "mentions": 0} for rule in [*rules, NO_MATCH]}
    for rule, count in zip(movie_map["match"].to_pylist(), mentions, strict=True):
        by_rule[rule]["movies"] += 1
        by_rule[rule]["mentions"] += count
    figures: dict[str, Any] = {}
    for what in ("movies", "mentions"):
        total = sum(counts[what] for counts in by_rule.values())
        matched = total - by_rule[NO_MATCH][what]
        figures[what] = total
        figures[f"{what}_matched"] = matched
        figures[f"share_of_{what}_matched"] = round(matched / total, 4) if total else 0.0
    return figures | {"by_rule": by_rule}


def _count(column: pa.ChunkedArray) -> Mapping[int, int]:
    counted = pc.value_counts(column)
    return dict(
        zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True)
    )
