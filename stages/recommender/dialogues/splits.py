"""Which dialogue is for training, which for selection, which for the final score."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

TRAIN, VALIDATION, TEST = "train", "validation", "test"
SPLITS = (TRAIN, VALIDATION, TEST)


def draw(conversations: Sequence[int], fraction: float, seed: int) -> NDArray[np.bool_]:
    """A random part of the conversations, the same for the same ids in any order.

    Args:
        conversations: Distinct ids.
        fraction: The part to draw, 0 to 1, rounded to whole conversations.
        seed: Of the draw.

    Returns:
        For each conversation, whether it was drawn.
    """
    ids = np.asarray(conversations, dtype=np.int64)
    shuffled = np.random.default_rng(seed).permutation(np.sort(ids))
    return np.isin(ids, shuffled[: round(fraction * len(ids))])


def assign_training_file(
    conversations: Sequence[int], test_fraction: float, validation_fraction: float, seed: int
) -> tuple[list[str], list[str]]:
    """Both ways to split the dialogues of ReDial's training file.

    Args:
        conversations: Distinct ids of the training file's dialogues.
        test_fraction: The part that the paper's split holds out as its test split.
        validation_fraction: The part of the training dialogues that selects the epoch.
        seed: Of the draws.

    Returns:
        The official assignment (train or validation; ReDial's own test file is the test split),
        and the paper's (train, validation or test).
    """
    official = _mark(draw(conversations, validation_fraction, seed), VALIDATION, TRAIN)
    in_test = draw(conversations, test_fraction, seed + 1)
    rest = [c for c, test in zip(conversations, in_test, strict=True) if not test]
    in_validation = dict(zip(rest, draw(rest, validation_fraction, seed + 2).tolist(), strict=True))
    paper = [
        TEST if test else (VALIDATION if in_validation[c] else TRAIN)
        for c, test in zip(conversations, in_test, strict=True)
    ]
    return official, paper


def _mark(drawn: NDArray[np.bool_], yes: str, no: str) -> list[str]:
    return [yes if chosen else no for chosen in drawn.tolist()]
