"""What the results say, in sentences that are computed from them."""

from collections.abc import Mapping, Sequence

import pandas as pd

from stages.recommender.reporting import results
from stages.recommender.reporting.content import TRAININGS, Coverage, PairedTest
from stages.recommender.reporting.gains import Gain
from stages.recommender.reporting.results import Score


def finding(
    table: pd.DataFrame,
    score_column: str,
    references: Sequence[str] = (),
    tests: Sequence[PairedTest] = (),
    split: str = "validation",
) -> str:
    """One sentence: the chosen model's score, and what it beats or is beaten by.

    The chosen model is the one that was tested against the baselines, which is chosen on
    ``split``; without such tests, the one with the best score. That a model beats another is said
    only where :attr:`~stages.recommender.reporting.content.PairedTest.verdict` does.

    Args:
        table: The table of results.
        score_column: The score, such as ``all ndcg@10``.
        references: The baselines of the table to compare with, in this order.
        tests: Paired tests; those under other readings are left out.
        split: The one that was scored after each epoch.

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
    reading, metric = results.parts(score_column)
    against = {
        test.second: test
        for test in tests
        if test.reading == reading and test.second in references and test.first in trained
    }
    if against:
        [chosen] = {test.first for test in against.values()}
        count = f"Of {len(trained)} trained models, {chosen}, chosen on {split},"
    else:
        chosen = max(trained, key=lambda model: scores[model].value)
        count = f"Of {len(trained)} trained models, {chosen} scores highest: it"
    reached = f"{count} reaches {results.metric_heading(metric)} {_told(scores[chosen], reading)}"
    return f"{reached}{_verdicts(scores, references, against)}."


def _verdicts(
    scores: Mapping[str, Score], references: Sequence[str], against: Mapping[str, PairedTest]
) -> str:
    if not against:
        return ""
    if any(test.trainings < TRAININGS for test in against.values()):
        return f"; what it beats is not said of fewer than {TRAININGS} trainings of each model"
    by_verdict: dict[str, list[str]] = {}
    for each in references:
        if each in against:
            named = f"{each} ({scores[each].value:.3f})"
            by_verdict.setdefault(against[each].verdict, []).append(named)
    told = [
        f"{verb} {_listed(by_verdict[verdict])}"
        for verdict, verb in {
            "beats": "beats",
            "is beaten by": "is beaten by",
            "not told apart from": "is not told apart from",
        }.items()
        if verdict in by_verdict
    ]
    return f"; it {_listed(told)}"


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


def _listed(parts: Sequence[str]) -> str:
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"
