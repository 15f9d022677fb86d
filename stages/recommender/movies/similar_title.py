"""Rules that join a ReDial name to a MovieLens movie of a similar title and the same year.

Each rule gives the one movie that it is sure of, or none.
"""

from rapidfuzz import process
from rapidfuzz.distance import Levenshtein
from rapidfuzz.fuzz import ratio

from stages.recommender.movies.keys import LONG_TITLE, Name, title_key, title_parts, without_numbers
from stages.recommender.movies.movielens import Entry, MovieLensIndex, clear_choice

_SMALL_WORDS = frozenset({"a", "an", "and", "in", "the"})


def part_of_title(name: Name, index: MovieLensIndex) -> Entry | None:
    """One title is the other without its subtitle, series or owner.

    ``Borat`` and ``Borat: Cultural Learnings of America ...``, ``The Empire Strikes Back`` and
    ``Star Wars: Episode V - The Empire Strikes Back``, ``Madea Goes to Jail`` and ``Tyler
    Perry's Madea Goes to Jail``. The only such movie, or the only well-known one; one that
    is not well known needs three words in common.
    """
    if name.year is None:
        return None
    found: dict[int, tuple[Entry, str]] = {}
    for words, entry in zip(*index.of_year(name.year), strict=True):
        if name.words in words and name.words in title_parts(entry.title):
            found[entry.movie_id] = (entry, name.words)
    for part in title_parts(name.title):
        for entry in index.called(title_key(part), name.year):
            found.setdefault(entry.movie_id, (entry, part))
    choice = clear_choice(entry for entry, _ in found.values())
    if choice is None:
        return None
    _, part = found[choice.movie_id]
    return choice if choice.well_known or len(part.split()) >= LONG_TITLE else None


def beginning_without_year(name: Name, index: MovieLensIndex) -> Entry | None:
    """The title without its subtitle, where ReDial gives no year.

    The only well-known movie with a subtitle to that title, and the first whose title begins so:
    ``Anchorman`` for ``Anchorman: The Legend of Ron Burgundy``, followed by ``Anchorman 2``.
    """
    if name.year is not None:
        return None
    if any(entry.well_known for entry in index.by_key.get(name.key, ())):
        return None
    beginning = index.well_known_beginning(name.words)
    found = [entry for entry in beginning if name.words in title_parts(entry.title)]
    if len(found) != 1 or not found[0].names[0].startswith(f"{name.words} "):
        return None
    first = found[0].year
    others = [entry.year for entry in beginning if entry is not found[0]]
    if first is None or any(year is None or year <= first for year in others):
        return None
    return found[0]


def number_left_out(name: Name, index: MovieLensIndex) -> Entry | None:
    """The same title but for a number that only one of the two gives.

    ``Ice Age: The Meltdown`` and ``Ice Age 2: The Meltdown``. The only such movie, with three
    words in common.
    """
    if name.year is None:
        return None
    bare = without_numbers(name.words)
    if len(bare.split()) < LONG_TITLE:
        return None
    found = index.numbered_otherwise(name.words, name.year)
    found = [entry for entry in found if bare in {name.words, entry.names[0]}]
    return found[0] if len(found) == 1 else None


def sequel_number(name: Name, index: MovieLensIndex) -> Entry | None:
    """A number in place of a subtitle: ``Annabelle 2`` for ``Annabelle: Creation``.

    The only well-known movie of that year with the title and a subtitle without number, where
    an earlier well-known movie has the bare title.
    """
    head, _, number = name.words.rpartition(" ")
    if name.year is None or not head or not number.isdecimal():
        return None
    first = index.by_key.get(title_key(head), [])
    if not any(e.well_known and e.year is not None and e.year < name.year for e in first):
        return None
    found = [
        entry
        for words, entry in zip(*index.of_year(name.year), strict=True)
        if words == entry.names[0]
        and words.startswith(f"{head} ")
        and without_numbers(words) == words
        and head in title_parts(entry.title)
    ]
    return found[0] if len(found) == 1 and found[0].well_known else None


def fuzzy(name: Name, index: MovieLensIndex, threshold: float) -> Entry | None:
    """A title spelled almost alike.

    Numbers are the same, small words may differ, and every other word is the same or a variant
    of at least five letters with the same first one: ``Judgement Night`` and ``Judgment Night``,
    but not ``The Blair Bitch Project`` and ``The Blair Witch Project``.

    Args:
        name: The ReDial name.
        index: MovieLens' movies.
        threshold: Least similarity of the two titles' words, 0 to 100: twice the letters in
            common over the letters of both (rapidfuzz' ``fuzz.ratio``).
    """
    if name.year is None or len(name.key) < 8:
        return None
    of_year, entries = index.of_year(name.year)
    close = process.extract(name.words, of_year, scorer=ratio, score_cutoff=threshold, limit=None)
    found = {
        entries[place].movie_id: entries[place]
        for words, _, place in close
        if title_key(words) != name.key and _spelled_alike(name.words, words)
    }
    return next(iter(found.values())) if len(found) == 1 else None


def _spelled_alike(left: str, right: str) -> bool:
    if _digits(left) != _digits(right):
        return False
    left_words = [word for word in left.split() if word not in _SMALL_WORDS]
    right_words = [word for word in right.split() if word not in _SMALL_WORDS]
    if "".join(left_words) == "".join(right_words):
        return True
    if len(left_words) != len(right_words):
        return False
    long_enough = len(left_words) >= LONG_TITLE
    return all(
        one == other or _variants(one, other, plural=long_enough)
        for one, other in zip(left_words, right_words, strict=True)
    )


def _variants(one: str, other: str, *, plural: bool) -> bool:
    """Whether two words are spellings of one; ``plural`` lets them differ in an s at the end."""
    if one[0] != other[0] or min(len(one), len(other)) < 5:
        return False
    if not plural and f"{min(one, other, key=len)}s" == max(one, other, key=len):
        return False
    most = 1 if min(len(one), len(other)) < 10 else 2
    return bool(Levenshtein.distance(one, other) <= most)


def _digits(words: str) -> str:
    return "".join(character for character in words if character.isdecimal())
