"""What the results say, in sentences that are computed from them."""

from collections.abc import Sequence

import pandas as pd

from stages.recommender.reporting import results
from stages.recommender.reporting.content import Coverage
from stages.recommender.reporting.gains import Gain
from stages.recommender.reporting.results import Score


def finding(table: pd.DataFrame, score_column: str, references: Sequence[str] = ()) -> str:
    """One sentence: the best trained model's score, and on which side of the baselines it lies.

    A score counts as above or below another one where their 95% intervals do not overlap, which
    is stricter than a paired test; without intervals, where it is higher or lower.

    Args:
        table: The table of results.
        score_column: The score, such as ``all ndcg@10``.
        references: The baselines of the table to compare with, in this order.

    Returns:
        The sentence; empty where no trained model has the score.
    """
    scores = results.scores(table, score_column)
    trained = [
        str(row[results.MODEL])
        for row in results.rows(table)
        if results.is_trained(row) and row[results.MODEL] in scores
    ]
    if not trained:
        return ""
    best = max(trained, key=lambda model: scores[model].value)
    count = "The only trained model" if len(trained) == 1 else f"The best of {len(trained)} models"
    reading, metric = results.parts(score_column)
    name = results.metric_heading(metric)
    reached = f"{count}, {best}, reaches {name} {_told(scores[best], reading)}"
    sides = [
        f"{_side(scores[best], scores[each])} {each} ({scores[each].value:.3f})"
        for each in references
        if each in scores
    ]
    return f"{reached}{': ' if sides else ''}{_listed(sides)}."


def gain_range(found: Sequence[Gain], score_column: str, names: tuple[str, str]) -> str:
    """One sentence: from where to where the gains of the variants go.

    Args:
        found: The gains; without any there is no sentence.
        score_column: The score that was compared.
        names: The two trainers, first and second.
    """
    ordered = sorted(found, key=lambda gain: gain.absolute)
    ends = ordered if len(ordered) < 2 else [ordered[0], ordered[-1]]
    told = " to ".join(f"{gain.in_words()} for {gain.variant}" for gain in ends)
    changes = f"From {names[0]} to {names[1]}, {results.heading(score_column)} changes by {told}."
    return changes if ends else ""


def joined(coverage: Coverage) -> str:
    """The parts of the catalogue that are joined: ``95.2% of mentions, 88.0% of movies``."""
    rules = [*coverage.matched, coverage.unmatched]
    parts = {
        "mentions": (coverage.unmatched.mentions, sum(each.mentions for each in rules)),
        "movies": (coverage.unmatched.movies, sum(each.movies for each in rules)),
    }
    return ", ".join(
        f"{1 - missing / whole:.1%} of {name}" for name, (missing, whole) in parts.items() if whole
    )


def _told(score: Score, reading: str) -> str:
    if score.low is None or score.high is None:
        return f"{score.value:.3f} (reading {reading})"
    ends = f"{score.low:.3f} to {score.high:.3f}"
    return f"{score.value:.3f} (95% interval {ends}, reading {reading})"


def _side(score: Score, other: Score) -> str:
    low, high = _ends(score)
    other_low, other_high = _ends(other)
    if low > other_high:
        return "above"
    return "below" if high < other_low else "not clearly apart from"


def _ends(score: Score) -> tuple[float, float]:
    if score.low is None or score.high is None:
        return score.value, score.value
    return score.low, score.high


def _listed(parts: Sequence[str]) -> str:
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"
