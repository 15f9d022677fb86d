"""The readings that results are reported under: which rankings are scored, and what is filtered.

A reading here is one entry in :data:`READINGS`: rankings that exist, and a filter over them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from stages.recommender.evaluation import metrics
from stages.recommender.evaluation.rankings import Rankings, fresh, new

CUTOFFS = (1, 10, 50)


@dataclass(frozen=True)
class Reading:
    """Rankings of one scoring, filtered."""

    scored: str
    """The ``reading`` column of ``artifacts.RANKING_SCHEMA``."""
    keep: Callable[[Rankings], Rankings] = lambda rankings: rankings
    """What is left of them."""


READINGS = {
    "all": Reading("whole"),
    "new": Reading("whole", new),
    "before": Reading("before"),
    "paper split": Reading("paper-split"),
    "turn": Reading("turn"),
    "turn fresh": Reading("turn", fresh),
}
"""``all``: every movie that the recommender mentions is a label; ``new``: without the seeker's
own mentions, in labels and rankings; ``before``: from what the seeker said before the first
recommendation; ``paper split``: a random part of the training file; ``turn``: for each
recommender message, from all that was said before it; ``turn fresh``: without what was mentioned
before."""


def by_reading(table: pa.Table) -> dict[str, Rankings]:
    """A model's rankings under each reading that it was scored for.

    Args:
        table: Of ``artifacts.RANKING_SCHEMA``.
    """
    scored = set(pc.unique(table["reading"]).to_pylist())
    return {
        name: reading.keep(Rankings.from_table(table, reading.scored))
        for name, reading in READINGS.items()
        if reading.scored in scored
    }


def mean_scores(rankings: Rankings) -> dict[str, float]:
    """The mean metrics over examples, at each of :data:`CUTOFFS`; micro-averaged recall as well."""
    found: dict[str, float] = {}
    labels = rankings.labels
    for k in CUTOFFS:
        found[f"ndcg@{k}"] = metrics.ndcg(rankings.ranking, labels, k).mean()
        found[f"recall@{k}"] = metrics.recall(rankings.ranking, labels, k).mean()
        found[f"mrr@{k}"] = metrics.reciprocal_rank(rankings.ranking, labels, k).mean()
        found[f"hit@{k}"] = metrics.hit_rate(rankings.ranking, labels, k).mean()
        total = metrics.labels_found(rankings.ranking, labels, k).sum()
        found[f"micro recall@{k}"] = total / max(1, len(labels.values))
    return {name: round(float(value), 6) for name, value in found.items()}
