"""Movies named in plain text, found and linked to the catalogue."""

from __future__ import annotations

import re
from dataclasses import dataclass

from stages.recommender.movies.keys import title_words
from stages.recommender.serving.catalogue import Catalogue, Movie

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")


@dataclass(frozen=True, slots=True)
class LinkedMention:
    """A movie that a text names.

    Attributes:
        movie: Which.
        span: Where in the text it is named, start and end; ``None`` where it was given by its id.
        surface: How the text names it; empty where it was given by its id.
        how: ``exact``, ``fuzzy``, or ``given``.
        confidence: 0 to 1.
    """

    movie: Movie
    span: tuple[int, int] | None
    surface: str
    how: str
    confidence: float


class TitleLinker:
    """Finds the catalogue's titles in text.

    Args:
        catalogue: Whose titles.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._by_words: dict[str, Movie] = {}
        self._longest = 1
        for movie in catalogue:
            words = title_words(movie.title)
            if words:
                self._by_words.setdefault(words, movie)
                self._longest = max(self._longest, len(words.split()))

    def link(self, text: str) -> list[LinkedMention]:
        """The movies that a text names, in the order in which it does.

        Args:
            text: Any.
        """
        found: list[LinkedMention] = []
        words = list(_WORD.finditer(text))
        place = 0
        while place < len(words):
            for count in range(min(self._longest + 1, len(words) - place), 0, -1):
                start, end = words[place].start(), words[place + count - 1].end()
                surface = text[start:end]
                if count == 1 and surface.islower():
                    continue
                movie = self._by_words.get(title_words(surface))
                if movie is not None:
                    found.append(LinkedMention(movie, (start, end), surface, "exact", 1.0))
                    place += count
                    break
            else:
                place += 1
        return found
