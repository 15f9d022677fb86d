"""The movies that a model can recommend: looked up by id, searched by title."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow as pa
from rapidfuzz import process
from rapidfuzz.fuzz import WRatio

from stages.recommender import artifacts
from stages.recommender.errors import UserError
from stages.recommender.movies import titles
from stages.recommender.movies.keys import title_words
from stages.recommender.serving.new_movies import NewMovie, read_new_movies, refuse

CONFIG, MOVIES, TAGS = "config.json", "movies.parquet", "tags.parquet"
"""Their names in a model's folder."""
READS_MOVIE_TEXTS = "softmax-gate"
"""The model that scores a movie by its text as well."""
_LEAST_SIMILARITY = 70.0


@dataclass(frozen=True, slots=True)
class Movie:
    """A movie of the catalogue.

    Attributes:
        index: Its place in every score vector.
        redial_id: ReDial's id; of a new movie, which has none, its place in the file of new
            movies, less than 0: -1, -2, ...
        title: Without year, article first; empty where no dialogue names it.
        year: ``None`` where not known.
        movielens_id: MovieLens' id; ``None`` where not joined.
        genres: MovieLens' genres.
        tags: What MovieLens' users know it for, the best known first.
    """

    index: int
    redial_id: int
    title: str
    year: int | None
    movielens_id: int | None
    genres: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Title and year, as a reader knows it."""
        title = self.title or f"movie {self.redial_id}"
        return title if self.year is None else f"{title} ({self.year})"

    @property
    def is_new(self) -> bool:
        """Whether it was added after training."""
        return self.redial_id < 0


class Catalogue:
    """The movies of a model, in the order of their indices.

    Args:
        table: Of ``artifacts.MOVIE_SCHEMA``.
        tags: Of ``artifacts.KNOWN_FOR_SCHEMA``; ``None``: no tags.
        new: Movies that come after those of the table.
    """

    def __init__(
        self, table: pa.Table, tags: pa.Table | None = None, new: Iterable[NewMovie] = ()
    ) -> None:
        known_for: dict[int, list[str]] = {}
        if tags is not None:
            known_for = dict(zip(tags["movie"].to_pylist(), tags["tags"].to_pylist(), strict=True))
        columns = ("redial_id", "title", "year", "movielens_id", "genres")
        rows = zip(*(table[name].to_pylist() for name in columns), strict=True)
        self.movies = [
            Movie(
                index,
                redial_id,
                title or "",
                year,
                movielens_id,
                tuple(genres),
                tuple(known_for.get(index, ())),
            )
            for index, (redial_id, title, year, movielens_id, genres) in enumerate(rows)
        ]
        self.movies += [
            Movie(index, -place, m.title, m.year, None, tuple(m.genres), tuple(m.tags))
            for place, (index, m) in enumerate(enumerate(new, start=len(self.movies)), start=1)
        ]
        self._by_redial_id = {movie.redial_id: movie for movie in self.movies}

    def __len__(self) -> int:
        return len(self.movies)

    def __iter__(self) -> Iterator[Movie]:
        return iter(self.movies)

    def __getitem__(self, index: int) -> Movie:
        return self.movies[index]

    def find(self, redial_id: int) -> Movie | None:
        """The movie with an id."""
        return self._by_redial_id.get(redial_id)

    def called(self, name: str) -> list[Movie]:
        """The movies of a title.

        Args:
            name: The title whole; a year in parentheses at its end says which.
        """
        parsed = titles.parse(name)
        wanted = title_words(parsed.title)
        return [
            movie
            for movie, words in zip(self.movies, self._words, strict=True)
            if words == wanted != "" and parsed.year in (None, movie.year)
        ]

    def search(self, query: str, k: int = 10) -> list[Movie]:
        """The movies whose title is like a query, the likest first.

        Titles that begin with the query come first, shorter ones before longer ones, so that it
        serves to complete what is being typed; then those in which it stands at the start of a
        word; then those that are spelled like it.

        Args:
            query: Any text; a year in parentheses at its end narrows the search to that year.
            k: Most movies.
        """
        parsed = titles.parse(query)
        wanted = title_words(parsed.title)
        if not wanted:
            return []
        among = {
            index: words
            for index, words in enumerate(self._words)
            if parsed.year in (None, self.movies[index].year)
        }
        found: dict[int, tuple[int, float, int]] = {}
        for index, words in among.items():
            if words.startswith(wanted):
                found[index] = (0, len(words), index)
            elif f" {wanted}" in words:
                found[index] = (1, len(words), index)
        if len(found) < k:
            # as many more as may be found already
            close = process.extract(
                wanted, among, scorer=WRatio, score_cutoff=_LEAST_SIMILARITY, limit=k + len(found)
            )
            for _, similarity, index in close:
                found.setdefault(index, (2, -similarity, index))
        return [self.movies[index] for index in sorted(found, key=found.__getitem__)[:k]]

    @cached_property
    def _words(self) -> list[str]:
        return [title_words(movie.title) for movie in self.movies]


def read_catalogue(folder: Path, new_movies: Path | None = None) -> Catalogue:
    """The catalogue in a model's folder.

    Args:
        folder: Of the model.
        new_movies: A file of movies to add, as :mod:`new_movies` describes it.

    Raises:
        UserError: It is missing or damaged, the new movies are not as they should be or are in it
            already, or the model cannot score any.
    """
    made_by = f"train@{folder.name}"
    table = artifacts.read_table(folder / MOVIES, artifacts.MOVIE_SCHEMA, made_by)
    tags = None
    if (folder / TAGS).is_file():
        tags = artifacts.read_table(folder / TAGS, artifacts.KNOWN_FOR_SCHEMA, made_by)
    catalogue = Catalogue(table, tags)
    if new_movies is None:
        return catalogue
    check_reads_movie_texts(folder)
    added = read_new_movies(new_movies)
    known = {(title_words(movie.title), movie.year) for movie in catalogue}
    for line, movie in added.items():
        if movie.key in known:
            refuse(new_movies, line, "the model knows this movie already; remove it there")
    return Catalogue(table, tags, added.values())


def reads_movie_texts(folder: Path) -> bool:
    """Whether a model scores a movie by its text as well, so that movies can be added to it.

    Not one whose encoder learned: the texts of its movies were read before.

    Args:
        folder: Of the model.

    Raises:
        UserError: It is missing or damaged.
    """
    config = artifacts.read_json(folder / CONFIG, f"train@{folder.name}")
    gate = (config.get("gate") or {}) if isinstance(config, dict) else None
    if not isinstance(gate, dict):
        raise UserError(
            f"{folder / CONFIG} is no model's configuration; train the model again with: "
            f"dvc repro -f -s train@{folder.name}"
        )
    return bool(config.get("titles")) and gate.get("trainable_layers", "none") == "none"


def check_reads_movie_texts(folder: Path) -> None:
    """Check that movies can be added to a model; see :func:`reads_movie_texts`.

    Raises:
        UserError: They cannot, or the model is missing or damaged.
    """
    if not reads_movie_texts(folder):
        raise UserError(
            f"{folder.name} does not read what a movie is, or has learned to read otherwise since "
            f"it read the movies, so that it can recommend no new ones; ask {READS_MOVIE_TEXTS}, "
            "trained with gate.trainable_layers: none"
        )
