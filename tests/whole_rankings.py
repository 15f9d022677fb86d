"""Rankings of the reading ``whole`` from plain lists."""

import numpy as np

from stages.recommender.evaluation.movie_lists import MovieLists
from stages.recommender.evaluation.rankings import Rankings


def whole_rankings(
    best: list[list[int]], mentions: list[list[int]], labels: list[list[int]]
) -> Rankings:
    """The answers to examples of conversations 0, 1, ...

    Args:
        best: The ranked movies of each example, as many each.
        mentions: Those that each mentions.
        labels: Those that were recommended.
    """
    return Rankings(
        "whole",
        np.arange(len(best), dtype=np.int64),
        np.full(len(best), -1, dtype=np.int32),
        MovieLists.from_rows(mentions),
        MovieLists.from_rows(labels),
        np.array(best, dtype=np.int32).reshape(len(best), -1),
    )
