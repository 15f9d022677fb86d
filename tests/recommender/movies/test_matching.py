import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.recommender.movies.matching import Match, match_by_id, match_by_title, title_rules
from stages.recommender.movies.movielens import WELL_KNOWN, MovieLensIndex, clear_choice
from stages.recommender.movies.titles import ParsedTitle, parse

THRESHOLD = 90.0
YEARS_APART = {"year_off_by_one": 1, "year_off_by_three": 3}
WITHOUT_A_YEAR = {"name_without_year", "beginning_without_year", "movie_without_year"}


def join(name: str, *movies: str, threshold: float = THRESHOLD) -> tuple[str | None, str]:
    """The movie that a name is joined to and the rule; a star marks a movie without tags."""
    titles = [movie.removeprefix("*") for movie in movies]
    tags = {number: 5 for number, movie in enumerate(movies) if not movie.startswith("*")}
    index = MovieLensIndex(range(len(movies)), titles, tags)
    (match,) = match_by_title([parse(name)], index, threshold)
    return (None if match.movie_id is None else titles[match.movie_id]), match.rule


# a name, the rule that joins it, and MovieLens' movies, the one it is joined to first
JOINED = [
    ("Toy Story (1995)", "exact", ["*Toy Story (1995)"]),
    ("The Matrix  (1999)", "exact", ["*Matrix, The (1999)"]),
    ("Spirited Away (2001)", "exact", ["*Spirited Away (Sen to Chihiro) (2001)"]),
    # two movies of one title and year: the only well-known one
    ("Frozen  (2010)", "exact", ["Frozen (2010)", "*Frozen (2010)"]),
    ("Holiday  (2006)", "exact", ["*Holiday (2006)", "Holiday, The (2006)"]),
    ("Why Him%3F (2016)", "exact", ["Why Him? (2016)"]),
    ("WALL-E (2008)", "title", ["WALL·E (2008)"]),
    (
        "Kill Bill: Volume 1 (2003)",
        "title",
        ["Kill Bill: Vol. 1 (2003)", "Kill Bill: Vol. 2 (2004)"],
    ),
    ("Oldboy  (2003)", "title", ["Old Boy (2003)"]),
    ("The Intouchables (2011)", "title", ["Intouchables (2011)"]),
    (
        "Naked Gun 33⅓: The Final Insult (1994)",
        "title",
        ["Naked Gun 33 1/3: The Final Insult (1994)"],
    ),
    ("Mad Max 2 (1981)", "alternative", ["*Road Warrior, The (Mad Max 2) (1981)"]),
    (
        "The Meyerowitz Stories (New and Selected) (2017)",
        "alternative",
        ["The Meyerowitz Stories (2017)"],
    ),
    ("Black Panther (2018)", "year_off_by_one", ["Black Panther (2017)"]),
    ("Hangover (2010)", "year_off_by_one", ["Hangover, The (2009)"]),
    ("Waiting for Guffman (1997)", "year_off_by_one", ["*Waiting for Guffman (1996)"]),
    ("Zootopia", "name_without_year", ["Zootopia (2016)"]),
    (
        "A Wrinkle in Time ",
        "name_without_year",
        ["A Wrinkle in Time (2018)", "*A Wrinkle in Time (2003)"],
    ),
    ("Thor ", "name_without_year", ["Thor (2011)", "Thor: The Dark World (2013)"]),
    ("Born in China", "name_without_year", ["*Born in China (2017)"]),
    (
        "Scary Movie ",
        "name_without_year",
        ["Scary Movie (2000)", "Scary Movie 2 (2001)", "Scary Movie 5 (Scary MoVie) (2013)"],
    ),
    ("Ready Player One  (2018)", "movie_without_year", ["*Ready Player One"]),
    ("Moonlight  (2016)", "movie_without_year", ["Moonlight", "*Moonlight (2002)"]),
    (
        "Jumanji  (2017)",
        "part_of_title",
        ["Jumanji: Welcome to the Jungle (2017)", "Jumanji (1995)"],
    ),
    (
        "The Empire Strikes Back (1980)",
        "part_of_title",
        ["*Star Wars: Episode V - The Empire Strikes Back (1980)"],
    ),
    ("Gnomeo & Juliet: Sherlock Gnomes (2018)", "part_of_title", ["Sherlock Gnomes (2018)"]),
    ("Madea Goes to Jail (2009)", "part_of_title", ["*Tyler Perry's Madea Goes to Jail (2009)"]),
    (
        "Anchorman ",
        "beginning_without_year",
        [
            "Anchorman: The Legend of Ron Burgundy (2004)",
            "Anchorman 2: The Legend Continues (2013)",
        ],
    ),
    ("Ice Age: The Meltdown (2006)", "number_left_out", ["*Ice Age 2: The Meltdown (2006)"]),
    ("Annabelle 2 (2017)", "sequel_number", ["Annabelle: Creation (2017)", "Annabelle (2014)"]),
    ("Judgement Night (1993)", "fuzzy", ["*Judgment Night (1993)"]),
    ("Maze Runner: The Scorch Trials (2015)", "fuzzy", ["Maze Runner: Scorch Trials (2015)"]),
    ("The Taking of Pelham 123  (2009)", "fuzzy", ["Taking of Pelham 1 2 3, The (2009)"]),
    ("Paranormal Activity (2007)", "year_off_by_three", ["Paranormal Activity (2009)"]),
]


