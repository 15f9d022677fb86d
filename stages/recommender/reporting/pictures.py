"""Every picture of a report: which there are for the data it has, and what each shows in words."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure

from stages.recommender.reporting import gains, headline, results
from stages.recommender.reporting.content import Ablation, Ladder, Report
from stages.recommender.reporting.plots import (
    ablation,
    breakdowns,
    comparisons,
    coverage,
    curves,
    ladder,
    style,
)
from stages.recommender.reporting.plots.style import NARROW, WIDE, Look

LADDER = "ladder"
MODELS = "models"
ABLATION = "ablation"
LEARNING_CURVE = "learning-curve"
TRAINING_CURVES = "training-curves"
GAIN = "weighted-over-original"
PUBLISHED = "against-published"
COVERAGE = "coverage"
ERRORS = "error-analysis"

TRAINERS = ("original", "weighted")
"""The two trainers of the notebook: what the second one gains over the first is shown."""


@dataclass(frozen=True)
class Picture:
    """A picture that can be drawn.

    Attributes:
        name: Its name, fit for a file name.
        alt: What it shows, in words.
        draw: Draws it for a look.
    """

    name: str
    alt: str
    draw: Callable[[Look], Figure]

    def png(self) -> bytes:
        """The picture as a PNG file on a light ground."""
        return style.png(self.draw(WIDE))

    def inline(self) -> Markup:
        """The picture within a page: one element for a wide page, one for a narrow one."""
        wide = style.inline_svg(self.draw(WIDE), f"{self.name}-wide", self.alt)
        narrow = style.inline_svg(self.draw(NARROW), f"{self.name}-narrow", self.alt)
        return wide + narrow


def pictures(report: Report) -> list[Picture]:
    """The pictures that the report's data allows, in the page's order."""
    return list(_pictures(report))


def _pictures(report: Report) -> Iterator[Picture]:
    if report.ladder is not None and report.ladder.rungs:
        yield Picture(LADDER, _ladder_alt(report.ladder), partial(ladder.ladder, report.ladder))
    if report.results is not None:
        yield from _models(report, report.results)
    if report.ablation is not None:
        yield from _ablation(report.ablation)
    if report.histories:
        selected = {} if report.results is None else results.selected_epochs(report.results)
        draw = partial(curves.training_curves, report.histories, selected, report.evaluation_split)
        yield Picture(TRAINING_CURVES, _curves_alt(report), draw)
    if report.results is not None:
        yield from _comparisons(report, report.results)
    if report.coverage is not None:
        alt = (
            f"Part of the catalogue joined to MovieLens by rule: {headline.joined(report.coverage)}"
        )
        yield Picture(COVERAGE, alt, partial(coverage.coverage, report.coverage))
    if report.errors is not None and report.errors.breakdowns:
        properties = ", ".join(each.title.lower() for each in report.errors.breakdowns)
        name = results.heading(report.errors.score_column)
        training = f" ({report.errors.training})" if report.errors.training else ""
        alt = f"{name} of {report.errors.model}{training} by {properties}"
        yield Picture(ERRORS, alt, partial(breakdowns.breakdowns, report.errors))


def _models(report: Report, table: pd.DataFrame) -> Iterator[Picture]:
    leading = results.scores(table, report.score_columns[0])
    if leading:
        name = results.heading(report.score_columns[0])
        best = max(leading, key=lambda model: leading[model].value)
        alt = (
            f"{name} of {len(leading)} models and baselines with 95% intervals, best first: "
            f"{best} with {leading[best].value:.3f}"
        )
        # pictures are for scores of one kind; the tables have the others
        _, metric = results.parts(report.score_columns[0])
        columns = [each for each in report.score_columns if results.parts(each)[1] == metric]
        yield Picture(MODELS, alt, partial(comparisons.models, table, columns))


def _comparisons(report: Report, table: pd.DataFrame) -> Iterator[Picture]:
    score_column = report.score_columns[0]
    found = gains.gains(table, score_column, *TRAINERS)
    if found:
        draw = partial(comparisons.gain, found, results.heading(score_column), TRAINERS)
        yield Picture(GAIN, headline.gain_range(found, score_column, TRAINERS), draw)
    own = results.scores(table, report.published_column)
    if results.trained(table) and own:
        alt = (
            f"{results.heading(report.published_column)} of our models beside the nDCG@10 that the "
            "paper and the notebook published, by variant"
        )
        draw = partial(
            comparisons.against_published, table, report.published_column, report.references
        )
        yield Picture(PUBLISHED, alt, draw)


def _ablation(found: Ablation) -> Iterator[Picture]:
    name = results.heading(found.score_columns[0])
    most = found.parts[0]
    change = ladder.signed(most.changes[found.score_columns[0]].difference.value)
    alt = (
        f"What {found.model} loses without each of {len(found.parts)} parts, with 95% intervals; "
        f"most of {name} without {most.name}: {change}"
    )
    yield Picture(ABLATION, alt, partial(ablation.ablation, found))
    if found.curve:
        first, last = found.curve[0], found.curve[-1]
        ends = [
            f"{point.scores[found.score_columns[0]].value:.3f} on {point.dialogues:,} dialogues"
            for point in (first, last)
        ]
        alt = f"{name} of {found.model} from {' to '.join(ends)}"
        yield Picture(LEARNING_CURVE, alt, partial(ablation.learning_curve, found))


def _ladder_alt(steps: Ladder) -> str:
    score_column = steps.score_columns[0]
    first, last = steps.rungs[0], steps.rungs[-1]
    ends = [
        f"{rung.scores[score_column].value:.3f} ({rung.name})"
        for rung in (first, last)
        if score_column in rung.scores
    ]
    name = results.heading(score_column)
    return f"{name} over {len(steps.rungs)} rungs, from {' to '.join(ends)}"


def _curves_alt(report: Report) -> str:
    split = report.evaluation_split
    highest = {
        model: float(history[curves.NDCG].max()) for model, history in report.histories.items()
    }
    best = max(highest, key=lambda model: highest[model])
    return (
        f"Training loss, loss on {split}, nDCG@10 and Recall@10 on {split} by epoch for "
        f"{len(highest)} models; the highest nDCG@10 is {highest[best]:.3f}, {best}"
    )
