"""The sample corpus's world: invented movies, who likes them, and how each corpus names them.

A movie belongs to a *taste*, which a seeker tells in words, and within it to a *circle*, which
only shows in what is mentioned together. ReDial and MovieLens know most movies both, by unrelated
numbers and under names that differ in the ways in which the real ones do.
"""

import unicodedata
from dataclasses import dataclass

from stages.recommender.corpora import sample_words as words
from stages.recommender.corpora.sample_chance import Chance
from stages.recommender.corpora.sample_tastes import TASTES, Taste

CIRCLES = 2
"""Circles in each taste."""

_FIRST_YEAR, _LAST_YEAR = 1931, 2018
_STREAM = 0


@dataclass(frozen=True)
class Movie:
    """An invented movie. What is true of it, and how the two corpora have it."""

    title: str
    """Article first, accents kept."""
    year: int
    genres: tuple[str, ...]
    taste: int
    """Index in ``TASTES``."""
    circle: int
    """Less than ``CIRCLES``."""
    popularity: float
    """Its weight among the movies of its taste."""
    tags: tuple[str, ...]
    """As users wrote them, one an application, repeats kept."""
    redial_names: tuple[tuple[int, str | None], ...]
    """ReDial id and name; two for some movies, none for a movie that only MovieLens has."""
    movielens_id: int | None
    """``None`` for a movie that only ReDial has."""
    movielens_title: str


