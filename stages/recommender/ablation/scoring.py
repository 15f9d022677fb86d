"""Scores of the gate's answers with intervals, and what they change against the full model's."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from stages.recommender.evaluation import metrics
from stages.recommender.evaluation.intervals import Dialogues, holm
from stages.recommender.evaluation.rankings import Rankings
from stages.recommender.evaluation.scores import by_example

Answers = Mapping[str, Sequence[Rankings]]
"""A model's rankings by reading, one for each training; of all models to the same examples."""

TESTED = ("all", "new", "before", "turn fresh")
"""The readings whose nDCG is compared."""
RECALLED = ("turn", "turn fresh")
"""The readings whose micro recall, labels found over labels, is told as well."""
CUTOFF = 10
RECALL_CUTOFFS = (1, 10, 50)


def scored(models: Sequence[Answers]) -> list[dict[str, dict[str, float]]]:
    """Score models, the mean of their trainings.

    Returns:
        For each model, by column such as ``all ndcg@10`` or ``turn micro recall@50``, the
        ``value`` with the ends ``low`` and ``high`` of its 95% interval.
    """
    found: list[dict[str, dict[str, float]]] = [{} for _ in models]
    for reading in TESTED:
        values = np.stack([_ndcg(model[reading]) for model in models], axis=1)
        _add(found, ndcg_column(reading), _dialogues(models, reading).means(values))
    for reading in RECALLED:
        dialogues = _dialogues(models, reading)
        labels = models[0][reading][0].labels.lengths
        for k in RECALL_CUTOFFS:
            values = np.stack([_labels_found(model[reading], k) for model in models], axis=1)
            lengths = np.broadcast_to(labels[:, None], values.shape).astype(np.float64)
            _add(found, f"{reading} micro recall@{k}", dialogues.ratios(values, lengths))
    return found


def changes(full: Answers, models: Sequence[Answers]) -> list[dict[str, dict[str, float]]]:
    """What models score more than the full one, on the same examples.

    Returns:
        For each model, by column: the mean difference (``value``, ``low``, ``high``) with the
        ``p_value`` of a paired test over the dialogues, corrected for the number of all of them.
    """
    found: list[dict[str, dict[str, float]]] = [{} for _ in models]
    p_values = []
    for reading in TESTED:
        values = [_ndcg(model[reading]) for model in models]
        more = np.stack(values, axis=1) - _ndcg(full[reading])[:, None]
        dialogues = _dialogues([full], reading)
        _add(found, ndcg_column(reading), dialogues.means(more))
        p_values.append(dialogues.sign_flip_p_values(more))
    corrected = holm(np.concatenate(p_values)).reshape(len(TESTED), len(models))
    for reading, of_reading in zip(TESTED, corrected.tolist(), strict=True):
        for changed, p_value in zip(found, of_reading, strict=True):
            changed[ndcg_column(reading)]["p_value"] = p_value
    return found


def ndcg_column(reading: str) -> str:
    """The name of a reading's nDCG@10."""
    return f"{reading} ndcg@{CUTOFF}"


def _add(found: list[dict[str, dict[str, float]]], column: str, intervals: Sequence[Any]) -> None:
    for scores, interval in zip(found, intervals, strict=True):
        scores[column] = asdict(interval)


def _dialogues(models: Sequence[Answers], reading: str) -> Dialogues:
    return Dialogues(models[0][reading][0].conversation_id)


def _ndcg(trainings: Sequence[Rankings]) -> metrics.Values:
    return by_example(trainings, "ndcg", CUTOFF)


def _labels_found(trainings: Sequence[Rankings], k: int) -> metrics.Values:
    found = [metrics.labels_found(each.ranking, each.labels, k) for each in trainings]
    mean: metrics.Values = np.mean(found, axis=0)
    return mean
