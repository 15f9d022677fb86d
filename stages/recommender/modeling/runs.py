"""Lists of different lengths that lie one after another, taken out by their numbers."""

import torch
from torch import Tensor


def begins(sizes: Tensor) -> Tensor:
    """Where each of the runs begins that lie one after another: (runs,) → (runs,)."""
    return torch.cumsum(sizes, 0) - sizes


def runs(beginning: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
    """All places of runs that each begin somewhere and have a size.

    Args:
        beginning: (runs,)
        sizes: (runs,)

    Returns:
        For each place the number of its run, and the place. (places,) each
    """
    run = torch.repeat_interleave(sizes)
    return run, torch.arange(len(run), device=run.device) + (beginning - begins(sizes))[run]
