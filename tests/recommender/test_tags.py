from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stages.recommender.artifacts import (
    MOVIE_SCHEMA,
    MOVIELENS_TAG_SCHEMA,
    TAG_EXAMPLE_SCHEMA,
)
from stages.recommender.errors import UserError
from stages.recommender.params import Tags
from stages.recommender.tags import HELD_OUT, TRAIN, tag_examples
from stages.recommender.tokens import load_tokenizer

Pairs = list[tuple[int, str]]


def params(
    max_per_movie: int = 50,
    min_characters: int = 3,
    held_out_fraction: float = 0.1,
    seed: int = 42,
    max_tokens: int = 16,
) -> Tags:
    return Tags(
        max_per_movie=max_per_movie,
        min_characters=min_characters,
        held_out_fraction=held_out_fraction,
        seed=seed,
        max_tokens=max_tokens,
    )


def tags(rows: Pairs) -> pa.Table:
    columns = {"movie_id": [movie for movie, _ in rows], "tag": [tag for _, tag in rows]}
    return pa.table(columns, schema=MOVIELENS_TAG_SCHEMA)


def movies(movielens_ids: Sequence[int | None]) -> pa.Table:
    """A catalogue whose movies are these MovieLens movies, in order."""
    rows = [
        {
            "index": index,
            "redial_id": 1_000 + index,
            "title": None,
            "year": None,
            "movielens_id": movielens_id,
            "match": "none" if movielens_id is None else "same title",
            "movielens_title": None,
            "genres": [],
        }
        for index, movielens_id in enumerate(movielens_ids)
    ]
    return pa.Table.from_pylist(rows, schema=MOVIE_SCHEMA)


def pairs(*tables: pa.Table) -> Pairs:
    return [(row["movie"], row["tag"]) for table in tables for row in table.to_pylist()]


def selected(encoder: Path, rows: Pairs, ids: Sequence[int | None], chosen: Tags) -> Pairs:
    """Both splits' tags, by movie and then in the order of the alphabet."""
    return sorted(pairs(*tag_examples([tags(rows)], movies(ids), encoder, chosen).values()))


def test_tags_go_to_the_catalogues_movies_and_to_no_others(tiny_encoder: Path) -> None:
    rows = [(7, "scary"), (5, "funny"), (99, "no such movie"), (7, "great"), (0, "an index")]
    assert selected(tiny_encoder, rows, [5, None, 7], params()) == [
        (0, "funny"),
        (2, "great"),
        (2, "scary"),
    ]


def test_each_of_several_movies_that_are_one_gets_its_tags(tiny_encoder: Path) -> None:
    rows = [(7, "scary"), (5, "funny"), (7, "great")]
    assert selected(tiny_encoder, rows, [7, 5, 7], params()) == [
        (0, "great"),
        (0, "scary"),
        (1, "funny"),
        (2, "great"),
        (2, "scary"),
    ]


def test_a_tag_is_trimmed_and_then_measured_in_characters(tiny_encoder: Path) -> None:
    rows = [
        (7, "  ab  "),
        (7, "\t abc\n"),
        (7, "\u00a0déj\u3000"),  # three characters of four bytes, between wide spaces
        (7, "de\u0301"),  # three code points
        (7, "日本"),
        (7, "   "),
        (7, ""),
        (7, "a b"),
    ]
    found = selected(tiny_encoder, rows, [7], params(min_characters=3))
    assert found == [(0, "a b"), (0, "abc"), (0, "de\u0301"), (0, "déj")]
    longer = selected(tiny_encoder, rows, [7], params(min_characters=1))
    assert [tag for _, tag in longer] == ["a b", "ab", "abc", "de\u0301", "déj", "日本"]


def test_a_movies_first_tags_are_taken_those_too_short_not_counted(tiny_encoder: Path) -> None:
    rows = [(7, "zz"), (7, "one"), (5, "other"), (7, "two"), (7, "x"), (7, "two"), (7, "four")]
    assert selected(tiny_encoder, rows, [7, 5, 7], params(max_per_movie=2)) == [
        (0, "one"),
        (0, "two"),
        (1, "other"),
        (2, "one"),
        (2, "two"),
    ]
    # a tag that two users gave counts twice
    assert selected(tiny_encoder, rows, [7], params(max_per_movie=3))[-2:] == [(0, "two")] * 2


