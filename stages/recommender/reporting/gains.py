"""What one trainer gains over another, variant by variant."""

from dataclasses import dataclass

import pandas as pd

from stages.recommender.reporting import results
from stages.recommender.reporting.results import Score


@dataclass(frozen=True)
class Gain:
    """A variant under two trainers, on one score.

    Attributes:
        variant: The variant.
        before: Its score under the first trainer.
        after: Its score under the second.
    """

    variant: str
    before: Score
    after: Score

    @property
    def absolute(self) -> float:
        """The second score minus the first."""
        return self.after.value - self.before.value

    @property
    def relative(self) -> float | None:
        """The gain as a part of the first score, 0.5 for half as much again; ``None`` from 0."""
        return self.absolute / self.before.value if self.before.value else None

    def in_words(self) -> str:
        """Both gains: ``+0.0610 (+139%)``."""
        relative = "" if self.relative is None else f" ({self.relative:+.0%})"
        return f"{self.absolute:+.4f}{relative}"


def gains(
    table: pd.DataFrame, score_column: str, before: str = "original", after: str = "weighted"
) -> list[Gain]:
    """The gain of each variant that has the score under both trainers.

    Args:
        table: The table of results.
        score_column: The score to compare, such as ``all ndcg@10``.
        before: The trainer to start from.
        after: The trainer to compare with it.
    """
    found = []
    for variant, by_trainer in results.trained(table).items():
        if before in by_trainer and after in by_trainer:
            first = results.score(by_trainer[before], score_column)
            second = results.score(by_trainer[after], score_column)
            if first is not None and second is not None:
                found.append(Gain(variant, first, second))
    return found
