import made_up_report
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from stages.recommender.reporting.content import Coverage, Matched
from stages.recommender.reporting.gains import gains
from stages.recommender.reporting.plots import (
    ablation,
    breakdowns,
    comparisons,
    coverage,
    dots,
    ladder,
)
from stages.recommender.reporting.plots.dots import Dot, Row
from stages.recommender.reporting.plots.style import NARROW, WIDE, Look
from stages.recommender.reporting.results import Score


def texts(axes: Axes) -> list[str]:
    """What is written in and beside the axes, without what is empty."""
    return [text.get_text() for text in axes.texts if text.get_text()]


def values(axes: Axes) -> list[float]:
    """The places of the dots, from top to bottom."""
    marked = [line for line in axes.lines if line.get_marker() not in {"None", ""}]
    found = [tuple(np.asarray(line.get_xydata(), dtype=float)[0]) for line in marked]
    return [value for value, _ in sorted(found, key=lambda dot: float(dot[1]))]


@pytest.mark.parametrize("look", [WIDE, NARROW])
def test_models_stand_from_best_to_worst(look: Look) -> None:
    table = made_up_report.results()
    figure = comparisons.models(table, ["all ndcg@10", "new ndcg@10"], look)
    every, new = figure.axes
    assert values(every) == [0.21, 0.12, 0.10, 0.05, 0.05, 0.04]
    assert texts(every)[:4] == [
        "0.210",
        "mentions-then-popular",
        "0.120",
        "weighted-rnn-multitask",
    ]
    # a model without the score keeps its row
    assert len(values(new)) == 5
    assert new.get_title(loc="left") == "nDCG@10 (new)"


def test_the_gain_is_written_beside_its_row() -> None:
    found = gains(made_up_report.results(), "all ndcg@10")
    (axes,) = comparisons.gain(found, "nDCG@10 (all)", ("original", "weighted")).axes
    assert "+0.0600 (+150%)" in texts(axes)
    assert {"original", "weighted", "baseline", "rnn-multitask"} <= set(texts(axes))
    assert values(axes) == [0.04, 0.10, 0.05, 0.12]


def test_published_figures_stand_beside_ours() -> None:
    references = ["popular", "absent"]
    table = made_up_report.results()
    (axes,) = comparisons.against_published(table, "all ndcg@10", references).axes
    assert values(axes) == [0.05, 0.130, 0.0440, 0.04, 0.10, 0.169, 0.0462, 0.05, 0.12]
    without = comparisons.against_published(table, "all ndcg@10").axes[0]
    assert "nothing learned" not in texts(without)


def test_a_further_variant_has_only_our_rows() -> None:
    frame = pd.DataFrame(
        [{"model": "softmax-gate", "trainer": "softmax", "variant": "gate", "all ndcg@10": 0.3}]
    )
    (axes,) = comparisons.against_published(frame, "all ndcg@10").axes
    assert values(axes) == [0.3]


@pytest.mark.parametrize("look", [WIDE, NARROW])
def test_rungs_tell_their_change(look: Look) -> None:
    every, new = ladder.ladder(made_up_report.ladder(), look).axes
    # the rung's own score, then popularity's
    assert values(every) == [0.044, 0.03, 0.05, 0.03, 0.1, 0.03]
    assert values(new) == [0.041, 0.04, 0.09]
    assert "0.050  +0.006" in texts(every)
    # scored on other examples than the rung before
    assert "0.100" in texts(every)
    assert "0.040  \N{MINUS SIGN}0.001" in texts(new)


@pytest.mark.parametrize("look", [WIDE, NARROW])
def test_parts_stand_beside_the_line_of_no_change(look: Look) -> None:
    every, new = ablation.ablation(made_up_report.ablation(), look).axes
    assert values(every) == [-0.1, 0.002]
    assert values(new) == [-0.04, 0.0]
    for axes in (every, new):
        low, high = axes.get_xlim()
        assert low < -0.01 < 0.01 < high
    assert every.get_title(loc="left") == "nDCG@10 (all): 0.300 in full"
    assert {"counts", "\N{MINUS SIGN}0.100", "+0.002"} <= set(texts(every))


@pytest.mark.parametrize("look", [WIDE, NARROW])
def test_the_learning_curve_has_a_named_line_a_score(look: Look) -> None:
    (axes,) = ablation.learning_curve(made_up_report.ablation(), look).axes
    lines = [np.asarray(line.get_xydata()).tolist() for line in axes.lines]
    assert [[2_000, 0.25], [8_000, 0.3]] in lines
    assert [[2_000, 0.11], [8_000, 0.17]] in lines
    # an interval at each point
    assert [[2_000, 0.24], [2_000, 0.26]] in lines
    assert texts(axes) == ["new  0.170", "all  0.300"]


def test_coverage_adds_up_to_the_whole() -> None:
    joined = Coverage(
        (Matched("title", 70, 900), Matched("year", 20, 60)), Matched("not joined", 10, 40)
    )
    movies, mentions = coverage.coverage(joined).axes
    assert movies.get_title(loc="left") == "Movies: 90.0% joined"
    assert mentions.get_title(loc="left") == "Mentions: 96.0% joined"
    bars = [bar for bar in movies.patches if isinstance(bar, Rectangle)]
    starts = [bar.get_x() for bar in bars]
    ends = [bar.get_x() + bar.get_width() for bar in bars]
    assert starts == pytest.approx([0.0, 0.7, 0.9])
    assert ends == pytest.approx([0.7, 0.9, 1.0])
    assert "20.0%" in texts(movies)


@pytest.mark.parametrize("look", [WIDE, NARROW])
def test_groups_of_the_split_share_one_scale(look: Look) -> None:
    figure = breakdowns.breakdowns(made_up_report.errors(), look)
    mentioned, seen = figure.axes
    assert mentioned.get_xlim() == seen.get_xlim()
    assert values(mentioned) == [0.08, 0.13]
    # an empty group has a row but no score
    assert values(seen) == [0.12]
    assert "n=0" in texts(seen)
    said = "nDCG@10 (all), first seed of 3; dotted: the whole split"
    assert figure.get_supxlabel() == said


def test_rows_without_intervals_and_headings_are_drawn() -> None:
    rows = [Row("first", heading=True), Row("one", (Dot(Score(0.5)),), "0.5")]
    rows += [Row("second", heading=True), Row("two")]
    with NARROW.applied():
        figure = NARROW.figure(dots.height(rows, NARROW))
        places = dots.draw(figure.add_subplot(), rows, NARROW)
    # a gap of 0.6 rows stands above every heading but the first
    assert places == pytest.approx([0.0, 1.0, 2.6, 3.6])


@pytest.mark.parametrize(("look", "per_line"), [(WIDE, 2), (NARROW, 1)])
def test_many_panels_go_on_in_a_new_line_that_names_its_rows(look: Look, per_line: int) -> None:
    panels = [[Row("one", (Dot(Score(0.5)),), "0.5")]] * 4
    figure = dots.side_by_side(panels, ["a", "b", "c", "d"], look)
    named = ["one" in texts(axes) for axes in figure.axes]
    assert named == [place % per_line == 0 for place in range(4)]
