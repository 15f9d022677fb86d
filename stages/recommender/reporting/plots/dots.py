"""Rows of dots with their intervals: the form that all comparisons of scores take.

A row is named at its left where there is room, else above itself; its value stands at its right.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.ticker import FormatStrFormatter, MaxNLocator

from stages.recommender.reporting.plots import style
from stages.recommender.reporting.plots.style import LIGHT, Look
from stages.recommender.reporting.results import Score

# the gap above a group of rows, in rows
_GAP = 0.6
# a narrow picture has room for names of so many characters beside its rows
_LONGEST_BESIDE = 21
# so many panels stand beside one another in a wide picture
_PANELS_BESIDE = 3
# room above the first row and below the last one, in rows
_MARGIN = 0.6


@dataclass(frozen=True)
class Dot:
    """A score in a row.

    Attributes:
        score: The score, drawn with its interval where that is known.
        colour: Of the dot and its interval.
        marker: The dot's shape, as matplotlib names it.
        filled: Whether the dot is filled or a ring.
    """

    score: Score
    colour: str = LIGHT.muted
    marker: str = "o"
    filled: bool = True


@dataclass(frozen=True)
class Row:
    """A named row of dots.

    Attributes:
        label: Its name.
        dots: Its scores, in the order in which they are drawn over one another.
        note: What stands at its right, most often the value.
        heading: Whether it is the heading of the rows below, in bold with a gap above.
    """

    label: str
    dots: tuple[Dot, ...] = ()
    note: str = ""
    heading: bool = False


def height(rows: Sequence[Row], look: Look) -> float:
    """The height in inches that the rows need, axis and title included."""
    each = 0.4 if _named_above(rows, look) else 0.28
    return 0.8 + each * (_places(rows)[-1] + 2 * _MARGIN)


def draw(
    axes: Axes,
    rows: Sequence[Row],
    look: Look,
    *,
    named: bool = True,
    differences: bool = False,
) -> list[float]:
    """Draw rows from top to bottom on a scale that starts at zero.

    Args:
        axes: Empty axes.
        rows: At least one.
        look: For which page to draw.
        named: Whether the rows' names are written; not where axes beside these have them.
        differences: Whether values may be less than zero, which is then a line through all rows.

    Returns:
        The rows' places on the y axis.
    """
    places = _places(rows)
    style.bare(axes, "x")
    axes.xaxis.set_major_locator(MaxNLocator(4 if look.narrow else 6))
    axes.xaxis.set_major_formatter(FormatStrFormatter("%g"))
    axes.set_yticks([])
    axes.set_ylim(places[-1] + _MARGIN, -_MARGIN)
    for row, place in zip(rows, places, strict=True):
        for dot in row.dots:
            _draw_dot(axes, dot, place)
        _write(axes, row, place, named, above=_named_above(rows, look))
    if differences:
        axes.axvline(0.0, color=LIGHT.muted, linewidth=1, zorder=1)
    else:
        axes.set_xlim(left=0.0)
    return places


def side_by_side(
    panels: Sequence[Sequence[Row]],
    titles: Sequence[str],
    look: Look,
    *,
    joined: bool = False,
    differences: bool = False,
) -> Figure:
    """The same rows under several scores: beside one another, or below where it is narrow.

    Args:
        panels: By score, the rows.
        titles: By score, what stands above.
        look: For which page to draw.
        joined: Whether a line leads from each row's first dot to the next one's.
        differences: See :func:`draw`.
    """
    with look.applied():
        lines = math.ceil(len(panels) / (1 if look.narrow else _PANELS_BESIDE))
        per_line = math.ceil(len(panels) / lines)
        figure = look.figure(height(panels[0], look) * lines)
        grid = GridSpec(lines, per_line, figure=figure)
        for number, rows in enumerate(panels):
            line, place = divmod(number, per_line)
            axes = figure.add_subplot(grid[line, place])
            places = draw(axes, rows, look, named=place == 0, differences=differences)
            axes.xaxis.set_major_locator(MaxNLocator(4))
            axes.set_title(titles[number])
            if joined:
                path = [(row.dots[0], y) for row, y in zip(rows, places, strict=True) if row.dots]
                values = [dot.score.value for dot, _ in path]
                axes.plot(values, [y for _, y in path], color=LIGHT.muted, linewidth=1, zorder=1)
    return figure


def _named_above(rows: Sequence[Row], look: Look) -> bool:
    return look.narrow and max(len(row.label) for row in rows) > _LONGEST_BESIDE


def _places(rows: Sequence[Row]) -> list[float]:
    gaps = [_GAP if row.heading and number > 0 else 0.0 for number, row in enumerate(rows)]
    return [number + sum(gaps[: number + 1]) for number in range(len(rows))]


def _draw_dot(axes: Axes, dot: Dot, place: float) -> None:
    score = dot.score
    if score.low is not None and score.high is not None:
        axes.plot(
            [score.low, score.high],
            [place, place],
            color=dot.colour,
            linewidth=3,
            alpha=0.35,
            solid_capstyle="butt",
        )
    axes.plot(
        [score.value],
        [place],
        marker=dot.marker,
        markersize=6.5,
        markerfacecolor=dot.colour if dot.filled else LIGHT.ground,
        markeredgecolor=dot.colour,
        markeredgewidth=1.5,
        linestyle="none",
        clip_on=False,
    )


def _write(axes: Axes, row: Row, place: float, named: bool, above: bool) -> None:
    weight = "bold" if row.heading else "normal"
    across = axes.get_yaxis_transform()
    axes.text(1.02, place, row.note, transform=across, va="center")
    if not named:
        return
    if above:
        height = place - (0.0 if row.heading else 0.42)
        # a ground of its own, since a line may lead through it
        ground = {"facecolor": LIGHT.ground, "edgecolor": "none", "pad": 0.6}
        axes.text(
            0.0, height, row.label, transform=across, va="center", fontweight=weight, bbox=ground
        )
    else:
        axes.text(
            -0.03, place, row.label, transform=across, ha="right", va="center", fontweight=weight
        )
