import math

import pytest
import torch

from stages.recommender.modeling.losses import (
    TRAINERS,
    binary_cross_entropy,
    focal_loss,
    softmax_cross_entropy,
    tag_loss,
)
from stages.recommender.params import Focal, Loss

LOGITS = torch.tensor([[0.0, math.log(3.0)]])  # probabilities 1/2 and 3/4
TARGETS = torch.tensor([[1.0, 0.0]])


def loss_params(
    pos_weight: float | str = 1200, focal: bool = False, reduction: str = "mean"
) -> Loss:
    return Loss(
        reduction=reduction,  # type: ignore[arg-type]
        pos_weight=pos_weight,  # type: ignore[arg-type]
        tag_weight=0.001,
        focal=Focal(enabled=focal, alpha=0.5, gamma=2.0),
    )


def test_binary_cross_entropy_by_hand() -> None:
    expected = (math.log(2) + math.log(4)) / 2
    assert binary_cross_entropy(LOGITS, TARGETS).item() == pytest.approx(expected)


def test_pos_weight_counts_positives_only() -> None:
    expected = (10 * math.log(2) + math.log(4)) / 2
    assert binary_cross_entropy(LOGITS, TARGETS, 10.0).item() == pytest.approx(expected)


def test_focal_loss_by_hand() -> None:
    # the right answers' probabilities are 1/2 and 1/4
    expected = (0.5 * 0.25 * math.log(2) + 0.5 * 0.5625 * math.log(4)) / 2
    assert focal_loss(LOGITS, TARGETS, alpha=0.5, gamma=2.0).item() == pytest.approx(expected)


def test_focal_loss_without_focus_is_cross_entropy() -> None:
    plain = binary_cross_entropy(LOGITS, TARGETS)
    torch.testing.assert_close(focal_loss(LOGITS, TARGETS, alpha=1.0, gamma=0.0), plain)


def test_softmax_cross_entropy_by_hand() -> None:
    # a softmax gives 1/8, 3/8 and 4/8; the first request's two labels share a probability of 1
    logits = torch.log(torch.tensor([[1.0, 3.0, 4.0], [1.0, 3.0, 4.0]]))
    targets = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    first, second = (math.log(8) + math.log(2)) / 2, math.log(8 / 3)
    expected = (first + second) / 2
    assert softmax_cross_entropy(logits, targets).item() == pytest.approx(expected)


def test_tag_loss_by_hand() -> None:
    assert tag_loss(LOGITS, torch.tensor([1])).item() == pytest.approx(math.log(4 / 3))


def test_original_trainer() -> None:
    objective = TRAINERS["original"](loss_params(), 6636, 3.0)
    plain = binary_cross_entropy(LOGITS, TARGETS)
    torch.testing.assert_close(objective.dialogue_loss(LOGITS, TARGETS), plain)
    assert objective.tag_weight == 1.0


def test_original_trainer_summed_over_movies_by_hand() -> None:
    objective = TRAINERS["original"](loss_params(reduction="sum"), 6636, 3.0)
    logits, targets = LOGITS.expand(3, 2), TARGETS.expand(3, 2)
    expected = math.log(2) + math.log(4)  # however many requests
    assert objective.dialogue_loss(logits, targets).item() == pytest.approx(expected)
    assert objective.tag_weight == 1.0


@pytest.mark.parametrize(("pos_weight", "factor"), [(1200, 1200.0), ("auto", 2212.0)])
def test_weighted_trainer(pos_weight: float | str, factor: float) -> None:
    objective = TRAINERS["weighted"](loss_params(pos_weight), 6636, 3.0)
    expected = (factor * math.log(2) + math.log(4)) / 2
    assert objective.dialogue_loss(LOGITS, TARGETS).item() == pytest.approx(expected)
    assert objective.tag_weight == 0.001


def test_weighted_trainer_with_focal_loss() -> None:
    objective = TRAINERS["weighted"](loss_params(focal=True), 6636, 3.0)
    torch.testing.assert_close(
        objective.dialogue_loss(LOGITS, TARGETS), focal_loss(LOGITS, TARGETS, 0.5, 2.0)
    )