@pytest.mark.parametrize(("name", "rule", "movies"), JOINED, ids=[row[0] for row in JOINED])
def test_joined(name: str, rule: str, movies: list[str]) -> None:
    assert join(name, *movies) == (movies[0].removeprefix("*"), rule)
    assert join(name, *reversed(movies)) == (movies[0].removeprefix("*"), rule)


# a name and MovieLens' movies, none of which is surely it
UNSURE = [
    # other movies of the title, other years
    ("Titanic (2012)", ["Titanic (1997)", "*Titanic: The Final Word (2012)"]),
    ("Ghost  (1998)", ["Ghost (1990)", "*Ghosts (1997)"]),
    # no movie among several is the well-known one
    ("Secret (2007)", ["*Secret (2007)", "*Secret (2007)", "*Secrets (2007)"]),
    ("Batman ", ["Batman (1989)", "Batman (1966)"]),
    ("Evil Dead", ["Evil Dead, The (1981)", "Evil Dead (2013)"]),
    ("Harry Potter ", ["Harry Potter and the Chamber of Secrets (2002)"]),
    ("Kill Bill", ["Kill Bill: Vol. 1 (2003)", "Kill Bill: Vol. 2 (2004)"]),
    # a series' name
    (
        "The Lord of the Rings ",
        ["Lord of the Rings, The (1978)", "Lord of the Rings: The Two Towers, The (2002)"],
    ),
    ("Star Trek ", ["Star Trek (2009)", "Star Trek: The Motion Picture (1979)"]),
    (
        "Bridget Jones ",
        ["Bridget Jones's Diary (2001)", "Bridget Jones: The Edge of Reason (2004)"],
    ),
    # articles and accents that make another title
    ("Take  (2007)", ["Take, The (2007)"]),
    ("Lóve (2011)", ["Love (2011)"]),
    ("The Bachelorette ", ["Bachelorette (2012)"]),
    ("The Wonder  (2016)", ["Wonder (2017)"]),
    # a single word is not enough beside another year
    ("Shutter  (2012)", ["*Shutter (2013)", "*Shutter (2004)"]),
    ("Waiting  (2015)", ["The Waiting (2016)", "*Waiting (2016)"]),
    ("Home  (2016)", ["*Home (2016)", "*Home (2016) ", "Home (2015)"]),
    # another movie of almost the same title
    ("The Blair Bitch Project (1999)", ["Blair Witch Project, The (1999)"]),
    ("Night of the Living Bread (1990)", ["Night of the Living Dead (1990)"]),
    ("The Prisoner  (2013)", ["Prisoners (2013)"]),
    ("City of Gold  (2010)", ["City of God (2011)"]),
    ("Battle of Los Angeles (2011)", ["Battle: Los Angeles (2011)"]),
    ("Police Story 3 (1992)", ["Police Story 2 (1992)"]),
    ("Cosmos Part II (2015)", ["Cosmos (2015)"]),
    ("Bad Boys  (2003)", ["Bad Boys II (2003)", "Bad Boys (1995)"]),
    ("Truth or Dare  (2013)", ["Truth (2013)"]),
    # no words at all
    (" (2007)", ["$ (2007)"]),
    ("???", ["??? (2007)"]),
    ("", ["Toy Story (1995)"]),
]


@pytest.mark.parametrize(("name", "movies"), UNSURE, ids=[row[0] for row in UNSURE])
def test_unsure(name: str, movies: list[str]) -> None:
    assert join(name, *movies) == (None, "none")


