"""Draws the matches to check by hand, as a CSV sheet with empty columns for verdict and note.

    PYTHONPATH=. python tests/recommender/movies/draw_matches.py > checked_matches.csv

run from the root, reads the real corpora (their folder in REDIAL_CORPORA), joins them with the
parameters as committed, and draws 200 of the joined movies by seed: 100 evenly from all, then 100
from the rules other than `exact`, one from each in turn while it has any left, so that the
riskiest rules are looked at most.

What counts as right: the MovieLens movie is the one that ReDial's name denotes; where the name
leaves that open, by its year or for want of one, the one that the dialogues speak of.
"""

import csv
import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from stages.recommender.corpora import movielens, redial
from stages.recommender.movies.catalogue import build_catalogue
from stages.recommender.movies.movie_map import build_movie_map
from stages.recommender.params import MovieMap

ROOT = Path(__file__).parents[3]
PARAMS = MovieMap(join="title", fuzzy_threshold=90.0)
SEED = 42
EVENLY, BY_RULE = 100, 100
COLUMNS = (
    "redial_id",
    "redial_name",
    "movielens_id",
    "movielens_title",
    "match",
    "verdict",
    "note",
)


def join_corpora(folder: Path) -> list[dict[str, Any]]:
    """The rows of the movie map of the corpora in a folder, with ReDial's name as given."""
    catalogue = build_catalogue(
        part for _, part in redial.read_archive(folder / "redial_dataset.zip")
    )
    tables = movielens.read_archive(folder / "ml-latest.zip")
    movie_map = build_movie_map(catalogue, tables["movies"], tables["tags"], PARAMS)
    named = movie_map.append_column("redial_name", pa.array(catalogue.names, pa.string()))
    counted = named.append_column("mentions", pa.array(catalogue.mentions, pa.int64()))
    rows: list[dict[str, Any]] = counted.to_pylist()
    return rows


def draw(rows: list[dict[str, Any]], seed: int = SEED) -> list[dict[str, Any]]:
    """200 different rows of the joined ones, in the order of the ReDial ids."""
    chance = random.Random(seed)
    joined = [row for row in rows if row["movielens_id"] is not None]
    chance.shuffle(joined)
    drawn = joined[:EVENLY]
    pools: dict[str, list[dict[str, Any]]] = {}
    for row in joined[EVENLY:]:
        if row["match"] != "exact":
            pools.setdefault(row["match"], []).append(row)
    drawn += [row for row, _ in zip(_in_turn(pools), range(BY_RULE), strict=False)]
    return sorted(drawn, key=lambda row: row["redial_id"])


def _in_turn(pools: dict[str, list[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    while pools:
        for rule in sorted(pools):
            yield pools[rule].pop()
        pools = {rule: pool for rule, pool in pools.items() if pool}


def main() -> None:
    """Write the sheet to standard output."""
    folder = Path(os.environ.get("REDIAL_CORPORA", ROOT.parent / "shared" / "corpora"))
    sheet = csv.DictWriter(
        sys.stdout, COLUMNS, restval="", extrasaction="ignore", lineterminator="\n"
    )
    sheet.writeheader()
    sheet.writerows(draw(join_corpora(folder)))


if __name__ == "__main__":
    main()
