from dataclasses import replace

import numpy as np
import pytest

from stages.recommender.evaluation import metrics
from stages.recommender.evaluation.movie_lists import MovieLists
from stages.recommender.evaluation.rankings import DEPTH, Rankings
from stages.recommender.evaluation.scores import by_example, score


@pytest.fixture
def turns() -> Rankings:
    """Two turns of one dialogue and one of another, best movies 0, 1, 2, ... in each."""
    ranking = np.tile(np.arange(DEPTH, dtype=np.int32), (3, 1))
    return Rankings(
        "turn",
        np.array([5, 5, 6]),
        np.array([1, 3, 1], dtype=np.int32),
        MovieLists.from_rows([[], [], []]),
        MovieLists.from_rows([[0], [1, 20, 60], [300]]),
        ranking,
    )


def test_every_score_by_hand(turns: Rankings) -> None:
    counts = np.arange(400)
    found = score([turns], 400, counts, resamples=99)
    values = {key: each.value for key, each in found.intervals.items()}
    second = (1 / np.log2(3)) / (1 + 1 / np.log2(3) + 1 / 2)
    assert (found.examples, found.labels) == (3, 5)
    assert values["ndcg@10"] == pytest.approx((1 + second) / 3)
    assert values["recall@10"] == pytest.approx((1 + 1 / 3) / 3)
    assert values["recall@50"] == pytest.approx((1 + 2 / 3) / 3)
    assert values["mrr@10"] == pytest.approx((1 + 1 / 2) / 3)
    assert values["hit@1"] == pytest.approx(1 / 3)
    assert values["hit@50"] == pytest.approx(2 / 3)
    assert values["micro recall@1"] == pytest.approx(1 / 5)
    assert values["micro recall@10"] == pytest.approx(2 / 5)
    assert values["micro recall@50"] == pytest.approx(3 / 5)
    assert values["popularity@10"] == pytest.approx(4.5)
    assert found.coverage == {"coverage@1": 1 / 400, "coverage@10": 10 / 400, "coverage@50": 1 / 8}


def test_intervals_resample_dialogues(turns: Rankings) -> None:
    # dialogue 5 holds 3 of its 4 labels among the first 50, dialogue 6 none of its one
    interval = score([turns], 400, np.arange(400)).intervals["micro recall@50"]
    assert interval.value == pytest.approx(3 / 5)
    assert (interval.low, interval.high) == (0, 3 / 4)


def test_by_example_is_what_models_are_compared_by(turns: Rankings) -> None:
    expected = metrics.ndcg(turns.ranking, turns.labels, 10)
    assert by_example([turns], "ndcg", 10).tolist() == expected.tolist()


def test_trainings_are_averaged(turns: Rankings) -> None:
    other = replace(turns, ranking=turns.ranking[:, ::-1].copy(), repeat=1)
    both = score([turns, other], 400, np.arange(400), resamples=99)
    alone = [score([each], 400, np.arange(400), resamples=99) for each in (turns, other)]
    for key, found in both.intervals.items():
        expected = np.mean([each.intervals[key].value for each in alone])
        assert found.value == pytest.approx(expected)
    assert both.coverage["coverage@10"] == 10 / 400
    assert (both.examples, both.labels) == (3, 5)
    first = metrics.ndcg(turns.ranking, turns.labels, 10)
    second = metrics.ndcg(other.ranking, other.labels, 10)
    assert by_example([turns, other], "ndcg", 10).tolist() == ((first + second) / 2).tolist()


def test_nothing_to_score_is_refused(turns: Rankings) -> None:
    with pytest.raises(ValueError, match="no examples"):
        score([turns.keep(np.zeros(3, dtype=bool))], 400, np.arange(400))
