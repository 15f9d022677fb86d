from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.testing import assert_array_equal
from whole_rankings import whole_rankings

from stages.recommender.artifacts import RANKING_SCHEMA, read_table, write_table
from stages.recommender.errors import UserError
from stages.recommender.evaluation.movie_lists import MovieLists
from stages.recommender.evaluation.rankings import DEPTH, Rankings, fresh, new, top


def rankings(mentions: list[list[int]], labels: list[list[int]], best: list[list[int]]) -> Rankings:
    padded = [row + [-1] * (DEPTH - len(row)) for row in best]
    return whole_rankings(padded, mentions, labels)


def ranked(found: Rankings) -> list[list[int]]:
    return [[movie for movie in row if movie >= 0] for row in found.ranking.tolist()]


few_scores = st.sampled_from(
    [0.0, -0.0, 1.0, -1.0, 1e-45, -1e-45, 3.4e38, float("inf"), float("-inf")]
)


@given(
    arrays.arrays(np.float32, arrays.array_shapes(min_dims=2, max_dims=2), elements=few_scores),
    st.integers(1, 12),
)
@settings(deadline=None)
def test_top_is_a_stable_sort(scores: np.ndarray, depth: int) -> None:
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :depth]
    assert_array_equal(top(scores, depth), expected)


def test_top_of_many_rows_and_movies() -> None:
    scores = np.random.default_rng(0).integers(0, 50, (1_100, 300)).astype(np.float32)
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :DEPTH]
    assert_array_equal(top(scores), expected)
    assert top(scores).dtype == np.int32


def test_top_of_nothing() -> None:
    assert top(np.empty((0, 300), dtype=np.float32)).shape == (0, DEPTH)
    assert top(np.empty((0, 3), dtype=np.float32)).shape == (0, 3)


def test_top_refuses_a_score_that_is_no_number() -> None:
    with pytest.raises(ValueError, match="no number"):
        top(np.array([[1, np.nan]], dtype=np.float32))


def test_new_takes_mentions_out_of_labels_and_rankings() -> None:
    found = new(
        rankings(
            mentions=[[3, 1, 3], [2], []],
            labels=[[1, 2], [2], [0, 5]],
            best=[[1, 2, 3, 0], [2, 1, 0, 3], [3, 2, 1, 0]],
        )
    )
    assert found.conversation_id.tolist() == [0, 2]
    assert found.labels.to_rows() == [[2], [0, 5]]
    assert ranked(found) == [[2, 0], [3, 2, 1, 0]]
    assert found.ranking.shape == (2, DEPTH)


movies = st.lists(st.integers(0, 150), max_size=40)


@given(st.lists(st.tuples(movies, st.sets(st.integers(0, 150), min_size=1)), min_size=1))
@settings(deadline=None)
def test_new_leaves_nothing_mentioned_and_drops_nothing_else(
    requests: list[tuple[list[int], set[int]]],
) -> None:
    best = np.random.default_rng(0).permutation(151)[:DEPTH].tolist()
    before = rankings(
        [mentions for mentions, _ in requests],
        [sorted(labels) for _, labels in requests],
        [best] * len(requests),
    )
    after = new(before)
    expected = [
        (row, sorted(labels - set(mentions)), [m for m in best if m not in mentions])
        for row, (mentions, labels) in enumerate(requests)
        if labels - set(mentions)
    ]
    assert after.conversation_id.tolist() == [row for row, _, _ in expected]
    assert after.labels.to_rows() == [labels for _, labels, _ in expected]
    assert ranked(after) == [left for _, _, left in expected]
    assert all(len(row) >= 50 for row in ranked(after))
    again = new(after)
    assert_array_equal(again.ranking, after.ranking)
    assert again.labels.to_rows() == after.labels.to_rows()


def test_new_refuses_more_mentions_than_the_depth_allows() -> None:
    new(rankings([list(range(50)) * 2], [[60]], [[60]]))
    told = (
        "^reading whole: a request of conversation 1 mentions 51 movies, but a ranking of 100 can "
        "be scored without 50 of them at most; shorten that conversation"
    )
    with pytest.raises(UserError, match=told):
        new(rankings([[1], list(range(51))], [[60], [60]], [[60], [60]]))


def test_fresh_drops_what_either_has_mentioned() -> None:
    found = fresh(rankings([[4], [4]], [[4], [4, 5]], [[4, 5], [4, 5]]))
    assert found.conversation_id.tolist() == [1]
    assert ranked(found) == [[5]]


def test_without_takes_each_row_its_own() -> None:
    found = rankings([[], []], [[1], [1]], [[1, 2, 3], [1, 2, 3]])
    assert ranked(found.without(MovieLists.from_rows([[1], [2]]))) == [[2, 3], [1, 3]]


def test_go_through_a_file_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "rankings.parquet"
    whole = rankings([[1, 1], []], [[2], [0]], [[2, 1, 0], [0]])
    tables = pa.concat_tables([whole.to_table(), whole.to_table()])
    turn = pa.array(["whole"] * 2 + ["turn"] * 2)
    write_table(path, tables.set_column(0, "reading", turn), RANKING_SCHEMA)
    read = Rankings.from_table(read_table(path, RANKING_SCHEMA, "train"), "whole")
    assert read.reading == "whole"
    assert_array_equal(read.conversation_id, whole.conversation_id)
    assert_array_equal(read.turn, whole.turn)
    assert_array_equal(read.ranking, whole.ranking)
    assert read.mentions.to_rows() == whole.mentions.to_rows()
    assert read.labels.to_rows() == whole.labels.to_rows()
    with pytest.raises(ValueError, match="no ranking of reading before"):
        Rankings.from_table(tables, "before")


def test_from_scores_keeps_the_best_beside_the_examples() -> None:
    examples = pa.table(
        {
            "conversation_id": pa.array([7], pa.int64()),
            "turn": pa.array([2], pa.int32()),
            "mentions": pa.array([[0]], pa.list_(pa.int32())),
            "labels": pa.array([[1]], pa.list_(pa.int32())),
        }
    )
    found = Rankings.from_scores(examples, "turn", np.array([[0.5, 2.0, 1.0]], dtype=np.float32))
    assert ranked(found) == [[1, 2, 0]]
    assert found.to_table()["ranking"].to_pylist() == [[1, 2, 0]]
    assert (found.conversation_id[0], found.turn[0]) == (7, 2)
