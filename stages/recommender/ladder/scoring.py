"""The rungs' scores: with intervals, beside popularity, and against the rung before."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from stages.recommender.evaluation.intervals import Dialogues, Interval, holm
from stages.recommender.evaluation.rankings import Rankings
from stages.recommender.evaluation.scores import by_example
from stages.recommender.ladder.rungs import Repair

READINGS = ("all", "new")
METRIC, CUTOFF = "ndcg", 10


@dataclass(frozen=True)
class Answers:
    """What a rung answers, and what recommending the most popular movies would have answered.

    Attributes:
        repair: What is right from this rung on.
        model: Its rankings by reading, one for each training.
        popular: Likewise, one.
    """

    repair: Repair
    model: Mapping[str, Sequence[Rankings]]
    popular: Mapping[str, Sequence[Rankings]]


def scored(ladder: Sequence[Answers]) -> list[dict[str, Any]]:
    """Score each rung.

    Args:
        ladder: The rungs' answers, from the notebook upwards.

    Returns:
        For each rung ``name``, ``note``, the number of test ``examples``, and by column, such as
        ``all ndcg@10``: its ``scores`` and what ``popular`` scores on the same examples, both
        with intervals; and its ``changes`` from the rung before with the ``p_value`` of a paired
        test, corrected for the number of all changes. Where the test examples are not those of
        the rung before, there is no paired test and no entry.
    """
    found: list[dict[str, Any]] = [
        {
            "name": each.repair.name,
            "note": each.repair.note,
            "examples": len(each.model[READINGS[0]][0]),
            "scores": {_column(reading): _mean(each.model[reading]) for reading in READINGS},
            "popular": {_column(reading): _mean(each.popular[reading]) for reading in READINGS},
            "changes": {},
        }
        for each in ladder
    ]
    tests = list(_paired_tests(ladder))
    corrected = holm(np.array([p_value for *_, p_value in tests])).tolist()
    for (rung, column, change, _), p_value in zip(tests, corrected, strict=True):
        found[rung]["changes"][column] = asdict(change) | {"p_value": p_value}
    return found


def _paired_tests(ladder: Sequence[Answers]) -> list[tuple[int, str, Interval, float]]:
    """The rung's number, column, change and p value of each comparison with the rung before."""
    tests = []
    for number, (before, after) in enumerate(pairwise(ladder), start=1):
        for reading in READINGS:
            one, other = before.model[reading][0], after.model[reading][0]
            if _same_examples(one, other):
                change = _values(after.model[reading]) - _values(before.model[reading])
                dialogues = Dialogues(one.conversation_id)
                [interval] = dialogues.means(change)
                [p_value] = dialogues.sign_flip_p_values(change).tolist()
                tests.append((number, _column(reading), interval, p_value))
    return tests


def _same_examples(one: Rankings, other: Rankings) -> bool:
    return (
        np.array_equal(one.conversation_id, other.conversation_id)
        and one.labels.to_rows() == other.labels.to_rows()
    )


def _mean(trainings: Sequence[Rankings]) -> dict[str, float]:
    [interval] = Dialogues(trainings[0].conversation_id).means(_values(trainings))
    return asdict(interval)


def _values(trainings: Sequence[Rankings]) -> np.ndarray:
    """The score of each example, the mean of all trainings: (examples, 1)."""
    return by_example(trainings, METRIC, CUTOFF)[:, None]


def _column(reading: str) -> str:
    return f"{reading} {METRIC}@{CUTOFF}"
