import made_up_report

from stages.recommender.reporting import headline
from stages.recommender.reporting.content import Coverage, Matched, PairedTest
from stages.recommender.reporting.gains import Gain
from stages.recommender.reporting.results import Score

BEST, REFERENCES = made_up_report.BEST, ("popular", "mentions-then-popular", "absent")


def paired(against: str, difference: float, p_value: float, trainings: int = 3) -> PairedTest:
    return PairedTest(BEST, against, Score(difference), p_value, trainings, apart=True)


def found(*tests: PairedTest) -> str:
    return headline.finding(made_up_report.results(), "all ndcg@10", REFERENCES, tests)


REACHED = (
    "Of 4 trained models, weighted-rnn-multitask, chosen on validation, reaches nDCG@10 0.120 "
    "(95% interval 0.110 to 0.140, reading all); "
)


def test_the_finding_says_what_paired_tests_over_seeds_show() -> None:
    tests = paired("popular", 0.07, 0.001), paired("mentions-then-popular", -0.09, 0.001)
    assert found(*tests) == (
        f"{REACHED}it beats popular (0.050) and is beaten by mentions-then-popular (0.210)."
    )


def test_what_no_test_shows_is_not_said() -> None:
    told = f"{REACHED}it is not told apart from popular (0.050)."
    assert found(paired("popular", 0.07, 0.05)) == told
    # one seed's training is on the other side
    assert found(PairedTest(BEST, "popular", Score(0.07), 0.001, 3, apart=False)) == told


def test_tests_under_other_readings_are_not_told() -> None:
    other = PairedTest(BEST, "popular", Score(-0.07), 0.001, 3, apart=True, reading="new")
    assert found(paired("popular", 0.07, 0.001), other) == f"{REACHED}it beats popular (0.050)."


def test_with_fewer_than_three_seeds_nothing_is_claimed() -> None:
    assert found(paired("popular", 0.07, 0.001, trainings=2)) == (
        f"{REACHED}what it beats is not said of fewer than 3 trainings of each model."
    )


def test_without_tests_there_is_only_a_score() -> None:
    assert found() == (
        "Of 4 trained models, weighted-rnn-multitask scores highest: it reaches nDCG@10 0.120 "
        "(95% interval 0.110 to 0.140, reading all)."
    )
    table = made_up_report.results()[["model", "trainer", "variant", "all ndcg@10"]]
    assert headline.finding(table, "all ndcg@10").endswith("nDCG@10 0.120 (reading all).")


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


def test_the_split_that_chose_is_named() -> None:
    tests = [paired("popular", 0.07, 0.001)]
    told = headline.finding(made_up_report.results(), "all ndcg@10", REFERENCES, tests, "test")
    assert ", chosen on test," in told
    assert "validation" not in told
