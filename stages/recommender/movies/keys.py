"""What makes two titles the same for matching: words, keys and parts of titles."""

import re
from dataclasses import dataclass
from functools import cached_property

from stages.recommender.movies import titles

LONG_TITLE = 3
"""Words from which on two movies hardly have a title in common by chance."""

_DIGITS = {
    "one": "1",
    "two": "2",
    "three": "3",
    "four": "4",
    "five": "5",
    "six": "6",
    "seven": "7",
    "eight": "8",
    "nine": "9",
    "ten": "10",
    "eleven": "11",
    "twelve": "12",
}
_COUNTED = frozenset({"part", "episode", "chapter", "volume", "vol"})
_SPACE_OUTSIDE_NUMBERS = re.compile(r"(?<![0-9]) | (?![0-9])")
_NUMBER = re.compile(r"\b[0-9]+d?\b")
_SUBTITLE = re.compile(r"\s*[:;]\s+(?:or:?\s+)?|\s+or:\s+|\s+[-\u2013\u2014]+\s+", re.IGNORECASE)
# an owner of two to four words, as in Tyler Perry's or Dr. Seuss'; a single word, as in Howl's
# Moving Castle, or one with an article, as in The Hitman's Bodyguard, belongs to the title
_OWNER = re.compile(
    r"(?!(?:the|an?|my|your|his|her|our|their)\s)\S+(?:\s\S+){1,3}?(?<=['\u2019]s|s['\u2019])\s+",
    re.IGNORECASE,
)


def title_words(title: str) -> str:
    """A title as words to compare: normalised, numbers written alike.

    Beyond :func:`titles.normalise`, a leading English article goes, ``two`` becomes ``2``, and
    ``part``, ``episode``, ``chapter`` and ``volume`` go between a word and a number.
    """
    words = titles.without_article(titles.normalise(title)).split()
    words = [_DIGITS.get(word, word) for word in words]
    kept = [
        word
        for place, word in enumerate(words)
        if word not in _COUNTED
        or not 0 < place < len(words) - 1
        or not words[place + 1].isdecimal()
    ]
    return " ".join(kept)


def title_key(words: str) -> str:
    """Title words run together, numbers kept apart.

    Titles with the same key differ in spaces at most: Spider-Man and Spiderman, but not Naked
    Gun 2 1/2 and Naked Gun 21/2.
    """
    return _SPACE_OUTSIDE_NUMBERS.sub("", words)


def without_numbers(words: str) -> str:
    """Title words without numbers and without the ``3d`` of a title."""
    return " ".join(_NUMBER.sub(" ", words).split())


def title_parts(title: str) -> list[str]:
    """The words of what a title could be called for short, without subtitle, series or owner.

    ``Star Wars: Episode V - The Empire Strikes Back`` gives the words of ``Star Wars``, ``Star
    Wars Episode V``, ``Episode V The Empire Strikes Back`` and ``The Empire Strikes Back``;
    ``Tyler Perry's The Family That Preys`` those of ``The Family That Preys``.
    """
    segments = [segment for segment in _SUBTITLE.split(title) if segment]
    parts = [" ".join(segments[:end]) for end in range(1, len(segments))]
    parts += [" ".join(segments[start:]) for start in range(1, len(segments))]
    owner = _OWNER.match(title)
    if owner:
        parts.append(title[owner.end() :])
    return [words for words in dict.fromkeys(title_words(part) for part in parts) if words]


@dataclass(frozen=True)
class Name:
    """A parsed name with its words and key, worked out once."""

    parsed: titles.ParsedTitle

    @property
    def title(self) -> str:
        """The title without year."""
        return self.parsed.title

    @property
    def year(self) -> int | None:
        """The year; ``None`` where the name has none."""
        return self.parsed.year

    @cached_property
    def normalised(self) -> str:
        """The normalised title, with its article."""
        return titles.normalise(self.title)

    @cached_property
    def words(self) -> str:
        """The title's words."""
        return title_words(self.title)

    @cached_property
    def key(self) -> str:
        """The title's key; empty where the title has no words."""
        return title_key(self.words)
