import made_up_report
import pytest

from stages.recommender.reporting.gains import Gain, gains
from stages.recommender.reporting.results import Score


def test_gains_by_hand() -> None:
    first, second = gains(made_up_report.results(), "all ndcg@10")
    # 0.04 → 0.10 and 0.05 → 0.12
    assert (first.variant, second.variant) == ("baseline", "rnn-multitask")
    assert first.absolute == pytest.approx(0.06)
    assert first.relative == pytest.approx(1.5)
    assert second.absolute == pytest.approx(0.07)
    assert second.relative == pytest.approx(1.4)
    assert first.in_words() == "+0.0600 (+150%)"


def test_a_variant_without_both_scores_has_no_gain() -> None:
    assert [each.variant for each in gains(made_up_report.results(), "new ndcg@10")] == ["baseline"]
    assert gains(made_up_report.results(), "all ndcg@10", "original", "softmax") == []


def test_there_is_no_relative_gain_over_nothing() -> None:
    gain = Gain("rnn", Score(0.0), Score(0.1))
    assert gain.relative is None
    assert gain.in_words() == "+0.1000"


def test_a_loss_is_negative() -> None:
    assert Gain("rnn", Score(0.2), Score(0.1)).in_words() == "-0.1000 (-50%)"
