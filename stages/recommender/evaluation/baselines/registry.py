"""All baselines, simplest first.

A new one is one class, one entry here, and its two outputs in ``dvc.yaml``.
"""

from stages.recommender.evaluation.baselines.cooccurrence import (
    Cooccurrence,
    MentionsThenCooccurrence,
)
from stages.recommender.evaluation.baselines.interface import Baseline
from stages.recommender.evaluation.baselines.neighbours import Bm25, NearestDialogues
from stages.recommender.evaluation.baselines.popular import MentionsThenPopular, MostPopular

_CLASSES: tuple[type[Baseline], ...] = (
    MostPopular,
    MentionsThenPopular,
    Cooccurrence,
    MentionsThenCooccurrence,
    NearestDialogues,
    Bm25,
)

NAMES = tuple(each.name for each in _CLASSES)


def baselines(movies: int) -> list[Baseline]:
    """One of each, for a catalogue of ``movies``, not yet fitted."""
    return [each(movies) for each in _CLASSES]
