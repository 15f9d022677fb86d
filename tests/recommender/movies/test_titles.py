import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stages.recommender.movies.titles import (
    FIRST_YEAR,
    LAST_YEAR,
    ParsedTitle,
    article_first,
    clean,
    normalise,
    parse,
    without_article,
)

any_text = st.text(st.characters())
pieces = ["The", "A", "Matrix", "II", "x", "Part", "Part I", "Episode V", "&", "+", "#9", "½"]
pieces += ["E.T.", "M*A*S*H", ", The", ", L'", ", Les", ": ", " - ", "(", ")", "(a.k.a. ", "%3F"]
pieces += ["&amp;", "é", "'s"]
title_like = st.lists(st.sampled_from(pieces)).map(" ".join)


@pytest.mark.parametrize(
    ("name", "title", "year"),
    [
        ("The Shining  (1980)", "The Shining", 1980),
        ("  Zootopia ", "Zootopia", None),
        ("Why Him%3F (2016)", "Why Him?", 2016),
        ("%22Crocodile%22 Dundee (1986)", '"Crocodile" Dundee', 1986),
        ("Am%C3%A9lie (2001)", "Amélie", 2001),
        ("100% Wolf (2020)", "100% Wolf", 2020),
        ("Mr. &amp; Mrs. Smith  (2005)", "Mr. & Mrs. Smith", 2005),
        ("What&#39;s Up (1972)", "What's Up", 1972),
        ("AT&T; a story (1999)", "AT&T; a story", 1999),
        ("Babe Ruth Story, The (1948) ", "The Babe Ruth Story", 1948),
        ("Ours, L' (1988)", "L'Ours", 1988),
        ("Misérables, Les (1995)", "Les Misérables", 1995),
        (
            "Naked Gun 2 1/2: The Smell of Fear, The (1991)",
            "The Naked Gun 2 1/2: The Smell of Fear",
            1991,
        ),
        ("Good, the Bad and the Ugly, The (1966)", "The Good, the Bad and the Ugly", 1966),
        ("Death Note: Desu nôto (2006\u20132007)", "Death Note: Desu nôto", 2006),
        ("Fawlty Towers (1975-1979)", "Fawlty Towers", 1975),
        ("Doctor Who (2005\u2013 )", "Doctor Who", 2005),
        ("2001: A Space Odyssey ", "2001: A Space Odyssey", None),
        ("1984", "1984", None),
        ("1984 (1984)", "1984", 1984),
        ("Movie (1492)", "Movie (1492)", None),
        ("(500) Days of Summer (2009)", "(500) Days of Summer", 2009),
        (" (2007)", "", 2007),
        ("", "", None),
        ("Zero\u200bwidth\x00 film (1999)", "Zerowidth film", 1999),
    ],
)
def test_parse_title_and_year(name: str, title: str, year: int | None) -> None:
    parsed = parse(name)
    assert (parsed.title, parsed.year) == (title, year)


@pytest.mark.parametrize(
    ("name", "alternatives"),
    [
        ("Toy Story (1995)", ()),
        ("(500) Days of Summer (2009)", ()),
        ("Seven (a.k.a. Se7en) (1995)", ("Seven", "Se7en")),
        (
            "European Vacation (aka National Lampoon's European Vacation) (1985)",
            ("European Vacation", "National Lampoon's European Vacation"),
        ),
        ("Bear, The (a.k.a. Grizzly) (Ours, L') (1988)", ("The Bear", "Grizzly", "L'Ours")),
        (
            "Every Man for Himself (Slow Motion) (Sauve qui peut (la vie)) (1980)",
            ("Every Man for Himself", "Slow Motion", "Sauve qui peut (la vie)"),
        ),
        ("Ghostbusters (Ghostbusters) (1984)", ("Ghostbusters",)),
        ("Unbalanced) (1990)", ()),
        ("(REC) (2007)", ()),
    ],
)
def test_parse_alternatives(name: str, alternatives: tuple[str, ...]) -> None:
    assert parse(name).alternatives == alternatives


