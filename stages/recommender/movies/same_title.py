"""Rules that join a ReDial name to the MovieLens movie of the same title.

Each rule gives the one movie that it is sure of, or none.
"""

from stages.recommender.movies import titles
from stages.recommender.movies.keys import LONG_TITLE, Name, title_key, title_parts, title_words
from stages.recommender.movies.movielens import Entry, MovieLensIndex, clear_choice

LONGEST_SERIES_GAP = 12
"""Years after which the next movie of a name counts as a new start rather than a sequel."""

SHORT_TITLE = 5
"""Letters below which an accent makes another word."""


def exact(name: Name, index: MovieLensIndex) -> Entry | None:
    """The same clean title, the same year."""
    if name.year is None:
        return None
    return clear_choice(e for e in index.called(name.key, name.year) if e.title == name.title)


def title(name: Name, index: MovieLensIndex) -> Entry | None:
    """The same title but for spelling, the same year.

    A short word is another word with an accent (``Love``, ``Lóve``). A single word is another
    title with an article (``Take``, ``The Take``), unless the movie is well known and ReDial's
    title needed no qualifier.
    """
    if name.year is None:
        return None
    entry = clear_choice(e for e in index.called(name.key, name.year) if e.key == name.key)
    if entry is None:
        return None
    if len(name.key) < SHORT_TITLE and name.title.isascii() != entry.title.isascii():
        return None
    if " " not in name.words and not _same_with_article(name, entry):
        return entry if entry.well_known and not name.parsed.qualified else None
    return entry


def alternative(name: Name, index: MovieLensIndex) -> Entry | None:
    """The same title after another name in parentheses is taken for it, the same year."""
    if name.year is None:
        return None
    found = [entry for entry in index.called(name.key, name.year) if entry.key != name.key]
    for other in name.parsed.alternatives:
        key = title_key(title_words(other))
        found += [entry for entry in index.called(key, name.year) if entry.key == key]
    return clear_choice(found)


def year_off_by_one(name: Name, index: MovieLensIndex) -> Entry | None:
    """The same title but for spelling, a year before or after.

    The only such movie, and either well known or the only one of that title in MovieLens. Where
    the article or a space differs, it has to be both.
    """
    if name.year is None:
        return None
    found = index.called(name.key, name.year - 1) + index.called(name.key, name.year + 1)
    if len(found) != 1 or index.called(name.key, name.year):
        return None
    entry = found[0]
    alone = len(index.by_key[name.key]) == 1
    if _same_with_article(name, entry):
        sure = entry.well_known or (alone and " " in name.words)
    else:
        sure = entry.well_known and alone and not name.parsed.qualified
    return entry if sure else None


def year_off_by_three(name: Name, index: MovieLensIndex) -> Entry | None:
    """The same title but for spelling, up to three years before or after.

    Only where the title has several words, is borne by one movie in MovieLens, a well-known one,
    and needed no qualifier in ReDial.
    """
    found = index.by_key.get(name.key, [])
    if name.year is None or name.parsed.qualified or " " not in name.words or len(found) != 1:
        return None
    entry = found[0]
    near = entry.year is not None and abs(entry.year - name.year) <= 3
    return entry if near and entry.well_known and _same_with_article(name, entry) else None


def name_without_year(name: Name, index: MovieLensIndex) -> Entry | None:
    """The same words, where ReDial gives no year.

    The only well-known movie of that title, or the only one at all where ReDial's title needed
    no qualifier. One that did may be a series' title, such as ``The Lord of the Rings``: then
    the movie has to be the first of a series that goes on soon, or of none.
    """
    if name.year is not None:
        return None
    called = [e for e in index.by_key.get(name.key, ()) if name.words in e.names]
    by_title = [e for e in called if e.names[0] == name.words]
    entry = clear_choice(e for e in by_title or called if e.well_known)
    if name.parsed.qualified:
        sure = entry and not _adds_article(name, entry) and _starts_series(entry, name, index)
        return entry if sure else None
    alone = by_title and len(index.by_key[name.key]) == 1 and _same_with_article(name, by_title[0])
    if entry is None and alone and len(name.normalised.split()) >= LONG_TITLE:
        return by_title[0]
    return entry


def movie_without_year(name: Name, index: MovieLensIndex) -> Entry | None:
    """The same title with the same article, where MovieLens gives no year.

    The only well-known movie of that title, or the only one at all if the title is long.
    """
    if name.year is None:
        return None
    undated = index.called(name.key, None)
    if len(undated) != 1 or not _same_with_article(name, undated[0]):
        return None
    others = [entry for entry in index.by_key[name.key] if entry is not undated[0]]
    if undated[0].well_known:
        sure = not any(entry.well_known for entry in others)
    else:
        sure = not others and len(name.normalised.split()) >= LONG_TITLE
    return undated[0] if sure else None


def _same_with_article(name: Name, entry: Entry) -> bool:
    return titles.normalise(entry.title).replace(" ", "") == name.normalised.replace(" ", "")


def _adds_article(name: Name, entry: Entry) -> bool:
    """Whether the name has an English article that the movie's title lacks."""
    bare = titles.without_article(name.normalised)
    return bare != name.normalised and titles.normalise(entry.title) == bare


def _starts_series(entry: Entry, name: Name, index: MovieLensIndex) -> bool:
    """Whether no well-known movie so called came before it, nor the next long after it."""
    years = [
        other.year
        for other in index.well_known_beginning(f"{name.words} ")
        if other.year is not None and _continues(other, name)
    ]
    if not years:
        return True
    return entry.year is not None and entry.year <= min(years) <= entry.year + LONGEST_SERIES_GAP


def _continues(entry: Entry, name: Name) -> bool:
    rest = entry.names[0].removeprefix(f"{name.words} ")
    return rest[:1].isdecimal() or name.words in title_parts(entry.title)
