"""The ablation: what a model loses without each of its parts, and on fewer dialogues."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from stages.recommender.reporting import results
from stages.recommender.reporting.content import Ablation
from stages.recommender.reporting.plots import dots, style
from stages.recommender.reporting.plots.curves import spread
from stages.recommender.reporting.plots.dots import Dot, Row
from stages.recommender.reporting.plots.ladder import signed
from stages.recommender.reporting.plots.style import LIGHT, WIDE, Look

# how far a narrow picture's and a wide one's labels stand apart, in heights of the axes
_APART = {True: 0.08, False: 0.06}


def ablation(found: Ablation, look: Look = WIDE) -> Figure:
    """A row a part, a panel a score: what it changes to go without, with its interval.

    Args:
        found: The ablation, at least one part.
        look: For which page to draw.
    """
    panels = [_rows(found, score_column) for score_column in found.score_columns]
    titles = [
        f"{results.heading(each)}: {found.scores[each].value:.3f} in full"
        for each in found.score_columns
    ]
    figure = dots.side_by_side(panels, titles, look, differences=True)
    with look.applied():
        figure.supxlabel(
            f"change of {found.model} on {found.split} without the part, 95% interval",
            color=LIGHT.muted,
            fontsize="medium",
        )
    return figure


def learning_curve(found: Ablation, look: Look = WIDE) -> Figure:
    """The scores by the number of training dialogues, a line a score, with their intervals.

    Args:
        found: The ablation, at least one point of its curve.
        look: For which page to draw.
    """
    with look.applied():
        figure = look.figure(3.6)
        axes = figure.add_subplot()
        style.bare(axes, "y")
        dialogues = [point.dialogues for point in found.curve]
        for number, score_column in enumerate(found.score_columns):
            scores = [point.scores[score_column] for point in found.curve]
            colour = LIGHT.series[number % len(LIGHT.series)]
            axes.plot(dialogues, [score.value for score in scores], color=colour, marker="o")
            for where, score in zip(dialogues, scores, strict=True):
                if score.low is not None and score.high is not None:
                    ends = [score.low, score.high]
                    axes.plot([where] * 2, ends, color=colour, linewidth=3, alpha=0.35)
        axes.set_xlim(0.0, dialogues[-1] * 1.03)
        axes.set_ylim(bottom=0.0)
        axes.set_xticks(dialogues)
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.set_xlabel("training dialogues")
        metric = results.parts(found.score_columns[0])[1]
        axes.set_title(f"{results.metric_heading(metric)} on {found.split}")
        _label_ends(axes, found, look)
    return figure


def _rows(found: Ablation, score_column: str) -> list[Row]:
    rows = []
    for part in found.parts:
        change = part.changes[score_column].difference
        rows.append(Row(part.name, (Dot(change, LIGHT.series[0]),), signed(change.value)))
    return rows


def _label_ends(axes: Axes, found: Ablation, look: Look) -> None:
    """Name each line at its right end, moved apart where names would overlap."""
    last = found.curve[-1].scores
    ordered = sorted(found.score_columns, key=lambda each: last[each].value)
    bottom, top = axes.get_ylim()
    places = spread([last[each].value for each in ordered], (top - bottom) * _APART[look.narrow])
    for score_column, place in zip(ordered, places, strict=True):
        reading, _ = results.parts(score_column)
        number = found.score_columns.index(score_column)
        axes.text(
            1.02,
            place,
            f"{reading}  {last[score_column].value:.3f}",
            color=LIGHT.series[number % len(LIGHT.series)],
            va="center",
            transform=axes.get_yaxis_transform(),
        )