@pytest.mark.parametrize(
    ("name", "qualified"),
    [
        ("The Shining  (1980)", True),
        ("Thor ", True),
        ("Toy Story (1995)", False),
        ("Zootopia", False),
        ("Kill  Bill (2003)", False),
    ],
)
def test_parse_sees_where_a_qualifier_stood(name: str, qualified: bool) -> None:
    assert parse(name).qualified is qualified


def test_parse_keeps_the_whole_title_beside_its_parts() -> None:
    assert parse("Meyerowitz Stories, The (New and Selected) (2017)") == ParsedTitle(
        title="The Meyerowitz Stories (New and Selected)",
        year=2017,
        alternatives=("The Meyerowitz Stories", "New and Selected"),
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The Matrix", "Matrix, The"),
        ("Les Misérables", "Miserables, Les"),
        ("L'Ours", "Ours, L\u2019"),
        ("Fast & Furious", "Fast and Furious"),
        ("Romeo + Juliet", "Romeo and Juliet"),
        ("Rocky III", "Rocky 3"),
        (
            "Star Wars: Episode I \u2013 The Phantom Menace",
            "Star Wars: Episode 1 - The Phantom Menace",
        ),
        ("The Godfather Part II", "Godfather: Part Two, The"),
        ("The Naked Gun 2½", "Naked Gun 2 1/2, The"),
        ("Naked Gun 33⅓", "Naked Gun 33 1/3"),
        ("Alien³", "Alien 3"),
        ("Legend № 17", "Legend No. 17"),
        ("Love Potion #9", "Love Potion No. 9"),
        ("E.T. the Extra-Terrestrial", "ET the extra terrestrial"),
        ("M*A*S*H", "MASH"),
        ("Ocean's Eleven", "OCEANS ELEVEN"),
        ("WALL·E", "Wall-E"),
        ("Straße", "Strasse"),
        ("Łódź", "Lodz"),
        ("Crazy, Stupid, Love.", "Crazy Stupid Love"),
        ("Why Him%3F", "Why Him?"),
    ],
)
def test_normalise_makes_spellings_equal(one: str, other: str) -> None:
    assert normalise(one) == normalise(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Rocky II", "Rocky III"),
        ("Rocky", "Rocky 2"),
        ("Naked Gun 2½", "Naked Gun 21 2"),
        ("Me, Myself & I", "Me, Myself & 1"),
        ("Malcolm X", "Malcolm 10"),
        ("Sister", "Sisters"),
    ],
)
def test_normalise_keeps_titles_apart(one: str, other: str) -> None:
    assert normalise(one) != normalise(other)


def test_normalise_gives_words() -> None:
    assert normalise("  Misérables, Les ") == "les miserables"
    assert normalise("?!") == ""
    assert normalise("Кино (Film)") == "кино film"


def test_without_article() -> None:
    assert without_article("the matrix") == "matrix"
    assert without_article("a team") == "team"
    assert without_article("the") == "the"
    assert without_article("les miserables") == "les miserables"
    assert without_article("theatre") == "theatre"


def test_article_first_leaves_other_endings() -> None:
    assert article_first("Monsters, Inc.") == "Monsters, Inc."
    assert article_first(", The") == ", The"


@given(st.one_of(any_text, title_like))
@example("İ, The")
@example("&amp;amp;")
@example("%252541")
def test_normalising_twice_is_normalising_once(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once
    assert once == " ".join(once.split())


@given(st.one_of(any_text, title_like))
def test_any_name_parses(name: str) -> None:
    parsed = parse(name)
    assert parsed.title == parsed.title.strip()
    assert parsed.year is None or FIRST_YEAR <= parsed.year <= LAST_YEAR
    assert all(parsed.alternatives)


@given(any_text)
def test_clean_leaves_no_stray_space(name: str) -> None:
    assert clean(name) == " ".join(clean(name).split())


@given(
    st.from_regex(r"[A-Z][a-z]{3,8}( [A-Z][a-z]{3,8}){0,3}", fullmatch=True),
    st.integers(FIRST_YEAR, LAST_YEAR),
    st.sampled_from(["The", "A", "An", "Les", "La", "Der", "El"]),
)
def test_article_behind_parses_as_before(title: str, year: int, article: str) -> None:
    behind = parse(f"{title}, {article} ({year})")
    assert behind == parse(f"{article} {title} ({year})")
    assert behind.year == year
