"""Where a model does well and where it fails: its score on parts of the test split."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec

from stages.recommender.reporting import results
from stages.recommender.reporting.content import Breakdown, ErrorAnalysis
from stages.recommender.reporting.plots import dots
from stages.recommender.reporting.plots.dots import Dot, Row
from stages.recommender.reporting.plots.style import LIGHT, WIDE, Look


def breakdowns(errors: ErrorAnalysis, look: Look = WIDE) -> Figure:
    """One panel a property, all on one scale, with the model's overall score as a line.

    Args:
        errors: The analysis, at least one breakdown.
        look: For which page to draw.
    """
    per_line = 1 if look.narrow else 2
    panels = [_rows(each) for each in errors.breakdowns]
    lines = [
        _equally_long(panels[start : start + per_line]) for start in range(0, len(panels), per_line)
    ]
    heights = [dots.height(line[0], look) for line in lines]
    scores = [group.score for each in errors.breakdowns for group in each.groups]
    limit = 1.05 * max(score.high or score.value for score in scores)
    with look.applied():
        figure = look.figure(sum(heights) + 0.3)
        grid = GridSpec(len(lines), per_line, figure=figure, height_ratios=heights)
        for number, breakdown in enumerate(errors.breakdowns):
            line, place = divmod(number, per_line)
            axes = figure.add_subplot(grid[line, place])
            dots.draw(axes, lines[line][place], look)
            axes.set_title(breakdown.title)
            axes.set_xlim(0.0, limit or 1.0)
            axes.axvline(errors.overall.value, color=LIGHT.muted, linewidth=1, linestyle=":")
        training = f", {errors.training}" if errors.training else ""
        label = f"{results.heading(errors.score_column)}{training}; dotted: the whole split"
        figure.supxlabel(label, color=LIGHT.muted, fontsize="medium")
    return figure


def _rows(breakdown: Breakdown) -> list[Row]:
    return [
        Row(
            group.label,
            (Dot(group.score, LIGHT.series[0]),) if group.examples else (),
            f"{group.score.value:.3f}  n={group.examples:,}" if group.examples else "n=0",
        )
        for group in breakdown.groups
    ]


def _equally_long(line: Sequence[list[Row]]) -> list[list[Row]]:
    """Empty rows below the shorter panel, so that both are as dense."""
    longest = max(len(rows) for rows in line)
    return [rows + [Row("")] * (longest - len(rows)) for rows in line]
