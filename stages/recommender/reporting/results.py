"""The table of results: one row a model or baseline, its scores with their intervals.

Columns of the frame:

===================== =====================================================================
``model``             the row's name, ``<trainer>-<variant>`` where it was trained here
``trainer``           its trainer; missing for a baseline
``variant``           its variant; missing for a baseline
``selected epoch``    the epoch whose weights were scored, from 1; missing for a baseline
``<reading> <metric>`` a score, such as ``all ndcg@10`` or ``new recall@10``: from 0 to 1, but
                      ``popularity`` is a mean number of training examples
``... low, ... high`` the ends of that score's 95% interval; the columns may be absent
===================== =====================================================================
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real

import pandas as pd

MODEL = "model"
TRAINER = "trainer"
VARIANT = "variant"
SELECTED_EPOCH = "selected epoch"

VARIANTS = ("baseline", "rnn", "multitask", "rnn-multitask")
"""The order in which variants stand; others follow in the order in which they come."""

# the name in a column → as the field writes it; a name that ends in another one comes first
_METRICS = {
    "ndcg": "nDCG",
    "micro recall": "Micro recall",
    "recall": "Recall",
    "mrr": "MRR",
    "hit": "Hit rate",
    "popularity": "Popularity",
    "coverage": "Coverage",
}


@dataclass(frozen=True)
class Score:
    """A score, with the ends of its 95% interval where they are known."""

    value: float
    low: float | None = None
    high: float | None = None


def column(reading: str, metric: str) -> str:
    """The column that holds a metric under a reading: ``all``, ``ndcg@10`` → ``all ndcg@10``."""
    return f"{reading} {metric}"


def parts(score_column: str) -> tuple[str, str]:
    """The reading and the metric of a column: ``paper split ndcg@10`` → both."""
    stem, at, cut = score_column.partition("@")
    for metric in _METRICS:
        if stem.endswith(f" {metric}"):
            return stem.removesuffix(f" {metric}"), f"{metric}{at}{cut}"
    reading, _, metric = score_column.rpartition(" ")
    return reading, metric


def heading(score_column: str) -> str:
    """A score column as a person reads it: ``new ndcg@10`` → ``nDCG@10 (new)``."""
    reading, metric = parts(score_column)
    return f"{metric_heading(metric)} ({reading})"


def metric_heading(metric: str) -> str:
    """A metric as a person reads it: ``ndcg@10`` → ``nDCG@10``."""
    name, at, cut = metric.partition("@")
    return f"{_METRICS.get(name, name)}{at}{cut}"


def score(row: Mapping[str, object], score_column: str) -> Score | None:
    """A row's score with its interval, ``None`` where the row has no such score.

    Args:
        row: A row of the table of results, a value for each column.
        score_column: As :func:`column` gives it.
    """
    value = _number(row.get(score_column))
    if value is None:
        return None
    return Score(
        value, _number(row.get(f"{score_column} low")), _number(row.get(f"{score_column} high"))
    )


def scores(results: pd.DataFrame, score_column: str) -> dict[str, Score]:
    """The scores of all rows that have one, by model name, in the table's order."""
    found = {str(row[MODEL]): score(row, score_column) for row in rows(results)}
    return {model: each for model, each in found.items() if each is not None}


def rows(results: pd.DataFrame) -> list[dict[str, object]]:
    """The table's rows, each a value for each column."""
    return [{str(key): value for key, value in row.items()} for row in results.to_dict("records")]


def is_trained(row: Mapping[str, object]) -> bool:
    """Whether a row is a model that was trained, not a baseline."""
    return isinstance(row.get(TRAINER), str)


def trained(results: pd.DataFrame) -> dict[str, dict[str, dict[str, object]]]:
    """The trained models' rows by variant, then by trainer; variants in their order."""
    by_variant: dict[str, dict[str, dict[str, object]]] = {}
    for row in rows(results):
        if is_trained(row):
            by_variant.setdefault(str(row[VARIANT]), {})[str(row[TRAINER])] = row
    return {variant: by_variant[variant] for variant in in_order(list(by_variant))}


def in_order(variants: Sequence[str]) -> list[str]:
    """Distinct variants, the known ones first, in :data:`VARIANTS`' order."""
    distinct = list(dict.fromkeys(variants))
    known = [variant for variant in VARIANTS if variant in distinct]
    return known + [variant for variant in distinct if variant not in VARIANTS]


def selected_epochs(results: pd.DataFrame) -> dict[str, int]:
    """The selected epoch of each row that has one, by model name."""
    epochs = {str(row[MODEL]): _number(row.get(SELECTED_EPOCH)) for row in rows(results)}
    return {model: int(epoch) for model, epoch in epochs.items() if epoch is not None}


def split_name(model: str) -> tuple[str, str]:
    """A trained model's trainer and variant: ``weighted-rnn-multitask`` → both.

    Raises:
        ValueError: The name has no hyphen.
    """
    trainer, hyphen, variant = model.partition("-")
    if not hyphen:
        raise ValueError(f"{model} is no <trainer>-<variant>")
    return trainer, variant


def _number(value: object) -> float | None:
    if isinstance(value, Real) and not math.isnan(value):
        return float(value)
    return None
