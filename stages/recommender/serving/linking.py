"""Movies named in plain text, found and linked to the catalogue.

Titles are looked up as words, the longest first; what is spelled almost like a title is found by
rapidfuzz. Many titles are common words as well ("It", "Up", "Her"): whether one is meant is
weighed by how often training requests mention the movie and how often they say its words
otherwise (link probability; Milne and Witten 2008, "Learning to link with Wikipedia"), by its
capital letters, by the word before it, by quotes, and by a year behind it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from rapidfuzz import process
from rapidfuzz.fuzz import ratio

from stages.recommender.movies.keys import title_words
from stages.recommender.serving.catalogue import Catalogue, Movie
from stages.recommender.title_usage import (
    QUOTES,
    WORD,
    TitleUsage,
    as_spoken,
    begins_sentence,
    word_before,
)

_YEAR = re.compile(r"[!?.\"'\u201d\u2019]*\s*\(\s*((?:18|19|20)\d\d)\s*\)")
_BARE_YEAR = re.compile(r",?\s+((?:18|19|20)\d\d)\b")
_SENTENCE_END = re.compile(r"\w{4}[.!?]+\s+$|(?<![!?])[!?]+\s+$|\n|\[SEP\]")
"""Each begins once in a run of its letters or marks, so that a long run takes no longer to read
than as many words."""
_ARTICLES = frozenset({"the", "a", "an"})
_SMALL = frozenset("a an and as at but by for from in of on or the to vs with".split())  # noqa: SIM905
_MOST_WORDS, _MOST_WORDS_FUZZY = 12, 6

_ENOUGH, _ENOUGH_LOWER = 0.9, 0.8
"""The least confidence of a link, chosen on training messages for a precision of 0.95; and in a
text without capital letters, where no title has their evidence."""
_PRIOR = {1: 0.25, 2: 0.7}
"""How likely words of a title that no training request has are the title, by their number."""
_PRIOR_LONG = 0.95
_CASED, _CASED_LEAST, _LOWER = 30.0, 5.0, 0.3
"""Factors on the odds that words are a title: the first where each of several words has a capital
letter; from the second up to the first for one such word, the more the seldomer requests write it
so otherwise; the third where they have none in a text that has capitals."""
_LEAST_INTRODUCED = 0.02
"""However seldom the word before a title of one word introduces a movie, the title's odds are
multiplied by no less."""
_OTHER_ARTICLE, _IN_A_NAME, _NUMBER = 0.03, 0.02, 0.1
"""Factors on the same odds: of another article than the title's, of one word beside a name ("Jack
Black"), and of a bare number."""
_FUZZY, _FUZZY_WITH_YEAR = 90.0, 82.0
"""Least similarity of a misspelled title, 0 to 100; see rapidfuzz' ``fuzz.ratio``."""
_SHORTEST_FUZZY = 6
_MOST_LOOKED_UP = 400
"""Times that words of one text without a year are sought among all titles for a misspelled one;
the words after them are found where they are spelled rightly. Bounds the time of a text of unknown
words; none of ReDial's test dialogues, cut at 2,000 letters, has more than 256."""
_LONGEST_KEPT = 48
"""Letters of words whose form is kept, so that what a client sends can fill no memory."""
_kept_words = lru_cache(maxsize=16_384)(title_words)