def build_world(seed: int, movies: int) -> tuple[Movie, ...]:
    """The movies of both corpora; the same arguments give the same world.

    Args:
        seed: Seed.
        movies: How many movies ReDial's dialogues can name. MovieLens has a third more that
            ReDial does not know, remakes among them.
    """
    chance = Chance(seed, _STREAM)
    everyone = movies + movies // 3
    redial_ids = chance.some(range(75_000, 75_000 + 10 * everyone), 2 * movies)
    movielens_ids = _movielens_ids(chance, redial_ids, everyone)
    titles = _Titles(chance)
    world: list[Movie] = []
    for number in range(everyone):
        taste = number % len(TASTES)
        rank = number // len(TASTES)
        in_redial = number < movies
        remade = world[number - movies] if not in_redial and chance.happens(0.15) else None
        title, translation = (remade.title, None) if remade else titles.new(TASTES[taste])
        year = _year(chance, remade.year if remade else None)
        world.append(
            Movie(
                title=title,
                year=year,
                genres=_genres(chance, TASTES[taste]),
                taste=taste,
                circle=rank % CIRCLES,
                popularity=1.0 / (rank // CIRCLES + 2.0),
                tags=_tags(chance, TASTES[taste], rank),
                redial_names=(
                    _redial_names(chance, redial_ids[2 * number : 2 * number + 2], title, year)
                    if in_redial
                    else ()
                ),
                movielens_id=(
                    None if in_redial and chance.happens(0.06) else movielens_ids[number]
                ),
                movielens_title=_movielens_title(chance, title, translation, year),
            )
        )
    return tuple(world)


def _movielens_ids(chance: Chance, redial_ids: list[int], count: int) -> list[int]:
    """Numbers of which some happen to be ReDial's number of another movie, as in reality."""
    shared = chance.some(redial_ids, count // 3)
    others = chance.some(range(1, 75_000 + count), count)
    distinct = list(dict.fromkeys(shared + others))[:count]
    return chance.some(distinct, count)


class _Titles:
    """Titles, no two alike."""

    def __init__(self, chance: Chance) -> None:
        self._chance = chance
        self._given: set[str] = set()
        self._first_part = ""

    def new(self, taste: Taste) -> tuple[str, str | None]:
        """A title and, for a foreign one, its translation."""
        while True:
            title, translation = self._candidate(taste)
            if title not in self._given:
                self._given.add(title)
                return title, translation

    def _candidate(self, taste: Taste) -> tuple[str, str | None]:
        chance = self._chance
        name = self._name()
        if self._first_part and chance.happens(0.05):
            sequel = f"{self._first_part} {chance.pick(words.SEQUELS)}"
            self._first_part = ""
            return sequel, None
        if chance.happens(0.1):
            form, translation = chance.pick(words.FOREIGN_FORMS)
            return form.format(name=name), translation.format(name=name)
        nouns = taste.nouns if chance.happens(0.4) else words.PLAIN_NOUNS
        noun, other_noun = chance.some(nouns, 2)
        self._first_part = chance.pick(words.TITLE_FORMS).format(
            name=name,
            other=self._name(),
            noun=noun,
            other_noun=other_noun,
            adjective=chance.pick(words.PLAIN_ADJECTIVES),
        )
        return self._first_part, None

    def _name(self) -> str:
        chance = self._chance
        middle = chance.pick(words.NAME_MIDDLES) if chance.happens(0.7) else ""
        return chance.pick(words.NAME_STARTS) + middle + chance.pick(words.NAME_ENDS)


def _year(chance: Chance, remade: int | None) -> int:
    """A year, far from that of the movie it remakes."""
    while True:
        year = chance.between(_FIRST_YEAR, _LAST_YEAR)
        if remade is None or abs(year - remade) > 10:
            return year


def _genres(chance: Chance, taste: Taste) -> tuple[str, ...]:
    if chance.happens(0.05):
        return ()
    first, *others = taste.genres
    return tuple(sorted([first, *chance.some(others, chance.between(0, len(others)))]))


def _tags(chance: Chance, taste: Taste, rank: int) -> tuple[str, ...]:
    if chance.happens(0.1):
        return ()
    count = chance.between(4, 11)
    if rank == 0 and chance.happens(0.4):
        count = chance.between(55, 80)
    family_name = chance.pick(words.NAME_STARTS) + chance.pick(words.NAME_ENDS)
    director = f"{chance.pick(words.FIRST_NAMES)} {family_name}"
    tags = [director]
    while len(tags) < count:
        if chance.happens(0.05):
            tag = chance.pick(words.SHORT_TAGS)
        elif chance.happens(0.2):
            tag = chance.pick(words.PLAIN_TAGS)
        else:
            tag = chance.pick(taste.tags)
        if chance.happens(0.1):
            tag = chance.pick((tag.capitalize(), tag.upper(), f" {tag} "))
        tags.append(tag)
    return tuple(tags)


def _redial_names(
    chance: Chance, ids: list[int], title: str, year: int
) -> tuple[tuple[int, str | None], ...]:
    names: list[tuple[int, str | None]] = [(ids[0], _redial_name(chance, title, year))]
    if chance.happens(0.06):
        names.append((ids[1], f"{title} "))
    return tuple(names)


def _redial_name(chance: Chance, title: str, year: int) -> str | None:
    if chance.happens(0.015):
        return None
    if " & " in title and chance.happens(0.5):
        title = title.replace(" & ", " and ")
    elif " and " in title and chance.happens(0.5):
        title = title.replace(" and ", " & ")
    if chance.happens(0.5):
        title = _without_accents(title)
    title = title.replace("?", "%3F")
    if chance.happens(0.1):
        return chance.pick((title, f"{title} "))
    if chance.happens(0.07):
        year += chance.pick((-1, 1))
    elif chance.happens(0.02):
        year += chance.pick((-7, 7))
    space = chance.pick((" ", " ", " ", "  "))
    return f"{title}{space}({year})"


def _movielens_title(chance: Chance, title: str, translation: str | None, year: int) -> str:
    if translation and chance.happens(0.6):
        name = f"{_article_last(translation)} ({title})"
    elif chance.happens(0.06):
        name = f"{_article_last(title)} (a.k.a. {title.split(' ')[-1]} Revisited)"
    else:
        name = _article_last(title)
    if chance.happens(0.1):
        name = name.replace(" & ", " and ")
    if chance.happens(0.03):
        return name
    return f"{name} ({year}){' ' if chance.happens(0.1) else ''}"


def _article_last(title: str) -> str:
    """``Lantern, The`` for ``The Lantern``, as MovieLens has it."""
    first, _, rest = title.partition(" ")
    return f"{rest}, {first}" if rest and first in words.ARTICLES else title


def _without_accents(title: str) -> str:
    letters = unicodedata.normalize("NFKD", title)
    return "".join(letter for letter in letters if not unicodedata.combining(letter))
