from collections.abc import Sequence

import numpy as np
import pytest
from whole_rankings import whole_rankings

from stages.recommender.ablation.scoring import TESTED, changes, ndcg_column, scored
from stages.recommender.evaluation.movie_lists import MovieLists
from stages.recommender.evaluation.rankings import Rankings

DIALOGUES = 12
SECOND_RANK = 1 / np.log2(3)
READINGS = ("all", "new", "before", "turn", "turn fresh")


def rankings(best: Sequence[int], labels: Sequence[int] = (3,)) -> Rankings:
    """The same labels for every dialogue, the same movies ranked."""
    return whole_rankings([list(best)] * DIALOGUES, [[]] * DIALOGUES, [list(labels)] * DIALOGUES)


def answers(*trainings: Rankings) -> dict[str, list[Rankings]]:
    return {reading: list(trainings) for reading in READINGS}


def test_scores_are_the_mean_of_the_trainings() -> None:
    [found] = scored([answers(rankings([3, 1]), rankings([1, 3]))])
    mean = (1 + SECOND_RANK) / 2
    for reading in TESTED:
        expected = {"value": mean, "low": mean, "high": mean}
        assert found[ndcg_column(reading)] == pytest.approx(expected)
    assert found["turn micro recall@1"]["value"] == pytest.approx(0.5)
    assert found["turn fresh micro recall@10"]["value"] == pytest.approx(1.0)
    assert len(found) == 4 + 2 * 3


def test_micro_recall_counts_labels() -> None:
    full = answers(rankings([3, 4]))
    # three labels in the first dialogue's one turn, one in the others'
    some = rankings([3, 4])
    labels = MovieLists.from_rows([[3, 4, 5]] + [[3]] * (DIALOGUES - 1))
    uneven = Rankings(
        some.reading, some.conversation_id, some.turn, some.mentions, labels, some.ranking
    )
    [found] = scored([full | {"turn": [uneven]}])
    assert found["turn micro recall@10"]["value"] == pytest.approx(
        (2 + DIALOGUES - 1) / (3 + DIALOGUES - 1)
    )


def test_changes_are_tested_in_pairs_and_corrected_for_their_number() -> None:
    full = answers(rankings([3, 1]))
    worse, same = answers(rankings([1, 3])), answers(rankings([3, 1]))
    lost, unchanged = changes(full, [worse, same])
    for reading in TESTED:
        change = dict(lost[ndcg_column(reading)])
        # all twelve lose: 2 of 4096 signs are as far from 0; eight changes were tested
        assert change.pop("p_value") == pytest.approx(8 * 2 / 2**DIALOGUES, abs=0.004)
        expected = dict.fromkeys(("value", "low", "high"), SECOND_RANK - 1)
        assert change == pytest.approx(expected)
        assert unchanged[ndcg_column(reading)] == {
            "value": 0.0,
            "low": 0.0,
            "high": 0.0,
            "p_value": 1.0,
        }
