import made_up_report
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes

from stages.recommender.reporting.plots import curves
from stages.recommender.reporting.plots.style import NARROW, WIDE, Look


def titled(axes: list[Axes], title: str) -> Axes:
    """The axes with a title."""
    return next(each for each in axes if each.get_title(loc="left") == title)


def marks(axes: Axes) -> list[npt.NDArray[np.float64]]:
    """The marks without a line, each the x and y of its points."""
    return [
        np.asarray(line.get_xydata(), dtype=np.float64)
        for line in axes.lines
        if line.get_linestyle() == "None"
    ]


@pytest.mark.parametrize("look", [WIDE, NARROW])
def test_every_model_is_drawn_in_every_panel_of_its_trainer(look: Look) -> None:
    histories = made_up_report.histories()
    figure = curves.training_curves(histories, {"weighted-baseline": 3}, "validation", look)
    # training: two trainers and the tags; evaluation: two trainers; nDCG and Recall
    assert len(figure.axes) == 3 + 2 + 2
    ndcg = titled(figure.axes, "nDCG@10 on validation")
    drawn = [np.asarray(line.get_ydata()) for line in ndcg.lines]
    for history in histories.values():
        wanted = history["eval_ndcg_at_10"].to_numpy()
        assert any(len(each) == 3 and np.array_equal(each, wanted) for each in drawn)


def test_the_selected_epoch_is_marked() -> None:
    histories = made_up_report.histories()
    figure = curves.training_curves(histories, {"weighted-baseline": 2})
    ndcg = titled(figure.axes, "nDCG@10 on validation")
    (mark,) = [each for each in marks(ndcg) if len(each)]
    assert mark.tolist() == [[2.0, pytest.approx(0.08)]]


def test_a_loss_that_falls_far_is_drawn_on_a_logarithmic_scale() -> None:
    figure = curves.training_curves(made_up_report.histories(), {})
    # the training loss falls to a ninth, the evaluation loss to a half
    assert titled(figure.axes, "Training loss").get_yscale() == "log"
    assert titled(figure.axes, "Loss on validation").get_yscale() == "linear"


def test_without_tags_there_is_no_panel_for_them() -> None:
    one = {"weighted-baseline": made_up_report.histories()["weighted-baseline"]}
    assert len(curves.training_curves(one, {}).axes) == 1 + 1 + 2


def test_tags_and_movie_texts_have_panels_of_their_own() -> None:
    histories = made_up_report.histories()
    histories["softmax-gate"] = histories["weighted-rnn-multitask"]
    figure = curves.training_curves(histories, {})
    notes = [axes.texts[0].get_text() for axes in figure.axes if axes.texts]
    assert notes[:5] == [
        "original,\ndialogues",
        "weighted,\ndialogues",
        "softmax,\ndialogues",
        "original and weighted,\ntags",
        "softmax,\nmovie texts",
    ]
    tags, texts = figure.axes[3:5]
    # two models with tags, each with its mark
    assert (len(tags.lines), len(texts.lines)) == (2 * 2, 2)


def test_a_single_epoch_and_a_further_trainer_can_be_drawn() -> None:
    history = made_up_report.histories()["weighted-baseline"].head(1)
    figure = curves.training_curves({"softmax-gate": history, "focal-rnn": history}, {}, "test")
    figure.draw_without_rendering()
    labels = [text.get_text() for text in titled(figure.axes, "nDCG@10 on test").texts]
    assert sorted(labels) == ["focal rnn", "softmax gate"]


def test_scores_start_at_zero() -> None:
    figure = curves.training_curves(made_up_report.histories(), {})
    assert titled(figure.axes, "Recall@10 on validation").get_ylim()[0] == 0.0


def test_labels_are_spread_by_hand_worked_amounts() -> None:
    assert curves.spread([0.0, 0.0, 0.0], 1.0) == pytest.approx([-1.0, 0.0, 1.0])
    assert curves.spread([0.0, 5.0], 1.0) == pytest.approx([0.0, 5.0])
    # the lower two share what they lack, the third stays
    assert curves.spread([1.0, 1.5, 9.0], 1.0) == pytest.approx([0.75, 1.75, 9.0])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0.001, 0.2))
def test_spread_labels_never_overlap(values: list[float], gap: float) -> None:
    places = curves.spread(sorted(values), gap)
    assert np.all(np.diff(places) >= gap - 1e-9)
    assert np.mean(places) == pytest.approx(np.mean(values), abs=1e-9)


def test_a_missing_epoch_is_not_marked() -> None:
    history = made_up_report.histories()["weighted-baseline"]
    figure = curves.training_curves({"weighted-baseline": history}, {"weighted-baseline": 99})
    ndcg = titled(figure.axes, "nDCG@10 on validation")
    assert not any(len(each) for each in marks(ndcg))
