"""The sample corpus: archives in the formats of ReDial and MovieLens, made from nothing.

Small, invented and learnable, with the real corpora's traps in it; it takes the same path through
the pipeline as they do. Both archives speak of the same movies, those of
:func:`stages.recommender.corpora.sample_world.build_world`.
"""

import csv
import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from stages.recommender import artifacts
from stages.recommender.corpora.sample_chance import Chance
from stages.recommender.corpora.sample_dialogues import dialogues
from stages.recommender.corpora.sample_world import Movie, build_world
from stages.recommender.params import Sample

# the streams of draws that follow the world's own
_TRAIN, _TEST, _TAGGING = 1, 2, 3
_USER_COUNT = 120
# the earliest moment that a zip can tell
_MOMENT = (1980, 1, 1, 0, 0, 0)

_README = """Sample corpus
=============

Invented movies and tags in the layout of MovieLens' ml-latest: movies.csv, tags.csv and
links.csv, UTF-8, comma-separated, one header row. Nothing here was written or rated by
users, and no movie exists; the ids in links.csv lead nowhere.
"""


def write_redial_zip(sample: Sample, path: Path) -> None:
    """Write dialogues as ReDial's official archive has them.

    The members are ``train_data.jsonl`` and ``test_data.jsonl``, one dialogue a line.

    Args:
        sample: Size and seed; the same give the same bytes.
        path: The archive.
    """
    world = build_world(sample.seed, sample.movies)
    # ReDial's own test file starts at these numbers too
    train = dialogues(Chance(sample.seed, _TRAIN), world, sample.train_dialogues, 1, 1000)
    test = dialogues(
        Chance(sample.seed, _TEST),
        world,
        sample.test_dialogues,
        max(20_001, 5 * sample.train_dialogues),
        max(204_171, 100 * sample.train_dialogues),
    )
    _write_zip(
        path,
        {"train_data.jsonl": _json_lines(train), "test_data.jsonl": _json_lines(test)},
    )


def write_movielens_zip(sample: Sample, path: Path) -> None:
    """Write movies, tags and links as MovieLens' ``ml-latest.zip`` has them.

    Args:
        sample: Size and seed; the same give the same bytes.
        path: The archive.
    """
    world = build_world(sample.seed, sample.movies)
    movies = sorted(
        ((movie.movielens_id, movie) for movie in world if movie.movielens_id is not None),
        key=lambda pair: pair[0],
    )
    chance = Chance(sample.seed, _TAGGING)
    _write_zip(
        path,
        {
            "ml-latest/README.txt": _README,
            "ml-latest/links.csv": _csv(
                ("movieId", "imdbId", "tmdbId"),
                # a number of IMDb's form, with its leading zero, and one of TMDB's, but unused
                (
                    (movie_id, f"{9_000_000 + movie_id:08}", _tmdb_id(chance, movie_id))
                    for movie_id, _ in movies
                ),
            ),
            "ml-latest/movies.csv": _csv(
                ("movieId", "title", "genres"),
                ((movie_id, movie.movielens_title, _genres(movie)) for movie_id, movie in movies),
            ),
            "ml-latest/tags.csv": _csv(
                ("userId", "movieId", "tag", "timestamp"), _tag_rows(chance, movies)
            ),
        },
    )


def _tmdb_id(chance: Chance, movie_id: int) -> int | str:
    return "" if chance.happens(0.05) else 90_000_000 + movie_id


def _genres(movie: Movie) -> str:
    return "|".join(movie.genres) or "(no genres listed)"


def _tag_rows(
    chance: Chance, movies: Iterable[tuple[int, Movie]]
) -> list[tuple[int, int, str, int]]:
    """In MovieLens' order: by user, then by movie."""
    rows = [
        (
            chance.between(1, _USER_COUNT),
            movie_id,
            tag,
            chance.between(1_140_000_000, 1_530_000_000),
        )
        for movie_id, movie in movies
        for tag in movie.tags
    ]
    return sorted(rows)


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def _json_lines(records: Iterable[Mapping[str, object]]) -> str:
    return "".join(f"{json.dumps(record)}\n" for record in records)


def _write_zip(path: Path, members: Mapping[str, str]) -> None:
    with artifacts.atomic_file(path) as partial, zipfile.ZipFile(partial, "w") as archive:
        for name, text in members.items():
            member = zipfile.ZipInfo(name, date_time=_MOMENT)
            member.compress_type = zipfile.ZIP_DEFLATED
            # the same on every system
            member.create_system = 3
            member.external_attr = 0o644 << 16
            archive.writestr(member, text.encode("utf-8"))
