"""Movies found by what is typed of their titles."""

import pytest
from test_linking import catalogue

ALIKE = [("Scary Movie", 2000)] * 20 + [("Scary Movies", 1999), ("Alien", 1979), ("Aliens", 1986)]


@pytest.mark.parametrize(
    ("query", "k", "expected"),
    [
        ("ali", 5, ["Alien (1979)", "Aliens (1986)"]),
        ("mov", 1, ["Scary Movie (2000)"]),
        ("aliens", 1, ["Aliens (1986)"]),
        # however many of other years are liker
        ("scry movie (1999)", 1, ["Scary Movies (1999)"]),
        ("alein (1986)", 2, ["Aliens (1986)"]),
        ("scary movie (1986)", 3, []),
        ("", 3, []),
        ("!", 3, []),
    ],
)
def test_movies_are_found_by_what_is_typed(query: str, k: int, expected: list[str]) -> None:
    assert [movie.name for movie in catalogue(ALIKE).search(query, k)] == expected