def test_of_a_movie_listed_twice_the_one_with_more_tags_is_taken() -> None:
    names = ["War of the Worlds (2005)", "War of the Worlds (2005)"]
    for tags, chosen in (({7: 1, 8: 3}, 8), ({7: 2, 8: 2}, 7)):
        index = MovieLensIndex([7, 8], names, tags)
        assert match_by_title([parse(names[0])], index, THRESHOLD) == [Match(chosen, "exact")]


def test_threshold_decides_how_alike_titles_have_to_be() -> None:
    # 2 * 14 letters in common of 15 + 14: 96.6
    assert join("Judgement Night (1993)", "Judgment Night (1993)", threshold=96.5)[1] == "fuzzy"
    assert join("Judgement Night (1993)", "Judgment Night (1993)", threshold=96.6)[1] == "none"


def test_well_known_are_the_movies_with_the_most_tags() -> None:
    names = ["First Movie (2000)", "Second Movie (2000)"]
    most = dict.fromkeys(range(10, 10 + WELL_KNOWN - 1), 9)
    index = MovieLensIndex([1, 2], names, most | {1: 4, 2: 3})
    first, second = (clear_choice(index.called(f"{n}movie", 2000)) for n in ("first", "second"))
    assert first is not None and second is not None
    assert (first.well_known, second.well_known) == (True, False)


def test_movies_after_the_newest_year_are_left_out() -> None:
    index = MovieLensIndex([1, 2], ["Scream (1996)", "Scream (2022)"], {1: 9, 2: 9}, newest=2018)
    assert match_by_title([parse("Scream")], index, THRESHOLD) == [Match(1, "name_without_year")]


def test_match_by_id_joins_equal_numbers() -> None:
    assert match_by_id([1, 2, 3], [3, 1]) == [Match(1, "id"), Match(None, "none"), Match(3, "id")]


words = ["star", "wars", "war", "of", "the", "worlds", "2", "ii", "part", "one", "alien", "aliens"]
words += ["It", "Lóve", "love", "judgement", "judgment", "Tyler Perry's"]
plain_title = st.lists(st.sampled_from(words), min_size=1, max_size=4).map(" ".join)
full_title = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "The ", "A "]),
    plain_title,
    st.one_of(st.just(""), st.builds("{}{}".format, st.sampled_from([": ", " - "]), plain_title)),
)
year = st.sampled_from(["", *(f" ({year})" for year in range(2000, 2006))])
name = st.builds("{}{}{}".format, full_title, st.sampled_from(["", " "]), year)
movie = st.builds(
    "{}{}{}".format,
    full_title,
    st.one_of(st.just(""), plain_title.map(lambda title: f" (a.k.a. {title})")),
    year,
)


@given(
    st.lists(st.one_of(name, st.text()), max_size=6),
    st.lists(st.tuples(st.one_of(movie, st.text()), st.integers(0, 2)), max_size=12),
    st.randoms(use_true_random=False),
)
def test_no_rule_reaches_further_than_it_says(
    names: list[str], movies: list[tuple[str, int]], chance: random.Random
) -> None:
    parsed = [parse(name) for name in names]
    numbers = list(range(len(movies)))
    matches = match(parsed, movies, numbers)
    assert len(matches) == len(names)
    for own, found in zip(parsed, matches, strict=True):
        assert (found.movie_id is None) == (found.rule == "none")
        if found.movie_id is None:
            continue
        other = parse(movies[found.movie_id][0])
        if found.rule in WITHOUT_A_YEAR:
            assert own.year is None or other.year is None
        else:
            assert own.year is not None and other.year is not None
            assert abs(own.year - other.year) <= YEARS_APART.get(found.rule, 0)
    chance.shuffle(numbers)
    assert match(parsed, movies, numbers) == matches


def match(
    names: list[ParsedTitle], movies: list[tuple[str, int]], numbers: list[int]
) -> list[Match]:
    """Join names to movies, given as title and tags, in the order of the numbers."""
    tags = {number: movies[number][1] for number in numbers if movies[number][1]}
    index = MovieLensIndex(numbers, [movies[number][0] for number in numbers], tags)
    return match_by_title(names, index, THRESHOLD)


def test_rules_have_the_names_that_the_tests_know() -> None:
    assert {rule for _, rule, _ in JOINED} == set(title_rules(THRESHOLD))
