"""The tags that a movie is known for."""

import pyarrow as pa
import pyarrow.compute as pc

from stages.recommender.artifacts import KNOWN_FOR_SCHEMA

MOST = 10
"""Tags of a movie that are kept where nothing else is asked for."""


def known_for(tags: pa.Table, movies: pa.Table, most: int = MOST) -> pa.Table:
    """The tags that most users gave a movie, for each movie that has any.

    Tags that differ in case alone are one. Of tags that as many users gave, the first in the order
    of the alphabet come first.

    Args:
        tags: Of ``artifacts.MOVIELENS_TAG_SCHEMA``.
        movies: The catalogue, of ``artifacts.MOVIE_SCHEMA``.
        most: Tags of a movie that are kept.

    Returns:
        Of ``artifacts.KNOWN_FOR_SCHEMA``, in the order of the catalogue.
    """
    joined = movies.filter(pc.is_valid(movies["movielens_id"])).select(["index", "movielens_id"])
    known = tags.filter(pc.is_in(tags["movie_id"], value_set=pc.unique(joined["movielens_id"])))
    words = pc.utf8_lower(pc.utf8_trim_whitespace(known["tag"]))
    given = pa.table({"movielens_id": known["movie_id"], "tag": words})
    given = given.filter(pc.not_equal(words, ""))
    counted = given.group_by(["movielens_id", "tag"], use_threads=False)
    counts = counted.aggregate([([], "count_all")])
    order = [("movielens_id", "ascending"), ("count_all", "descending"), ("tag", "ascending")]
    by_movie: dict[int, list[str]] = {}
    for row in counts.sort_by(order).to_pylist():
        own = by_movie.setdefault(row["movielens_id"], [])
        if len(own) < most:
            own.append(row["tag"])
    rows = [row for row in joined.to_pylist() if row["movielens_id"] in by_movie]
    return pa.table(
        {
            "movie": [row["index"] for row in rows],
            "tags": [by_movie[row["movielens_id"]] for row in rows],
        },
        schema=KNOWN_FOR_SCHEMA,
    )
