import re
from collections import Counter
from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.fuzz import ratio
from rapidfuzz.process import extractOne

from stages.recommender import artifacts
from stages.recommender.serving import linking
from stages.recommender.serving.catalogue import Catalogue
from stages.recommender.serving.linking import TitleLinker, _crosses_sentence, _kept_words, _near
from stages.recommender.title_usage import WORD, TitleUsage

MOVIES = [
    ("The Babadook", 2014),
    ("It", 2017),
    ("It", 1990),
    ("It Follows", 2014),
    ("Up", 2009),
    ("Her", 2013),
    ("Jack", 1996),
    ("The Lord of the Rings", 1978),
    ("The Lord of the Rings: The Fellowship of the Ring", 2001),
    ("Fast & Furious", 2009),
    ("Pok\u00e9mon", 1998),
    ("Get Out", 2017),
]


def catalogue(movies: list[tuple[str, int]] = MOVIES) -> Catalogue:
    count = len(movies)
    return Catalogue(
        pa.table(
            {
                "index": range(count),
                "redial_id": range(100, 100 + count),
                "title": [title for title, _ in movies],
                "year": [year for _, year in movies],
                "movielens_id": [None] * count,
                "match": ["none"] * count,
                "movielens_title": [None] * count,
                "genres": [[]] * count,
            },
            schema=artifacts.MOVIE_SCHEMA,
        )
    )


USAGE = TitleUsage(
    mentions=Counter({0: 20, 1: 40, 2: 5, 11: 50}),
    said=Counter({"it": 9_000, "up": 800, "her": 700, "get out": 4, "jack": 30, "great": 900}),
)


@pytest.fixture(scope="module")
def linker() -> TitleLinker:
    return TitleLinker(catalogue(), USAGE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I loved the babadook and It (2017)", ["The Babadook (2014)", "It (2017)"]),
        ("It (1990), please", ["It (1990)"]),
        ("it (2018) was fine", ["It (2017)"]),  # a year off by one
        ("it (2005) was fine", []),
        ("I watched it, went up to her and liked it.", []),
        ("It was great. Up there!", []),
        ('we saw "Up" and "Her"', ["Up (2009)", "Her (2013)"]),
        ('we went "up', []),
        ("like It Follows", ["It Follows (2014)"]),  # the longest title
        ("Jack Black, or Ripper Jack", []),  # a person's name
        ("fast and furious", ["Fast & Furious (2009)"]),
        ("I liked Pokemon", ["Pok\u00e9mon (1998)"]),
        ("i loved the babadok", ["The Babadook (2014)"]),
        (
            "The Lord of the Rings: Fellowship of the Rings (2001)",
            ["The Lord of the Rings: The Fellowship of the Ring (2001)"],
        ),
        ("i liked get out", ["Get Out (2017)"]),
        ("", []),
        ("@ (2017) \u2603", []),
    ],
)
def test_titles_are_found(linker: TitleLinker, text: str, expected: list[str]) -> None:
    assert [mention.movie.name for mention in linker.link(text)] == expected


def test_a_link_says_where_and_how(linker: TitleLinker) -> None:
    exact, fuzzy = linker.link("I loved It (2017) and The Babadok too")
    assert (exact.span, exact.surface, exact.how) == ((8, 17), "It (2017)", "exact")
    assert exact.confidence == 1
    assert (fuzzy.span, fuzzy.surface, fuzzy.how) == ((22, 33), "The Babadok", "fuzzy")
    assert 0.9 <= fuzzy.confidence < 1


def test_of_movies_with_one_title_the_one_that_is_mentioned_most_is_meant() -> None:
    often = TitleUsage(mentions=Counter({1: 3, 2: 30}))
    found = TitleLinker(catalogue(), often).link('I saw "It" again')
    assert [mention.movie.name for mention in found] == ["It (1990)"]


OFTEN_SAID = TitleUsage(mentions=Counter({0: 40}), said=Counter({"the babadook": 2, "it": 9_000}))
"""Odds of 40.7 to 2.3 that "the babadook" is the title, 0.947; of 0.3 of that, 0.841, where it
is written small among capitals."""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I loved the babadook and It (2017)", ["The Babadook (2014)", "It (2017)"]),
        ("Loved the babadook and It (2017)", ["It (2017)"]),
        ("I loved The Babadook and It", ["The Babadook (2014)"]),
    ],
)
def test_capitals_of_a_title_with_its_year_say_nothing_of_other_words(
    text: str, expected: list[str]
) -> None:
    found = TitleLinker(catalogue(), OFTEN_SAID).link(text)
    assert [mention.movie.name for mention in found] == expected


