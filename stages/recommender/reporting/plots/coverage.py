"""How much of the catalogue each rule of the movie map joins to MovieLens."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from stages.recommender.reporting.content import Coverage
from stages.recommender.reporting.plots import dots, style
from stages.recommender.reporting.plots.dots import Row
from stages.recommender.reporting.plots.style import LIGHT, WIDE, Look


def coverage(joined: Coverage, look: Look = WIDE) -> Figure:
    """What each rule adds to the part that is joined, of all movies and of all mentions.

    Args:
        joined: The counts by rule.
        look: For which page to draw.
    """
    rules = [*joined.matched, joined.unmatched]
    panels = {
        "Movies": [each.movies for each in rules],
        "Mentions": [each.mentions for each in rules],
    }
    names = [each.rule for each in rules]
    with look.applied():
        each = dots.height([Row(name) for name in names], look)
        figure = look.figure(each * 2 if look.narrow else each)
        grid = figure.subplots(*((2, 1) if look.narrow else (1, 2)), squeeze=False)
        for number, (title, counts) in enumerate(panels.items()):
            axes = grid.flat[number]
            _draw(axes, names, counts, look, named=look.narrow or number == 0)
            part = 1 - counts[-1] / sum(counts) if sum(counts) else 0.0
            axes.set_title(f"{title}: {part:.1%} joined")
    return figure


def _draw(axes: Axes, names: list[str], counts: list[int], look: Look, named: bool) -> None:
    whole = sum(counts) or 1
    rows = [
        Row(name, note=f"{count / whole:.1%}") for name, count in zip(names, counts, strict=True)
    ]
    places = dots.draw(axes, rows, look, named=named)
    start = 0.0
    for number, (count, place) in enumerate(zip(counts, places, strict=True)):
        unmatched = number == len(counts) - 1
        axes.barh(
            place,
            count / whole,
            left=start,
            height=0.5,
            color=LIGHT.muted if unmatched else LIGHT.series[0],
        )
        start += count / whole
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    style.bare(axes, "x")
