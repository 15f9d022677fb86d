import pytest

from stages.recommender.dialogues.text import join, text_form


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("masked", "I love @ and @, not @."),
        ("ids", "I love @12 and @3, not @44."),
        ("titles", "I love Jaws and Alien \\1, not @."),
    ],
)
def test_forms(form: str, expected: str) -> None:
    rewrite = text_form(form, {12: "Jaws", 3: "Alien \\1"})
    assert rewrite("I love @12 and @3, not @44.") == expected


def test_at_sign_that_names_no_movie_stays() -> None:
    assert text_form("masked", {})("me@home @ 5") == "me@home @ 5"


def test_unknown_form() -> None:
    with pytest.raises(ValueError, match="shouted"):
        text_form("shouted", {})


def test_join() -> None:
    assert join(["a", "b"]) == "a [SEP] b"
