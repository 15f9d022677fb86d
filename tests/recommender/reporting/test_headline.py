import made_up_report
import pandas as pd

from stages.recommender.reporting import headline
from stages.recommender.reporting.content import Coverage, Matched
from stages.recommender.reporting.gains import Gain
from stages.recommender.reporting.results import Score


def test_the_finding_says_on_which_side_of_the_baselines_the_best_model_lies() -> None:
    table = made_up_report.results()
    references = ("popular", "mentions-then-popular", "absent")
    assert headline.finding(table, "all ndcg@10", references) == (
        "The best of 4 models, weighted-rnn-multitask, reaches nDCG@10 0.120 (95% interval 0.110 "
        "to 0.140, reading all): above popular (0.050) and below mentions-then-popular (0.210)."
    )


def test_overlapping_intervals_are_not_a_difference() -> None:
    # popular's interval, 0.04 to 0.07, meets the only model's, 0.06 to 0.09
    table = pd.DataFrame(
        [
            made_up_report.results().iloc[0].to_dict(),
            {
                "model": "weighted-rnn",
                "trainer": "weighted",
                "variant": "rnn",
                "all ndcg@10": 0.07,
                "all ndcg@10 low": 0.06,
                "all ndcg@10 high": 0.09,
            },
        ]
    )
    told = headline.finding(table, "all ndcg@10", ["popular"])
    assert told.startswith("The only trained model, weighted-rnn, reaches nDCG@10 0.070")
    assert told.endswith(": not clearly apart from popular (0.050).")


def test_without_intervals_the_values_decide() -> None:
    table = made_up_report.results()[["model", "trainer", "variant", "all ndcg@10"]]
    assert headline.finding(table, "all ndcg@10", ["popular"]) == (
        "The best of 4 models, weighted-rnn-multitask, reaches nDCG@10 0.120 (reading all): "
        "above popular (0.050)."
    )


def test_without_a_trained_model_there_is_no_finding() -> None:
    assert headline.finding(made_up_report.results().head(2), "all ndcg@10") == ""


def test_the_gains_are_told_from_lowest_to_highest() -> None:
    found = [
        Gain("rnn", Score(0.05), Score(0.10)),
        Gain("baseline", Score(0.04), Score(0.03)),
        Gain("multitask", Score(0.04), Score(0.05)),
    ]
    names = ("original", "weighted")
    assert headline.gain_range(found, "all ndcg@10", names) == (
        "From original to weighted, nDCG@10 (all) changes by -0.0100 (-25%) for baseline to "
        "+0.0500 (+100%) for rnn."
    )
    assert headline.gain_range(found[:1], "all ndcg@10", names) == (
        "From original to weighted, nDCG@10 (all) changes by +0.0500 (+100%) for rnn."
    )
    assert headline.gain_range([], "all ndcg@10", names) == ""


def test_coverage_is_told_in_parts() -> None:
    coverage = Coverage((Matched("title", 70, 900), Matched("year", 20, 60)), Matched("", 10, 40))
    assert headline.joined(coverage) == "96.0% of mentions, 90.0% of movies"
    assert headline.joined(Coverage((), Matched("none", 0, 0))) == ""
