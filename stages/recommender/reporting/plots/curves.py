"""Losses and scores over the epochs: the notebook's two by two, all models in one picture."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.lines import Line2D
from matplotlib.ticker import FormatStrFormatter, LogLocator, MaxNLocator, NullLocator
from scipy.optimize import isotonic_regression

from stages.recommender.reporting import results
from stages.recommender.reporting.plots import style
from stages.recommender.reporting.plots.style import WIDE, Look

EPOCH = "epoch"
DIALOGUE_LOSS = "train_dialogue_loss"
TAG_LOSS = "train_tag_loss"
EVALUATION_LOSS = "eval_loss"
NDCG = "eval_ndcg_at_10"
RECALL = "eval_recall_at_10"

# the variant whose auxiliary task is each movie's own text, not tags
_LEARNS_MOVIE_TEXTS = "gate"
# a loss that falls by more than this factor is drawn on a logarithmic scale
_LOGARITHMIC_FROM = 5.0
# where the labels right of the axes begin, in widths of the axes
_LABELS = 1.04


@dataclass(frozen=True)
class _Panel:
    """One pair of axes: the models drawn in it and where it stands.

    Attributes:
        block: Which of the picture's four quarters, from 0.
        part: Its place in the quarter from the top, from 0.
        parts: How many share the quarter.
        title: Above it; empty under a panel of the same title.
        note: Beside it, what it alone shows.
        column: The histories' column that is drawn.
        models: The models that are drawn.
    """

    block: int
    part: int
    parts: int
    title: str
    note: str
    column: str
    models: tuple[str, ...]

    @property
    def is_score(self) -> bool:
        return self.column in {NDCG, RECALL}


@dataclass(frozen=True)
class _Line:
    """How one model is drawn."""

    colour: str
    marker: str
    dashes: tuple[float, ...]
    label: str


def training_curves(
    histories: Mapping[str, pd.DataFrame],
    selected: Mapping[str, int],
    split: str = "validation",
    look: Look = WIDE,
) -> Figure:
    """Training loss, evaluation loss, nDCG@10 and Recall@10 of every model over its epochs.

    The trainers' losses differ by orders of magnitude, so each trainer's have axes of their own,
    and the cross-entropy of the tags, or of the gate's movie texts, has its own beside the
    dialogues' loss.

    Args:
        histories: By model name, a frame with a row an epoch and the columns ``epoch``,
            ``train_dialogue_loss``, ``train_tag_loss`` (of the gate its movie texts'; missing
            without either), ``eval_loss``, ``eval_ndcg_at_10`` and ``eval_recall_at_10``.
        selected: By model name, the epoch whose weights were kept; a model may be missing.
        split: Which split was scored after each epoch.
        look: For which page to draw.
    """
    parts = [results.split_name(model) for model in histories]
    variants = results.in_order([variant for _, variant in parts])
    trainers = list(dict.fromkeys(trainer for trainer, _ in parts))
    dashes = style.trainer_dashes(trainers)
    with look.applied():
        colours = style.variant_colours(variants)
        markers = style.variant_markers(variants)
        lines = {
            model: _Line(
                colours[variant],
                markers[variant],
                dashes[trainer],
                variant if look.narrow else f"{trainer} {variant}",
            )
            for model, (trainer, variant) in zip(histories, parts, strict=True)
        }
        panels = list(_panels(histories, trainers, split))
        figure = look.figure(_height(panels, look))
        for panel, axes in zip(panels, _axes(figure, panels, look), strict=True):
            _draw(axes, panel, histories, selected, lines)
            if panel.is_score:
                _label_ends(axes, panel, histories, lines, look)
        figure.legend(
            handles=_key(variants, trainers, colours, markers, dashes),
            loc="outside upper left",
            ncols=2 if look.narrow else 5,
            handlelength=2.4,
            columnspacing=1.6,
        )
    return figure


def _panels(
    histories: Mapping[str, pd.DataFrame], trainers: Sequence[str], split: str
) -> Iterator[_Panel]:
    of_trainer = {
        trainer: tuple(each for each in histories if _trainer(each) == trainer)
        for trainer in trainers
    }
    training = [
        (f"{trainer},\ndialogues", DIALOGUE_LOSS, models) for trainer, models in of_trainer.items()
    ]
    training += [
        (f"{' and '.join(dict.fromkeys(map(_trainer, models)))},\n{task}", TAG_LOSS, models)
        for task, models in _with_auxiliary_task(histories).items()
    ]
    for part, (note, column, models) in enumerate(training):
        title = "Training loss" if part == 0 else ""
        yield _Panel(0, part, len(training), title, note, column, models)
    for part, (trainer, models) in enumerate(of_trainer.items()):
        title = f"Loss on {split}" if part == 0 else ""
        yield _Panel(1, part, len(trainers), title, trainer, EVALUATION_LOSS, models)
    everyone = tuple(histories)
    yield _Panel(2, 0, 1, f"nDCG@10 on {split}", "", NDCG, everyone)
    yield _Panel(3, 0, 1, f"Recall@10 on {split}", "", RECALL, everyone)


def _with_auxiliary_task(histories: Mapping[str, pd.DataFrame]) -> dict[str, tuple[str, ...]]:
    """The models that learn something beside the dialogues, by what that is."""
    learning = [model for model, history in histories.items() if history[TAG_LOSS].notna().any()]
    texts = [each for each in learning if results.split_name(each)[1] == _LEARNS_MOVIE_TEXTS]
    tags = [each for each in learning if each not in texts]
    tasks = {"tags": tuple(tags), "movie texts": tuple(texts)}
    return {task: models for task, models in tasks.items() if models}


def _trainer(model: str) -> str:
    return results.split_name(model)[0]


def _height(panels: Sequence[_Panel], look: Look) -> float:
    if look.narrow:
        return 0.8 + sum(2.5 if panel.is_score else 1.35 for panel in panels)
    return 4.4 + max(1.25 * panel.parts for panel in panels)


def _axes(figure: Figure, panels: Sequence[_Panel], look: Look) -> Iterator[Axes]:
    """Axes for each panel: quarters side by side where there is room, else one below another."""
    if look.narrow:
        heights = [2.3 if panel.is_score else 1.2 for panel in panels]
        grid = GridSpec(len(panels), 1, figure=figure, height_ratios=heights)
        for place in range(len(panels)):
            yield figure.add_subplot(grid[place, 0])
        return
    # as many rows as both loss quarters divide into evenly
    losses = [panel.parts for panel in panels if not panel.is_score]
    rows = int(np.lcm.reduce(losses))
    height = max(1.25 * parts for parts in losses)
    grid = GridSpec(rows + 1, 2, figure=figure, height_ratios=[height / rows] * rows + [3.2])
    for panel in panels:
        side = panel.block % 2
        if panel.is_score:
            yield figure.add_subplot(grid[rows, side])
        else:
            each = rows // panel.parts
            yield figure.add_subplot(grid[panel.part * each : (panel.part + 1) * each, side])


def _draw(
    axes: Axes,
    panel: _Panel,
    histories: Mapping[str, pd.DataFrame],
    selected: Mapping[str, int],
    lines: Mapping[str, _Line],
) -> None:
    style.bare(axes, "y")
    axes.set_title(panel.title)
    last_part = panel.part == panel.parts - 1
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    axes.tick_params(labelbottom=last_part)
    if last_part:
        axes.set_xlabel("epoch")
    if panel.note:
        axes.text(_LABELS, 0.5, panel.note, transform=axes.transAxes, va="center")
    for model in panel.models:
        history, line = histories[model], lines[model]
        axes.plot(
            history[EPOCH],
            history[panel.column],
            color=line.colour,
            linestyle=style.line_style(line.dashes),
        )
        chosen = history[history[EPOCH] == selected.get(model)]
        axes.plot(
            chosen[EPOCH],
            chosen[panel.column],
            color=line.colour,
            marker=line.marker,
            markersize=7,
            markeredgecolor=style.LIGHT.ground,
            linestyle="none",
        )
    # one axis of epochs for all panels, whichever models each shows
    last = max(float(history[EPOCH].max()) for history in histories.values())
    margin = max(0.05 * (last - 1), 0.05)
    axes.set_xlim(1 - margin, last + margin)
    if panel.is_score:
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.set_ylim(bottom=0.0)
    else:
        _scale(axes, np.concatenate([histories[model][panel.column] for model in panel.models]))


def _scale(axes: Axes, values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> None:
    """A logarithmic scale for losses that fall far, and few, plain tick labels."""
    known = values[np.isfinite(values)]
    if known.size and known.min() > 0 and known.max() / known.min() > _LOGARITHMIC_FROM:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 3.0), numticks=6))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    else:
        axes.yaxis.set_major_locator(MaxNLocator(4))


def _label_ends(
    axes: Axes,
    panel: _Panel,
    histories: Mapping[str, pd.DataFrame],
    lines: Mapping[str, _Line],
    look: Look,
) -> None:
    """Name every line at its right end, moved apart where they would overlap."""
    last = {model: histories[model].iloc[-1] for model in panel.models}
    ordered = sorted(panel.models, key=lambda model: float(last[model][panel.column]))
    bottom, top = axes.get_ylim()
    left, right = axes.get_xlim()
    gap = (top - bottom) * (0.075 if look.narrow else 0.07)
    ends = [float(last[model][panel.column]) for model in ordered]
    for model, end, place in zip(ordered, ends, spread(ends, gap), strict=True):
        colour = lines[model].colour
        end_of_line = (float(last[model][EPOCH]) - left) / (right - left)
        beside = axes.get_yaxis_transform()
        axes.text(_LABELS, place, lines[model].label, color=colour, va="center", transform=beside)
        axes.plot(
            [end_of_line + 0.01, _LABELS - 0.01],
            [end, place],
            color=colour,
            linewidth=0.6,
            transform=beside,
            clip_on=False,
        )


def spread(values: Sequence[float], gap: float) -> list[float]:
    """Places for labels: at least ``gap`` apart, together as near to their values as can be.

    Args:
        values: Ascending.
        gap: The least distance of two neighbours.
    """
    steps = gap * np.arange(len(values))
    fitted = isotonic_regression(np.asarray(values) - steps).x
    return [float(place) for place in fitted + steps]


def _key(
    variants: Sequence[str],
    trainers: Sequence[str],
    colours: Mapping[str, str],
    markers: Mapping[str, str],
    dashes: Mapping[str, tuple[float, ...]],
) -> list[Line2D]:
    ink = style.LIGHT.ink
    of_variants = [
        Line2D([], [], color=colours[each], marker=markers[each], label=each) for each in variants
    ]
    of_trainers = [
        Line2D([], [], color=ink, linestyle=style.line_style(dashes[each]), label=each)
        for each in trainers
    ]
    chosen = Line2D([], [], color=ink, marker="o", linestyle="none", label="selected epoch")
    return [*of_variants, *of_trainers, chosen]