def _words(text: str) -> str:
    """A title as words to compare, as :func:`title_words` gives it; those of short ones kept."""
    return _kept_words(text) if len(text) <= _LONGEST_KEPT else title_words(text)


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
        usage: How requests use them; without it, a title of one word needs evidence.
    """

    def __init__(self, catalogue: Catalogue, usage: TitleUsage | None = None) -> None:
        self._usage = usage or TitleUsage()
        said = self._usage.said.items()
        self._words_said = sum(count for words, count in said if " " not in words)
        self._introduced_mentions = self._usage.introduces.total()
        self._called: defaultdict[str, list[Movie]] = defaultdict(list)
        self._longest: defaultdict[str, int] = defaultdict(int)
        self._vocabulary: set[str] = set()
        for movie in catalogue:
            words = title_words(movie.title)
            if not words:
                continue
            self._called[words].append(movie)
            tokens = [_words(token) for token in WORD.findall(movie.title)]
            tokens = tokens[1:] if len(tokens) > 1 and tokens[0] in _ARTICLES else tokens
            self._vocabulary.update(tokens, words.split())
            for first in {tokens[0] if tokens else words, words.split()[0]}:
                length = max(len(tokens), len(words.split())) + 1
                self._longest[first] = max(self._longest[first], length)
        for movies in self._called.values():
            movies.sort(key=lambda movie: (-self._usage.mentions[movie.index], movie.index))
        self._titles = [words for words in self._called if len(words) >= _SHORTEST_FUZZY]
        self._titles_near: dict[int, list[str]] = {}
        self._longest_near = 2 * max(map(len, self._titles), default=0)
        self._titles_of_year: defaultdict[int, list[str]] = defaultdict(list)
        for words, movies in self._called.items():
            for year in {movie.year for movie in movies if movie.year is not None}:
                self._titles_of_year[year].append(words)

    def link(self, text: str) -> list[LinkedMention]:
        """The movies that a text names, in the order in which it does.

        Args:
            text: Any.
        """
        words = list(WORD.finditer(text))
        found = self._all_exact(text, words, cased_text=_has_capitals(words))
        dated = [mention for mention in found if mention.surface.endswith(")")]
        others = [word for word in words if not any(_within(word, mention) for mention in dated)]
        if dated and not _has_capitals(others):
            # a title copied with its year has capitals where all else is written small
            found = self._all_exact(text, words, cased_text=False)
        sure = [mention for mention in found if mention.confidence == 1]
        misspelled = list(self._fuzzy(text, words, [_span(mention) for mention in sure]))
        dated = [mention for mention in misspelled if mention.surface.endswith(")")]
        # a year tells the whole title: Lord of the Rings gives way to its Felowship (2001)
        kept = [mention for mention in found if not _overlaps(mention, dated)]
        kept += dated
        kept += [mention for mention in misspelled if not _overlaps(mention, kept)]
        return sorted(kept, key=_span)

    def _all_exact(
        self, text: str, words: list[re.Match[str]], *, cased_text: bool
    ) -> list[LinkedMention]:
        found: list[LinkedMention] = []
        place = 0
        while place < len(words):
            mention, count = self._exact(text, words, place, cased_text)
            if mention is not None:
                found.append(mention)
            place += count
        return found

    def _exact(
        self, text: str, words: list[re.Match[str]], place: int, cased_text: bool
    ) -> tuple[LinkedMention | None, int]:
        first = _words(words[place][0])
        longest = self._longest.get(first, 0)
        if words[place][0].lower() in _ARTICLES and place + 1 < len(words):
            longest = max(longest, self._longest.get(_words(words[place + 1][0]), 0) + 1)
        for count in range(min(longest, _MOST_WORDS, len(words) - place), 0, -1):
            start, end = words[place].start(), words[place + count - 1].end()
            surface = text[start:end]
            movies = self._called.get(_words(surface))
            if movies is None or _crosses_sentence(text, words[place : place + count]):
                continue
            mention = self._weigh(text, (start, end), words[place : place + count], cased_text)
            if mention is not None:
                after = sum(w.start() < (mention.span or (0, 0))[1] for w in words[place:])
                return mention, after
        return None, 1

    def _weigh(
        self, text: str, span: tuple[int, int], words: list[re.Match[str]], cased_text: bool
    ) -> LinkedMention | None:
        start, end = span
        surface = text[start:end]
        movies = self._called[_words(surface)]
        year = _YEAR.match(text, end)
        bare = None if year else _BARE_YEAR.match(text, end)
        for match in (year, bare):
            if match is None:
                continue
            movie = _of_year(movies, int(match[1]), exactly=match is bare)
            if movie is not None:
                span = (start, match.end())
                return LinkedMention(movie, span, text[start : match.end()], "exact", 1.0)
            if match is year:  # of another movie, or of a longer or shorter title
                return None
        confidence = self._confidence(text, surface, words, cased_text)
        if confidence < (_ENOUGH if cased_text else _ENOUGH_LOWER):
            return None
        return LinkedMention(movies[0], span, surface, "exact", round(confidence, 3))

    def _confidence(
        self, text: str, surface: str, words: list[re.Match[str]], cased_text: bool
    ) -> float:
        title = _words(surface)
        start, end = words[0].start(), words[-1].end()
        if start > 0 and end < len(text) and text[start - 1] in QUOTES and text[end] in QUOTES:
            return 0.99
        prior = _PRIOR.get(len(words), _PRIOR_LONG)
        mentions = sum(self._usage.mentions[movie.index] for movie in self._called[title])
        spoken = " ".join(as_spoken(word[0]) for word in words)
        odds = (mentions + prior) / (self._usage.said[spoken] + 1 - prior)
        if not _same_article(surface, self._called[title][0].title):
            odds *= _OTHER_ARTICLE
        if len(words) == 1:
            odds *= self._introduced(word_before(text, start), spoken)
            if _beside_a_name(text, start, end):
                odds *= _IN_A_NAME
        telling = [w[0] for w in words if w[0].lower() not in _SMALL] or [w[0] for w in words]
        if all(word.isdecimal() for word in telling):
            odds *= _NUMBER
        elif all(word[0].isupper() or word[0].isdigit() for word in telling):
            if len(words) > 1:
                odds *= _CASED
            elif not begins_sentence(text, start):
                odds *= self._cased(spoken)
        elif cased_text:
            odds *= _LOWER
        return odds / (1 + odds)

    def _cased(self, spoken: str) -> float:
        """How much likelier a title than this word otherwise has a capital letter."""
        otherwise = (self._usage.capital[spoken] + 1 / _CASED) / (self._usage.said[spoken] + 1)
        return max(_CASED_LEAST, 1 / otherwise)

    def _introduced(self, before: str, spoken: str) -> float:
        """How much less likely a title than this word otherwise stands behind another word."""
        if not before:
            return 1.0
        usage = self._usage
        title = (usage.introduces[before] + 1) / (self._introduced_mentions + 1)
        by_chance = (usage.said[before] + 1) / (self._words_said + 1)
        otherwise = (usage.said[f"{before} {spoken}"] + by_chance) / (usage.said[spoken] + 1)
        return min(1.0, max(_LEAST_INTRODUCED, title / otherwise))

    def _fuzzy(
        self, text: str, words: list[re.Match[str]], taken: list[tuple[int, int]]
    ) -> Iterator[LinkedMention]:
        """Misspelled titles: those with a year behind them, and those with an unknown word."""
        unknown = [self._unknown(word[0]) for word in words]
        place = looked_up = 0
        while place < len(words):
            may_ask = looked_up < _MOST_LOOKED_UP
            best: tuple[float, int, LinkedMention] | None = None
            for count in range(1, min(_MOST_WORDS, len(words) - place) + 1):
                part = words[place : place + count]
                start, end = part[0].start(), part[-1].end()
                if any(start < stop and end > begin for begin, stop in taken):
                    break
                year = _YEAR.match(text, end)
                is_unknown = count <= _MOST_WORDS_FUZZY and any(unknown[place : place + count])
                if not (year or (is_unknown and may_ask)) or _crosses_sentence(text, part):
                    continue
                looked_up += year is None
                found = self._like(text, start, end, year)
                if found and (best is None or found.confidence > best[0]):
                    best = (found.confidence, count, found)
            if best is not None:
                yield best[2]
            place += best[1] if best else 1

    def _like(
        self, text: str, start: int, end: int, year: re.Match[str] | None
    ) -> LinkedMention | None:
        title = _words(text[start:end])
        if len(title) < _SHORTEST_FUZZY:
            return None
        if year:
            least = _FUZZY_WITH_YEAR
            choices = _near(self._titles_of_year[int(year[1])], len(title), least)
            end = year.end()
        else:
            choices, least = self._near_titles(len(title)), _FUZZY
        match = process.extractOne(title, choices, scorer=ratio, score_cutoff=least)
        if match is None or _digits(match[0]) != _digits(title):
            return None
        movies = self._called[match[0]]
        movie = _of_year(movies, int(year[1]), exactly=True) if year else movies[0]
        confidence = round(match[1] / 100, 3)
        if movie is None:
            return None
        return LinkedMention(movie, (start, end), text[start:end], "fuzzy", confidence)

    def _near_titles(self, length: int) -> list[str]:
        """The titles of about a length, in their order; kept by length."""
        if length > self._longest_near:
            return []
        if length not in self._titles_near:
            self._titles_near[length] = _near(self._titles, length, _FUZZY)
        return self._titles_near[length]

    def _unknown(self, word: str) -> bool:
        """Whether no request and no title has a word."""
        spoken = as_spoken(word)
        return (
            len(spoken) >= 5
            and not self._usage.said[spoken]
            and _words(word) not in self._vocabulary
        )


def _has_capitals(words: Iterable[re.Match[str]]) -> bool:
    return any(letter.isupper() for word in words for letter in word[0] if word[0] != "I")


def _within(word: re.Match[str], mention: LinkedMention) -> bool:
    start, end = _span(mention)
    return start <= word.start() < end


def _span(mention: LinkedMention) -> tuple[int, int]:
    return mention.span or (0, 0)


def _overlaps(mention: LinkedMention, others: Iterable[LinkedMention]) -> bool:
    start, end = _span(mention)
    return any(start < _span(other)[1] and end > _span(other)[0] for other in others)


def _same_article(surface: str, title: str) -> bool:
    articles = [text.split()[0].lower() for text in (surface, title) if text.split()]
    ours, theirs = [article if article in _ARTICLES else "" for article in articles]
    return ours == theirs or (ours == "the" and len(title.split()) > 1) or not ours


def _beside_a_name(text: str, start: int, end: int) -> bool:
    """Whether a capitalised word stands right before or after, as in a person's name."""
    before, after = text[:start].split(" ")[-2:], text[end : end + 2]
    follows = len(after) == 2 and after[0] in " '" and after[1].isupper() and after[1] != "I"
    precedes = len(before) == 2 and not before[1] and before[0][:1].isupper()
    return follows or (
        precedes
        and before[0].isalpha()
        and len(before[0]) > 1
        and not begins_sentence(text, start - len(before[0]) - 1)
    )


def _of_year(movies: list[Movie], year: int, *, exactly: bool) -> Movie | None:
    """The movie of a year; else, where that may be, one of the year beside it or of no year."""
    for movie in movies:
        if movie.year == year:
            return movie
    if exactly:
        return None
    near = [movie for movie in movies if movie.year is not None and abs(movie.year - year) == 1]
    unknown = [movie for movie in movies if movie.year is None]
    return next(iter([*near, *unknown]), None)


def _digits(words: str) -> str:
    return "".join(filter(str.isdigit, words))


def _near(titles: Iterable[str], length: int, least: float) -> list[str]:
    """Those titles that can be as similar as ``least`` to one of a length, in their order.

    ``fuzz.ratio`` is 200 times the letters in common by those of both, and there are no more in
    common than the shorter one has. One more letter either way is for rounding.
    """
    of_longer = least / (200 - least)
    shortest, longest = length * of_longer - 1, length / of_longer + 1
    return [title for title in titles if shortest <= len(title) <= longest]


def _crosses_sentence(text: str, words: list[re.Match[str]]) -> bool:
    return any(
        _SENTENCE_END.search(text, left.start(), right.start()) for left, right in pairwise(words)
    )
