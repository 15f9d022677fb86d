from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.recommender import artifacts
from stages.recommender.serving.catalogue import Catalogue
from stages.recommender.serving.linking import TitleLinker
from stages.recommender.title_usage import TitleUsage

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
