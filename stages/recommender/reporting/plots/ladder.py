"""The ladder: how the score changes as one defect after another is repaired."""

from matplotlib.figure import Figure

from stages.recommender.reporting import results
from stages.recommender.reporting.content import Ladder
from stages.recommender.reporting.plots import dots
from stages.recommender.reporting.plots.dots import Dot, Row
from stages.recommender.reporting.plots.style import LIGHT, WIDE, Look


def ladder(steps: Ladder, look: Look = WIDE) -> Figure:
    """The rungs from top to bottom, a panel a score, each with its change from the one before.

    Args:
        steps: The ladder, at least one rung.
        look: For which page to draw.
    """
    panels = [_rows(steps, score_column) for score_column in steps.score_columns]
    titles = [results.heading(score_column) for score_column in steps.score_columns]
    return dots.side_by_side(panels, titles, look, joined=True)


def _rows(steps: Ladder, score_column: str) -> list[Row]:
    rows = []
    before: float | None = None
    for rung in steps.rungs:
        score = rung.scores.get(score_column)
        if score is None:
            rows.append(Row(rung.name))
            continue
        change = "" if before is None else f"  {signed(score.value - before)}"
        rows.append(Row(rung.name, (Dot(score, LIGHT.series[0]),), f"{score.value:.3f}{change}"))
        before = score.value
    return rows


def signed(change: float) -> str:
    """A change of a score with its sign, a real minus: ``+0.012``, ``−0.001``."""
    return f"{change:+.3f}".replace("-", "\N{MINUS SIGN}")
