"""What a trainer minimises: the dialogues' loss, and the weight of the tags' loss beside it.

A trainer is one function here that makes an :class:`Objective`, one entry in :data:`TRAINERS` and
one in ``params.yaml``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from stages.recommender.params import Loss


@dataclass(frozen=True)
class Objective:
    """A trainer's loss."""

    dialogue_loss: Callable[[Tensor, Tensor], Tensor]
    """From logits and multi-hot targets, both (requests, movies), to a scalar."""
    tag_weight: float
    """Of the tags' cross-entropy, added to the dialogues' loss."""


def binary_cross_entropy(logits: Tensor, targets: Tensor, pos_weight: float = 1.0) -> Tensor:
    """Mean binary cross-entropy over requests and movies.

    Args:
        logits: (requests, movies)
        targets: Multi-hot. (requests, movies)
        pos_weight: Factor on the positive labels' terms.
    """
    weight = torch.full((), pos_weight, device=logits.device)
    return functional.binary_cross_entropy_with_logits(logits, targets, pos_weight=weight)


def summed_binary_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Binary cross-entropy, summed over movies, its mean over requests.

    Args:
        logits: (requests, movies)
        targets: Multi-hot. (requests, movies)
    """
    return logits.shape[1] * binary_cross_entropy(logits, targets)


def focal_loss(logits: Tensor, targets: Tensor, alpha: float, gamma: float) -> Tensor:
    """Mean focal loss, alpha * (1 - p)^gamma * cross-entropy, p the right answer's probability.

    Lin et al. 2017, "Focal Loss for Dense Object Detection", equation 5, with one alpha for both
    classes as in the notebook.

    Args:
        logits: (requests, movies)
        targets: Multi-hot. (requests, movies)
        alpha: Factor.
        gamma: How much less an easy answer counts.
    """
    cross_entropy = functional.binary_cross_entropy_with_logits(
        logits, targets, reduction="none"
    )  # (requests, movies)
    return (alpha * (1 - torch.exp(-cross_entropy)) ** gamma * cross_entropy).mean()


def softmax_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy of a softmax over the catalogue to labels that share a probability of 1.

    Args:
        logits: (requests, movies)
        targets: Multi-hot, with a label in each row. (requests, movies)
    """
    shared = targets / targets.sum(1, keepdim=True)  # (requests, movies)
    return functional.cross_entropy(logits, shared)


def tag_loss(logits: Tensor, movies: Tensor) -> Tensor:
    """Mean cross-entropy of the tags' movies: logits (tags, movies), movies (tags,)."""
    return functional.cross_entropy(logits, movies)


def _original(loss: Loss, movies: int, mean_labels: float) -> Objective:
    """Binary cross-entropy, by ``loss.reduction``; both tasks weigh the same."""
    summed = loss.reduction == "sum"
    return Objective(summed_binary_cross_entropy if summed else binary_cross_entropy, 1.0)


def _weighted(loss: Loss, movies: int, mean_labels: float) -> Objective:
    """Positive labels weighted, or focal loss; tags weigh ``loss.tag_weight``."""
    if loss.focal.enabled:
        focal = partial(focal_loss, alpha=loss.focal.alpha, gamma=loss.focal.gamma)
        return Objective(focal, loss.tag_weight)
    pos_weight = movies / mean_labels if loss.pos_weight == "auto" else float(loss.pos_weight)
    return Objective(partial(binary_cross_entropy, pos_weight=pos_weight), loss.tag_weight)


def _softmax(loss: Loss, movies: int, mean_labels: float) -> Objective:
    """Movies compete for one probability; both tasks weigh the same."""
    return Objective(softmax_cross_entropy, tag_weight=1.0)


TRAINERS: dict[str, Callable[[Loss, int, float], Objective]] = {
    "original": _original,
    "weighted": _weighted,
    "softmax": _softmax,
}
"""By name: (loss parameters, catalogue size, mean labels a training example) → objective."""
