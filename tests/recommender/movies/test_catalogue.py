from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.recommender.artifacts import DIALOGUE_SCHEMA
from stages.recommender.errors import UserError
from stages.recommender.movies.catalogue import Catalogue, best_name, build_catalogue


def dialogues(*rows: tuple[list[str | None], list[tuple[int | None, str | None]]]) -> pa.Table:
    """A table of dialogues, each given as its messages' texts and its listed movies."""
    full: list[dict[str, Any]] = [
        {
            "conversation_id": 100 + number,
            "initiator_id": 0,
            "respondent_id": 1,
            "messages": [{"sender_id": 0, "text": text} for text in texts],
            "movies": [{"movie_id": movie_id, "name": name} for movie_id, name in movies],
            "initiator_answers": [],
            "respondent_answers": [],
        }
        for number, (texts, movies) in enumerate(rows)
    ]
    return pa.Table.from_pylist(full, schema=DIALOGUE_SCHEMA)


def test_ids_come_from_messages_and_lists_of_all_splits_in_numeric_order() -> None:
    train = dialogues(
        (["I like @9 and @100", "@9!"], [(9, "Heat (1995)"), (20, "Up (2009)")]), (["@7"], [])
    )
    test = dialogues((["@100"], [(100, " Thor ")]))
    assert build_catalogue([train, test]) == Catalogue(
        redial_ids=[7, 9, 20, 100],
        names=[None, "Heat (1995)", "Up (2009)", " Thor "],
        mentions=[1, 2, 0, 2],
    )


def test_no_dialogues_no_movies() -> None:
    assert build_catalogue([dialogues()]) == Catalogue([], [], [])


def test_missing_texts_ids_and_names_are_passed_over() -> None:
    table = dialogues(([None, "no movie @ all"], [(None, "Heat (1995)"), (3, None), (4, "  ")]))
    assert build_catalogue([table]) == Catalogue([3, 4], [None, None], [0, 0])


def test_sliced_tables_count_their_own_rows_only() -> None:
    table = dialogues((["@1"], [(1, "A (2001)")]), (["@2"], [(2, "B (2002)")]))
    assert build_catalogue([table.slice(1)]) == Catalogue([2], ["B (2002)"], [1])


@pytest.mark.parametrize("digits", ["9223372036854775808", "9" * 5000])
def test_an_id_with_too_many_digits_is_named_with_its_dialogue(digits: str) -> None:
    table = dialogues((["@1", "@2"], []), ([], []), (["fine", f"see @{digits} please"], []))
    with pytest.raises(UserError, match=r"^dialogue 102 mentions a movie by more digits .*'@9"):
        build_catalogue([table])


def test_the_largest_id_is_one() -> None:
    assert build_catalogue([dialogues((["@9223372036854775807"], []))]).redial_ids == [2**63 - 1]


@pytest.mark.parametrize(
    ("spellings", "name"),
    [
        ({}, None),
        ({" ": 3}, None),
        ({"Heat (1995)": 1}, "Heat (1995)"),
        ({"Heat": 5, "Heat (1995)": 1}, "Heat (1995)"),
        ({"Heat (1995)": 1, "Heat  (1995)": 2}, "Heat  (1995)"),
        ({"b (2000)": 1, "a (2000)": 1}, "a (2000)"),
        ({" (2007)": 9, "Up": 1}, "Up"),
        ({" (2007)": 9}, " (2007)"),
    ],
)
def test_best_name(spellings: dict[str, int], name: str | None) -> None:
    assert best_name(spellings) == name
    assert best_name(dict(reversed(spellings.items()))) == name


@given(st.dictionaries(st.text(), st.integers(1, 9)))
def test_the_best_name_is_one_of_the_spellings(spellings: dict[str, int]) -> None:
    assert best_name(spellings) in {None, *spellings}
