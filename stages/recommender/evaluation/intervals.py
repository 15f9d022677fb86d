"""How sure a score is, and whether two models differ: resampling of dialogues.

Examples of one dialogue are no independent observations, so that whole dialogues are resampled,
and their values added up first. All figures of a set of examples use the same resamples, which
costs one matrix product instead of a resampling each.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
RESAMPLES = 9_999
SEED = 42

_RESAMPLES_AT_ONCE = 1_000
_COUNTED_AT_ONCE = 1_000_000
"""Dialogues drawn, so that counting them takes little memory beside the counts."""

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A figure and its confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """Two models on the same examples."""

    first: str
    second: str
    difference: Interval
    """The first one's mean minus the second one's."""
    p_value: float
    """Two-sided, of the paired test by itself."""
    adjusted_p_value: float
    """Holm's, for the number of comparisons made together."""


class Dialogues:
    """The dialogues that examples come from, to be resampled.

    Args:
        conversation_id: The dialogue of each example (examples,).
        resamples: How many resamples to draw.
        seed: Of the draws.
    """

    def __init__(
        self,
        conversation_id: NDArray[np.integer],
        resamples: int = RESAMPLES,
        seed: int = SEED,
    ) -> None:
        if not len(conversation_id):
            raise ValueError("no examples, so that nothing can be said of their scores")
        distinct, self._dialogue = np.unique(conversation_id, return_inverse=True)
        self.count = len(distinct)
        self.resamples = resamples
        self.seed = seed

    def means(self, values: Values) -> list[Interval]:
        """The mean over the examples of each column, with its interval.

        Args:
            values: (examples, figures).
        """
        return self.ratios(values, np.ones_like(values))

    def ratios(self, numerators: Values, denominators: Values) -> list[Interval]:
        """The ratio of two sums over the examples, such as micro-averaged recall.

        Percentile bootstrap over dialogues (Efron and Tibshirani 1993, chapter 13).

        Args:
            numerators: (examples, figures).
            denominators: Greater than 0, same shape.
        """
        above = self._sums(numerators)
        below = self._sums(denominators)
        drawn = np.concatenate(
            [(weights @ above) / (weights @ below) for weights in self._resampled()]
        )
        tail = (1 - LEVEL) / 2
        low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
        value = above.sum(axis=0) / below.sum(axis=0)
        return [Interval(*map(float, each)) for each in zip(value, low, high, strict=True)]

    def sign_flip_p_values(self, differences: Values) -> Values:
        """Paired permutation test: could the differences as well have the other sign?

        Under the hypothesis that two models are alike, each dialogue's difference is as likely
        with the other sign. The p-value is the share of random signs under which the sum is as far
        from 0 as it is, the signs found counted among them (Phipson and Smyth 2010), two-sided.

        Args:
            differences: One model's value minus the other's, (examples, pairs).

        Returns:
            (pairs,).
        """
        sums = self._sums(differences)
        found = np.abs(sums.sum(axis=0))
        # sums in another order differ in their last digits
        slack = 1e-12 * np.abs(sums).sum(axis=0)
        generator = np.random.default_rng(self.seed)
        as_far = np.zeros(sums.shape[1], dtype=np.int64)
        for size in _portions(self.resamples):
            signs = generator.integers(0, 2, (size, self.count), dtype=np.int8) * 2.0 - 1
            as_far += (np.abs(signs @ sums) >= found - slack).sum(axis=0)
        p_values: Values = (as_far + 1) / (self.resamples + 1)
        return p_values

    def _sums(self, values: Values) -> Values:
        """Values added up by dialogue: (examples, figures) to (dialogues, figures)."""
        if len(values) != len(self._dialogue):
            raise ValueError(f"{len(values)} values for {len(self._dialogue)} examples")
        sums = np.zeros((self.count, values.shape[1]))
        np.add.at(sums, self._dialogue, values)
        return sums

    def _resampled(self) -> Iterator[NDArray[np.float64]]:
        """How often each dialogue is in each resample, in portions of (resamples, dialogues)."""
        generator = np.random.default_rng(self.seed)
        for size in _portions(self.resamples):
            drawn = generator.integers(0, self.count, (size, self.count), dtype=np.int32)
            times = np.empty((size, self.count))
            rows = max(1, _COUNTED_AT_ONCE // self.count)
            for start in range(0, size, rows):
                part = times[start : start + rows]
                places = drawn[start : start + rows] + self.count * np.arange(len(part))[:, None]
                counts = np.bincount(places.ravel(), minlength=part.size)
                part[:] = counts.reshape(part.shape)
            yield times


def compare(
    values: Mapping[str, Values],
    dialogues: Dialogues,
    pairs: Sequence[tuple[str, str]] | None = None,
) -> list[Comparison]:
    """Compare models pair by pair, corrected for the number of pairs.

    Args:
        values: By model, a value for each example (examples,); of several seeds, their mean.
        dialogues: Those that the examples come from.
        pairs: The models to compare; every two of them, in their order, where not given.
    """
    chosen = list(combinations(values, 2)) if pairs is None else list(pairs)
    if not chosen:
        return []
    differences = np.stack([values[first] - values[second] for first, second in chosen], axis=1)
    p_values = dialogues.sign_flip_p_values(differences)
    rows = zip(
        chosen,
        dialogues.means(differences),
        p_values.tolist(),
        holm(p_values).tolist(),
        strict=True,
    )
    return [Comparison(*pair, interval, p, adjusted) for pair, interval, p, adjusted in rows]


def holm(p_values: Values) -> Values:
    """Adjust p-values for their number (Holm 1979).

    The smallest of m is multiplied by m, the next one by m - 1, and so on; none gets smaller than
    one before it, or greater than 1.
    """
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(p_values[order] * factors), 1)
    return adjusted


def _portions(total: int) -> list[int]:
    full, rest = divmod(total, _RESAMPLES_AT_ONCE)
    return [_RESAMPLES_AT_ONCE] * full + [rest] * bool(rest)
