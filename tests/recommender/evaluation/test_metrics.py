import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.metrics import coverage_error, ndcg_score

from stages.recommender.evaluation import metrics
from stages.recommender.evaluation.metrics import Labels
from stages.recommender.evaluation.rankings import top

LOG2_3 = np.log2(3)


def ranking(*rows: list[int]) -> metrics.Rankings:
    return np.array(rows, dtype=np.int32)


@st.composite
def scored_examples(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, int]:
    """Distinct scores, multi-hot labels and a cutoff, which may pass both."""
    examples, movies = draw(st.integers(1, 4)), draw(st.integers(2, 12))
    scores = [draw(st.permutations(range(movies))) for _ in range(examples)]
    hot = st.lists(st.booleans(), min_size=movies, max_size=movies)
    labels = [draw(hot) for _ in range(examples)]
    return np.array(scores, dtype=np.float32), np.array(labels), draw(st.integers(1, 15))


@given(scored_examples())
@settings(deadline=None)
def test_ndcg_is_that_of_scikit_learn(case: tuple[np.ndarray, np.ndarray, int]) -> None:
    scores, hot, k = case
    labels = Labels.from_rows([np.flatnonzero(row).tolist() for row in hot])
    ours = metrics.ndcg(top(scores), labels, k)
    theirs = [ndcg_score(hot[[i]], scores[[i]], k=k, ignore_ties=True) for i in range(len(hot))]
    assert_allclose(ours, theirs, atol=1e-12)


@given(scored_examples())
@settings(deadline=None)
def test_the_other_metrics_are_those_of_a_plain_loop(
    case: tuple[np.ndarray, np.ndarray, int],
) -> None:
    scores, hot, k = case
    rows = [np.flatnonzero(row).tolist() for row in hot]
    labels, rankings = Labels.from_rows(rows), top(scores)
    for i, wanted in enumerate(rows):
        found = [rank for rank, movie in enumerate(rankings[i][:k], 1) if movie in wanted]
        assert metrics.labels_found(rankings, labels, k)[i] == len(found)
        assert metrics.hit_rate(rankings, labels, k)[i] == bool(found)
        assert metrics.reciprocal_rank(rankings, labels, k)[i] == (1 / found[0] if found else 0)
        expected = len(found) / len(wanted) if wanted else 0
        assert metrics.recall(rankings, labels, k)[i] == expected


def test_the_last_label_is_found_where_scikit_learn_says() -> None:
    generator = np.random.default_rng(0)
    scores = generator.permuted(np.tile(np.arange(40), (30, 1)), axis=1).astype(np.float32)
    hot = generator.random((30, 40)) < 0.1
    hot[:, 0] = True
    labels = Labels.from_rows([np.flatnonzero(row).tolist() for row in hot])
    recalls = np.stack([metrics.recall(top(scores), labels, k) for k in range(1, 41)])
    depth = (recalls < 1).sum(axis=0) + 1
    assert depth.mean() == coverage_error(hot, scores)


def test_values_by_hand() -> None:
    rankings = ranking([4, 1, 7], [1, 2, 3], [5, 6, 7])
    labels = Labels.from_rows([[1, 7, 9], [1], [2]])
    first = (1 / LOG2_3 + 1 / 2) / (1 + 1 / LOG2_3 + 1 / 2)
    assert_allclose(metrics.ndcg(rankings, labels, 3), [first, 1, 0])
    assert_allclose(metrics.ndcg(rankings, labels, 2), [(1 / LOG2_3) / (1 + 1 / LOG2_3), 1, 0])
    assert_allclose(metrics.recall(rankings, labels, 3), [2 / 3, 1, 0])
    assert_allclose(metrics.reciprocal_rank(rankings, labels, 3), [1 / 2, 1, 0])
    assert metrics.reciprocal_rank(rankings, labels, 1).tolist() == [0, 1, 0]
    assert metrics.hit_rate(rankings, labels, 3).tolist() == [1, 1, 0]
    assert metrics.labels_found(rankings, labels, 3).tolist() == [2, 1, 0]


def test_no_label_is_no_score() -> None:
    labels = Labels.from_rows([[]])
    for metric in (metrics.ndcg, metrics.recall, metrics.reciprocal_rank, metrics.hit_rate):
        assert metric(ranking([1, 2]), labels, 2).tolist() == [0]


def test_more_labels_than_places_can_all_be_right() -> None:
    labels = Labels.from_rows([[0, 1, 2, 3, 4]])
    assert metrics.ndcg(ranking([4, 2]), labels, 2).tolist() == [1]
    assert metrics.recall(ranking([4, 2]), labels, 2).tolist() == [2 / 5]


def test_fewer_movies_than_places() -> None:
    labels = Labels.from_rows([[1]])
    assert_allclose(metrics.ndcg(ranking([0, 1]), labels, 10), [1 / LOG2_3])
    assert_allclose(metrics.ndcg(ranking([0, 1, -1, -1]), labels, 10), [1 / LOG2_3])


def test_an_empty_place_is_never_a_hit() -> None:
    # indices that would be equal if rows ran into one another
    hit = metrics.hits(ranking([-1, -1], [-1, -1]), Labels.from_rows([[5], [0, 4, 5]]))
    assert not hit.any()


def test_no_examples_have_no_values() -> None:
    empty = np.empty((0, 5), dtype=np.int32)
    assert metrics.ndcg(empty, Labels.from_rows([]), 3).shape == (0,)


def test_coverage_and_popularity_by_hand() -> None:
    rankings = ranking([0, 1, 3], [1, -1, -1], [-1, -1, -1])
    counts = np.array([10, 4, 0, 1])
    assert metrics.coverage(rankings, 4, 1) == 2 / 4
    assert metrics.coverage(rankings, 4, 3) == 3 / 4
    assert metrics.popularity(rankings, counts, 2).tolist() == [7, 4, 0]
    assert metrics.popularity(rankings, counts, 3).tolist() == [5, 4, 0]


def test_a_cutoff_is_at_least_one() -> None:
    with pytest.raises(ValueError, match="the cutoff is 0"):
        metrics.ndcg(ranking([0]), Labels.from_rows([[0]]), 0)
