"""Seeded chance for the sample corpus."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

T = TypeVar("T")


class Chance:
    """Draws that depend on the numbers given and on nothing else.

    Args:
        seeds: Numbers that name this stream of draws; other numbers give an independent one.
    """

    def __init__(self, *seeds: int) -> None:
        self._generator = np.random.default_rng(seeds)

    def happens(self, probability: float) -> bool:
        """True with the given probability."""
        return bool(self._generator.random() < probability)

    def between(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return int(self._generator.integers(low, high + 1))

    def pick(self, options: Sequence[T]) -> T:
        """One of the options, each as likely as the other."""
        return options[int(self._generator.integers(len(options)))]

    def some(self, options: Sequence[T], count: int) -> list[T]:
        """Distinct options in random order, all of them where count is larger."""
        order = self._generator.permutation(len(options))
        return [options[place] for place in order[:count].tolist()]

    def weighted(self, options: Sequence[T], weights: Sequence[float], count: int) -> list[T]:
        """Distinct options, heavier ones likelier and earlier.

        Each option waits an exponential time with its weight as the rate; the first `count` to
        arrive are drawn (Efraimidis and Spirakis 2006).
        """
        rates: npt.NDArray[np.float64] = np.asarray(weights, dtype=np.float64)
        arrivals = self._generator.exponential(size=len(options)) / rates
        return [options[place] for place in np.argsort(arrivals, kind="stable")[:count].tolist()]
