"""The tags that a movie is known for."""

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from stages.recommender.artifacts import KNOWN_FOR_SCHEMA, ROWS

MOST = 10
"""Tags of a movie that are kept where nothing else is asked for."""

_WORDS = pa.schema([("movielens_id", pa.int64()), ("tag", pa.string())])


def known_for(tags: Iterable[pa.Table], movies: pa.Table, most: int = MOST) -> pa.Table:
    """The tags that most users gave a movie, for each movie that has any.

    Tags that differ in case alone are one. Of tags that as many users gave, the first in the order
    of the alphabet come first.

    Args:
        tags: Of ``artifacts.MOVIELENS_TAG_SCHEMA``, part by part.
        movies: The catalogue, of ``artifacts.MOVIE_SCHEMA``.
        most: Tags of a movie that are kept.

    Returns:
        Of ``artifacts.KNOWN_FOR_SCHEMA``, in the order of the catalogue.
    """
    joined = movies.filter(pc.is_valid(movies["movielens_id"])).select(["index", "movielens_id"])
    wanted = pc.unique(joined["movielens_id"])
    given = [_WORDS.empty_table(), *(_words(part, wanted) for part in tags)]
    counted = pa.concat_tables(given).group_by(["movielens_id", "tag"], use_threads=False)
    counts = counted.aggregate([([], "count_all")])
    order = [("movielens_id", "ascending"), ("count_all", "descending"), ("tag", "ascending")]
    by_movie: dict[int, list[str]] = {}
    for part in counts.sort_by(order).to_batches(ROWS):
        for row in part.to_pylist():
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


def _words(tags: pa.Table, wanted: pa.Array) -> pa.Table:
    """The tags of wanted movies, such that those that are one are the same text."""
    known = tags.filter(pc.is_in(tags["movie_id"], value_set=wanted))
    words = pc.utf8_lower(pc.utf8_trim_whitespace(known["tag"]))
    given = pa.table({"movielens_id": known["movie_id"], "tag": words})
    return given.filter(pc.not_equal(words, ""))