def test_examples_have_the_tags_input_ids(tiny_encoder: Path) -> None:
    tables = tag_examples(
        [tags([(7, "Scary movies"), (7, "funny")])], movies([7]), tiny_encoder, params(max_tokens=4)
    )
    tokenizer = load_tokenizer(tiny_encoder, 100, keeps="start")
    expected = {tag: tokenizer.encode(tag).ids for tag in ("Scary movies", "funny")}
    assert len(expected["Scary movies"]) == 4  # [CLS] scary movies [SEP]
    for table in tables.values():
        assert table.schema.equals(TAG_EXAMPLE_SCHEMA)
        for row in table.to_pylist():
            assert row["input_ids"] == expected[row["tag"]]
    [short] = {
        len(row["input_ids"])
        for table in tag_examples(
            [tags([(7, "funny funny funny")] * 2)], movies([7]), tiny_encoder, params(max_tokens=4)
        ).values()
        for row in table.to_pylist()
    }
    assert short == 4


@pytest.mark.parametrize(
    ("count", "fraction", "held_out"),
    [(100, 0.1, 10), (14, 0.1, 1), (16, 0.1, 2), (2, 0.01, 1), (2, 0.99, 1), (5, 0.99, 4)],
)
def test_sizes_of_the_splits(
    tiny_encoder: Path, count: int, fraction: float, held_out: int
) -> None:
    rows = [(7, f"tag {number}") for number in range(count)]
    tables = tag_examples(
        [tags(rows)], movies([7]), tiny_encoder, params(1_000, held_out_fraction=fraction)
    )
    assert list(tables) == [TRAIN, HELD_OUT]
    assert tables[HELD_OUT].num_rows == held_out
    assert tables[TRAIN].num_rows == count - held_out


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.text("ab ", max_size=5)), max_size=30),
    st.lists(st.one_of(st.none(), st.integers(0, 4)), min_size=1, max_size=6),
    st.integers(1, 4),
    st.integers(1, 3),
)
def test_selection_is_what_a_plain_loop_gives(
    tiny_encoder: Path,
    rows: Pairs,
    ids: list[int | None],
    max_per_movie: int,
    min_characters: int,
) -> None:
    expected: Pairs = []
    for movie, movielens_id in enumerate(ids):
        own = [tag.strip() for given, tag in rows if given == movielens_id]
        long = [tag for tag in own if len(tag) >= min_characters]
        expected += [(movie, tag) for tag in long[:max_per_movie]]
    chosen = params(max_per_movie, min_characters)
    if len(expected) < 2:
        with pytest.raises(UserError, match=f"only {len(expected)} tags belong"):
            selected(tiny_encoder, rows, ids, chosen)
    else:
        found = selected(tiny_encoder, rows, ids, chosen)
        assert Counter(found) == Counter(expected)


def test_the_order_depends_on_the_seed_alone(tiny_encoder: Path) -> None:
    rows = [(number % 3, f"tag {number}") for number in range(60)]

    def examples(seed: int) -> dict[str, pa.Table]:
        return tag_examples([tags(rows)], movies([2, 0, 1]), tiny_encoder, params(seed=seed))

    first, again, other = examples(42), examples(42), examples(43)
    assert first == again
    assert pairs(*first.values()) != pairs(*other.values())
    assert sorted(pairs(*first.values())) == sorted(pairs(*other.values()))
    # shuffled over all movies, so that batches are mixed
    assert len({movie for movie, _ in pairs(first[TRAIN])[:15]}) == 3


def test_the_parts_in_which_the_archives_tags_come_do_not_matter(tiny_encoder: Path) -> None:
    rows = [(number % 2, f"tag {number}") for number in range(20)]
    table = tags(rows)
    parts = [table.slice(0, 7), table.slice(7, 0), table.slice(7)]
    chosen = params(max_per_movie=6)
    at_once, by_parts = (
        tag_examples(given, movies([0, 1]), tiny_encoder, chosen) for given in ([table], parts)
    )
    assert at_once == by_parts
    assert sum(examples.num_rows for examples in at_once.values()) == 12


@pytest.mark.parametrize(
    ("rows", "ids", "left"),
    [([], [7], 0), ([(5, "scary")] * 9, [7, None], 0), ([(7, "scary"), (7, "x")], [7], 1)],
)
def test_too_few_tags_to_split_are_told(
    tiny_encoder: Path, rows: Pairs, ids: list[int | None], left: int
) -> None:
    with pytest.raises(
        UserError,
        match=rf"only {left} tags belong to movies of the catalogue; .* lower tags\.min_characters",
    ):
        tag_examples([tags(rows)], movies(ids), tiny_encoder, params())
