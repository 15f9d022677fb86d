import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.recommender.movies.keys import title_key, title_parts, title_words, without_numbers


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("The Godfather: Part II", "godfather 2"),
        ("Kill Bill: Volume One", "kill bill 1"),
        ("Seal Team Eight", "seal team 8"),
        ("Insidious: Chapter 4", "insidious 4"),
        ("Episode 50", "episode 50"),
        ("Part of Me", "part of me"),
        ("The Part", "part"),
        ("The", "the"),
        ("...", ""),
    ],
)
def test_title_words(title: str, words: str) -> None:
    assert title_words(title) == words


def test_title_key_joins_words_but_not_numbers() -> None:
    assert title_key("spider man 2") == title_key("spiderman 2") == "spiderman2"
    assert title_key("naked gun 2 1 2") == "nakedgun2 1 2" != title_key("naked gun 21 2")


def test_without_numbers() -> None:
    assert without_numbers("saw 7 3d final chapter") == "saw final chapter"
    assert without_numbers("se7en") == "se7en"


@pytest.mark.parametrize(
    ("title", "parts"),
    [
        ("Toy Story", []),
        ("Borat: Cultural Learnings of America", ["borat", "cultural learnings of america"]),
        (
            "Star Wars: Episode V - The Empire Strikes Back",
            [
                "star wars",
                "star wars 5",
                "episode 5 the empire strikes back",
                "empire strikes back",
            ],
        ),
        ("Dr. Strangelove or: How I Learned", ["dr strangelove", "how i learned"]),
        ("Birdman: Or", ["birdman", "or"]),
        ("Tyler Perry's Madea Goes to Jail", ["madea goes to jail"]),
        ("Dr. Seuss' The Lorax", ["lorax"]),
        ("Cheech and Chong's Up in Smoke", ["up in smoke"]),
        ("Howl's Moving Castle", []),
        ("My Best Friend's Wedding", []),
        ("The Hitman's Bodyguard", []),
        ("Truth or Dare", []),
        ("Spider-Man", []),
    ],
)
def test_title_parts(title: str, parts: list[str]) -> None:
    assert title_parts(title) == parts


@given(st.text())
def test_any_title_has_words_key_and_parts(title: str) -> None:
    words = title_words(title)
    assert title_key(words).replace(" ", "") == words.replace(" ", "")
    assert all(title_parts(title))
