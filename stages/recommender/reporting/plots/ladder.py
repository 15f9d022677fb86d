"""The ladder: how the score changes as one defect after another is repaired."""

from matplotlib.figure import Figure

from stages.recommender.reporting import results
from stages.recommender.reporting.content import Ladder
from stages.recommender.reporting.plots import dots
from stages.recommender.reporting.plots.dots import Dot, Row
from stages.recommender.reporting.plots.style import LIGHT, WIDE, Look
from stages.recommender.reporting.results import Score


def ladder(steps: Ladder, look: Look = WIDE) -> Figure:
    """The rungs from top to bottom, a panel a score, each with its change where that is known.

    A diamond is what recommending the most popular movies scores on the same examples.

    Args:
        steps: The ladder, at least one rung.
        look: For which page to draw.
    """
    panels = [_rows(steps, score_column) for score_column in steps.score_columns]
    titles = [results.heading(score_column) for score_column in steps.score_columns]
    return dots.side_by_side(panels, titles, look, joined=True)


def _rows(steps: Ladder, score_column: str) -> list[Row]:
    rows = []
    for rung in steps.rungs:
        dots_of_row, note = [], ""
        if score_column in rung.scores:
            score = rung.scores[score_column]
            dots_of_row.append(Dot(score, LIGHT.series[0]))
            note = f"{score.value:.3f}"
        if score_column in rung.changes:
            note += f"  {signed(rung.changes[score_column].difference.value)}"
        if score_column in rung.popular:
            popular = Score(rung.popular[score_column].value)
            dots_of_row.append(Dot(popular, marker="D", filled=False))
        rows.append(Row(rung.name, tuple(dots_of_row), note))
    return rows


def signed(change: float) -> str:
    """A change of a score with its sign, a real minus: ``+0.012``, ``−0.001``; ``0.000``."""
    rounded = round(change, 3)
    return f"{rounded:+.3f}".replace("-", "\N{MINUS SIGN}") if rounded else "0.000"
