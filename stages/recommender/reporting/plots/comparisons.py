"""Models beside one another, beside another trainer, and beside what others published."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stages.recommender.reporting import published, results
from stages.recommender.reporting.gains import Gain
from stages.recommender.reporting.plots import dots, style
from stages.recommender.reporting.plots.dots import Dot, Row
from stages.recommender.reporting.plots.style import LIGHT, WIDE, Look
from stages.recommender.reporting.results import Score


def models(table: pd.DataFrame, score_columns: Sequence[str], look: Look = WIDE) -> Figure:
    """All models and baselines from best to worst, a panel a score, with 95% intervals.

    Args:
        table: The table of results.
        score_columns: The scores, such as ``all ndcg@10``; the first one orders the rows.
        look: For which page to draw.
    """
    leading = results.scores(table, score_columns[0])
    by_name = {str(row[results.MODEL]): row for row in results.rows(table)}
    ordered = sorted(leading, key=lambda model: leading[model].value, reverse=True)
    colours = style.variant_colours(
        [str(row[results.VARIANT]) for row in by_name.values() if results.is_trained(row)]
    )
    panels = []
    for score_column in score_columns:
        panel = []
        for model in ordered:
            row = by_name[model]
            score = results.score(row, score_column)
            trained = results.is_trained(row)
            dot = _own_dot(score, row, colours) if trained else _dot(score, marker="D")
            panel.append(Row(model, dot, _value(score)))
        panels.append(panel)
    return dots.side_by_side(panels, [results.heading(each) for each in score_columns], look)


def gain(
    found: Sequence[Gain], score_name: str, names: tuple[str, str], look: Look = WIDE
) -> Figure:
    """What the second trainer gains over the first, a row a variant.

    Args:
        found: The gains, at least one.
        score_name: What is compared, for the axis.
        names: The two trainers.
        look: For which page to draw.
    """
    colours = style.variant_colours([each.variant for each in found])
    rows = [
        Row(
            each.variant,
            (
                Dot(each.before, colours[each.variant], filled=False),
                Dot(each.after, colours[each.variant]),
            ),
            each.in_words(),
        )
        for each in found
    ]
    with look.applied():
        figure = look.figure(dots.height(rows, look) + 0.35)
        axes = figure.add_subplot()
        places = dots.draw(axes, rows, look)
        axes.set_xlabel(score_name)
        for each, place in zip(found, places, strict=True):
            _arrow(axes, each.before.value, each.after.value, place, colours[each.variant])
        first = found[0]
        # the first row's dots say which is which
        for name, score, side in zip(names, (first.before, first.after), (-1, 1), strict=True):
            ascending = first.after.value >= first.before.value
            axes.annotate(
                name,
                (score.value, places[0]),
                xytext=(0, 9),
                textcoords="offset points",
                ha="right" if (side < 0) == ascending else "left",
                color=LIGHT.muted,
            )
    return figure


def against_published(
    table: pd.DataFrame,
    score_column: str,
    references: Sequence[str] = (),
    look: Look = WIDE,
) -> Figure:
    """Our models beside the paper's and the notebook's nDCG@10, variant by variant.

    Args:
        table: The table of results.
        score_column: Our score to set beside theirs, such as ``all ndcg@10``.
        references: Baselines of the table to show first; the first one as a line as well.
        look: For which page to draw.
    """
    own = results.scores(table, score_column)
    shown = [each for each in references if each in own]
    trained = results.trained(table)
    colours = style.variant_colours(list(trained))
    rows = []
    if shown:
        rows.append(Row("nothing learned", heading=True))
        rows += [Row(each, _dot(own[each], marker="D"), _value(own[each])) for each in shown]
    for variant, by_trainer in trained.items():
        rows.append(Row(variant, heading=True))
        for source, figures in (
            (published.PAPER, published.PAPER_NDCG_AT_10),
            (published.NOTEBOOK, published.NOTEBOOK_NDCG_AT_10),
        ):
            if variant in figures:
                score = Score(figures[variant])
                rows.append(Row(source, (Dot(score, marker="s", filled=False),), _value(score)))
        for trainer, row in by_trainer.items():
            score_here = results.score(row, score_column)
            dot = _own_dot(score_here, row, colours)
            rows.append(Row(f"{trainer}, here", dot, _value(score_here)))
    with look.applied():
        figure = look.figure(dots.height(rows, look))
        axes = figure.add_subplot()
        dots.draw(axes, rows, look)
        axes.set_xlabel("nDCG@10")
        if shown:
            axes.axvline(own[shown[0]].value, color=LIGHT.muted, linewidth=1, linestyle=(0, (1, 2)))
    return figure


def _own_dot(
    score: Score | None, row: dict[str, object], colours: dict[str, str]
) -> tuple[Dot, ...]:
    colour = colours[str(row[results.VARIANT])]
    return _dot(score, colour, filled=row[results.TRAINER] != "original")


def _dot(
    score: Score | None, colour: str = LIGHT.muted, marker: str = "o", filled: bool = True
) -> tuple[Dot, ...]:
    return () if score is None else (Dot(score, colour, marker, filled),)


def _value(score: Score | None) -> str:
    return "" if score is None else f"{score.value:.3f}"


def _arrow(axes: Axes, start: float, end: float, place: float, colour: str) -> None:
    axes.annotate(
        "",
        (end, place),
        (start, place),
        arrowprops={"arrowstyle": "->", "color": colour, "shrinkA": 5, "shrinkB": 5},
    )
