"""MovieLens' movies, laid out so that titles find them."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from stages.recommender.movies import titles
from stages.recommender.movies.keys import title_key, title_words, without_numbers

WELL_KNOWN = 14_000
"""How many movies count as well known, those with the most tags: about as many as MovieLens
finds rated and tagged enough for its tag genome (13,816 of the 62,423 in MovieLens 25M)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A MovieLens movie.

    Attributes:
        movie_id: MovieLens' id.
        title: Its title without year and other names, article first.
        year: ``None`` where MovieLens gives none.
        tags: How many tags it has.
        well_known: Whether it is one of the :data:`WELL_KNOWN` movies.
        names: The words of its names, its title's first.
    """

    movie_id: int
    title: str
    year: int | None
    tags: int
    well_known: bool
    names: tuple[str, ...]

    @property
    def key(self) -> str:
        """The key of its title."""
        return title_key(self.names[0])


class MovieLensIndex:
    """Finds MovieLens' movies by title key, year, or words.

    Attributes:
        by_key: The movies one of whose names has the key.
    """

    def __init__(
        self,
        movie_ids: Iterable[int],
        names: Iterable[str],
        tag_counts: Mapping[int, int],
        newest: int = titles.LAST_YEAR,
    ) -> None:
        """Lay out the movies.

        Args:
            movie_ids: MovieLens ids.
            names: Their titles as MovieLens gives them, in the same order.
            tag_counts: The number of tags by MovieLens id; movies without tags may be left out.
            newest: The last year whose movies are laid out: a conversation means none that came
                after it.
        """
        most = sorted(tag_counts.values(), reverse=True)[:WELL_KNOWN]
        enough = max(most[-1], 1) if len(most) == WELL_KNOWN else 1
        self.by_key: dict[str, list[Entry]] = {}
        self._by_year: dict[int | None, tuple[list[str], list[Entry]]] = {}
        self._by_unnumbered: dict[str, list[Entry]] = {}
        well_known: list[tuple[str, int, Entry]] = []
        for movie_id, name in zip(movie_ids, names, strict=True):
            parsed = titles.parse(name)
            if parsed.year is not None and parsed.year > newest:
                continue
            own_names = (*parsed.alternatives, parsed.title)
            words = tuple(dict.fromkeys(title_words(own_name) for own_name in own_names))
            tags = tag_counts.get(movie_id, 0)
            entry = Entry(movie_id, own_names[0], parsed.year, tags, tags >= enough, words)
            for key in dict.fromkeys(title_key(own_words) for own_words in words):
                self.by_key.setdefault(key, []).append(entry)
            of_year = self._by_year.setdefault(entry.year, ([], []))
            of_year[0].extend(words)
            of_year[1].extend([entry] * len(words))
            self._by_unnumbered.setdefault(without_numbers(words[0]), []).append(entry)
            if entry.well_known:
                well_known.append((words[0], movie_id, entry))
        well_known.sort(key=lambda known: known[:2])
        self._well_known = [entry for _, _, entry in well_known]
        self._well_known_words = [words for words, _, _ in well_known]

    def called(self, key: str, year: int | None) -> list[Entry]:
        """The movies of that year, or without one, of which a name has that key."""
        return [entry for entry in self.by_key.get(key, ()) if entry.year == year]

    def of_year(self, year: int) -> tuple[list[str], list[Entry]]:
        """The words of all names of that year's movies, and beside each its movie."""
        return self._by_year.get(year, ([], []))

    def numbered_otherwise(self, words: str, year: int) -> list[Entry]:
        """The movies of that year whose title has these words but for numbers."""
        found = self._by_unnumbered.get(without_numbers(words), ())
        return [entry for entry in found if entry.year == year]

    def well_known_beginning(self, words: str) -> list[Entry]:
        """The well-known movies whose title's words begin with these."""
        place = bisect_left(self._well_known_words, words)
        found = []
        while place < len(self._well_known) and self._well_known_words[place].startswith(words):
            found.append(self._well_known[place])
            place += 1
        return found


def clear_choice(entries: Iterable[Entry]) -> Entry | None:
    """The movie that is meant where several answer to a name, ``None`` where that is unclear.

    The only one there is, or the only one that is well known. MovieLens has some movies twice:
    of well-known ones with the same title and year, the one with the most tags.
    """
    distinct = {entry.movie_id: entry for entry in entries}
    if len(distinct) > 1:
        distinct = {e.movie_id: e for e in distinct.values() if e.well_known}
    if len({(entry.title, entry.year) for entry in distinct.values()}) != 1:
        return None
    return min(distinct.values(), key=lambda entry: (-entry.tags, entry.movie_id))
