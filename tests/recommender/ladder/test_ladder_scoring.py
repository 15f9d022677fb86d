from collections.abc import Sequence

import numpy as np
import pytest
from whole_rankings import whole_rankings

from stages.recommender.evaluation.rankings import Rankings
from stages.recommender.ladder.rungs import Repair
from stages.recommender.ladder.scoring import Answers, scored

COLUMNS = ["all ndcg@10", "new ndcg@10"]
SECOND_RANK = 1 / np.log2(3)
DIALOGUES = 12


def rankings(best: Sequence[int], label: int = 3) -> Rankings:
    """The same label for every dialogue, the same movies ranked."""
    return whole_rankings([list(best)] * DIALOGUES, [[]] * DIALOGUES, [[label]] * DIALOGUES)


def answers(name: str, *trainings: Rankings) -> Answers:
    popular = [rankings([0, 1, 2])]
    of_model = dict.fromkeys(("all", "new"), trainings)
    return Answers(Repair(name, "what was wrong"), of_model, dict.fromkeys(("all", "new"), popular))


def test_a_rung_has_the_mean_of_its_trainings_and_popularitys_score() -> None:
    [rung] = scored([answers("one", rankings([3, 1, 2]), rankings([1, 3, 2]))])
    assert (rung["name"], rung["note"], rung["examples"]) == ("one", "what was wrong", DIALOGUES)
    for column in COLUMNS:
        mean = (1 + SECOND_RANK) / 2
        assert rung["scores"][column] == pytest.approx({"value": mean, "low": mean, "high": mean})
        assert rung["popular"][column] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert rung["changes"] == {}


def test_changes_are_tested_in_pairs_and_corrected_for_their_number() -> None:
    rungs = scored(
        [
            answers("one", rankings([1, 2, 4])),
            answers("two", rankings([1, 3, 2])),
            answers("three", rankings([1, 3, 2])),
        ]
    )
    # all twelve dialogues gain: 2 of 4096 signs are as far from 0; four changes were tested
    gained = rungs[1]["changes"]["all ndcg@10"]
    p_value = gained.pop("p_value")
    assert gained == pytest.approx(dict.fromkeys(("value", "low", "high"), SECOND_RANK))
    assert p_value == pytest.approx(4 * 2 / 2**DIALOGUES, abs=0.002)
    unchanged = rungs[2]["changes"]["new ndcg@10"]
    assert unchanged == {"value": 0.0, "low": 0.0, "high": 0.0, "p_value": 1.0}


def test_rungs_scored_on_other_examples_are_not_compared() -> None:
    rungs = scored(
        [
            answers("one", rankings([3, 1, 2])),
            answers("two", rankings([3, 1, 2], label=1)),
            answers("three", rankings([1, 3, 2], label=1)),
        ]
    )
    assert [list(rung["changes"]) for rung in rungs] == [[], [], COLUMNS]