DAY = TitleUsage(
    mentions=Counter({0: 150}),
    said=Counter({"halloween": 12, "for halloween": 3, "for": 900, "like": 700, "great": 900}),
    capital=Counter({"halloween": 9}),
    introduces=Counter({"": 300, "like": 400, "for": 10, "saw": 100}),
)
"""Of a title that is a name as well, so that its capital letter tells little."""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Something scary for Halloween!", []),
        ("Something like Halloween!", ["Halloween (1978)"]),
        ("I saw Halloween", ["Halloween (1978)"]),
        ("we had a great day for Halloween (1978)", ["Halloween (1978)"]),
    ],
)
def test_the_word_before_tells_a_title_from_a_name(text: str, expected: list[str]) -> None:
    linker = TitleLinker(catalogue([("Halloween", 1978)]), DAY)
    assert [mention.movie.name for mention in linker.link(text)] == expected


PIECES = [*"ItUpHer aBdok(2017).,'\"\n\u00e9\u0130", "The Babadok ", "It ", " (2001)", "lord of "]


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_links_stand_in_the_text_in_order_and_apart(text: str) -> None:
    end = 0
    for mention in TitleLinker(catalogue(), USAGE).link(text):
        assert mention.span is not None
        assert end <= mention.span[0] < mention.span[1] <= len(text)
        assert text[slice(*mention.span)] == mention.surface
        assert 0 < mention.confidence <= 1
        end = mention.span[1]


@pytest.mark.parametrize(("before", "is_found"), [(66, True), (67, False)])
def test_unknown_words_are_looked_up_so_often_and_no_more(
    linker: TitleLinker, monkeypatch: pytest.MonkeyPatch, before: int, is_found: bool
) -> None:
    """From each of them on six spans are looked up, one of each number of words up to six:
    66 of them take 396 of 400.
    """
    sought: list[str] = []

    def counted(title: str, *choices: object, **options: object) -> object:
        sought.append(title)
        return extractOne(title, *choices, **options)

    monkeypatch.setattr(linking.process, "extractOne", counted)
    text = f"{'zzzzzz ' * before}The Babadok, {'zzzzzz ' * 200}The Babadook"
    found = [mention.surface for mention in linker.link(text)]
    assert found == [*(["The Babadok"] if is_found else []), "The Babadook"]
    assert 400 <= len(sought) <= 400 + 5


def test_a_year_finds_a_misspelled_title_behind_any_number_of_unknown_words(
    linker: TitleLinker,
) -> None:
    (found,) = linker.link(f"{'zzzzzz ' * 200}The Babadok (2014)")
    assert found.surface == "The Babadok (2014)"


def test_titles_of_another_length_cannot_be_alike() -> None:
    """Of 10 letters at 90: 8.2 to 12.2, and one more either way."""
    titles = ["a" * length for length in range(30)]
    assert [len(title) for title in _near(titles, 10, 90.0)] == [8, 9, 10, 11, 12, 13]
    assert round(ratio("a" * 10, "a" * 12), 1) == 90.9
    assert round(ratio("a" * 10, "a" * 13), 1) == 87.0


@given(
    st.lists(st.text("ab ", max_size=30), max_size=20),
    st.text("ab ", max_size=30),
    st.sampled_from([82.0, 90.0]),
)
def test_the_likest_of_about_its_length_is_the_likest_of_all(
    titles: list[str], title: str, least: float
) -> None:
    likest = [
        extractOne(title, choices, scorer=ratio, score_cutoff=least)
        for choices in (titles, _near(titles, len(title), least))
    ]
    assert (likest[0] and likest[0][:2]) == (likest[1] and likest[1][:2])


PLAIN_SENTENCE_END = re.compile(r"\w{4,}[.!?]+\s+$|[!?]+\s+$|\n|\[SEP\]")


@given(st.lists(st.sampled_from([*"ab_.!? \n[", "abcd", "[SEP]"]), max_size=30).map("".join))
def test_a_sentence_ends_where_a_plain_pattern_says_so(text: str) -> None:
    words = list(WORD.finditer(text))
    for left, right in pairwise(words):
        expected = PLAIN_SENTENCE_END.search(text, left.start(), right.start()) is not None
        assert _crosses_sentence(text, [left, right]) == expected


def test_long_words_are_not_kept(linker: TitleLinker) -> None:
    linker.link("scary")
    before = _kept_words.cache_info().currsize
    linker.link(" ".join(letter * 100 for letter in "abcdefghij"))
    assert _kept_words.cache_info().currsize == before
    linker.link("unheard")
    assert _kept_words.cache_info().currsize == before + 1
