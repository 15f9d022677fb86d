import made_up_report
import pandas as pd
import pytest

from stages.recommender.reporting import gains, tables
from stages.recommender.reporting.published import TurnRecall, TurnSystem
from stages.recommender.reporting.results import Score
from stages.recommender.reporting.tables import Column, Table


def test_the_models_as_text() -> None:
    text = tables.models(made_up_report.results(), ["all ndcg@10"]).text()
    assert text == "\n".join(
        [
            "model                     nDCG@10 (all)      95% interval    epoch",
            "----------------------  ---------------  ----------------  -------",
            "popular                          0.0500  [0.0400, 0.0700]        -",
            "mentions-then-popular            0.2100  [0.2000, 0.2300]        -",
            "original-baseline                0.0400  [0.0300, 0.0600]        2",
            "original-rnn-multitask           0.0500  [0.0400, 0.0700]        1",
            "weighted-baseline                0.1000  [0.0900, 0.1200]        3",
            "weighted-rnn-multitask           0.1200  [0.1100, 0.1400]        3",
        ]
    )


def test_a_score_that_is_not_there_has_a_dash() -> None:
    table = tables.models(made_up_report.results(), ["all ndcg@10", "new ndcg@10"])
    headings = [column.heading for column in table.columns]
    assert [heading for heading in headings if heading != "95% interval"] == [
        "model",
        "nDCG@10 (all)",
        "nDCG@10 (new)",
        "epoch",
    ]
    name, score, interval, missing, *_, epoch = table.rows[3]
    assert (name, score, missing, epoch) == ("original-rnn-multitask", "0.0500", "-", "1")
    assert interval.startswith("[")


def test_the_highest_score_is_marked_as_it_is_written() -> None:
    scores = [0.12341, 0.12339, 0.1, None]
    frame = pd.DataFrame({"model": list("abcd"), "all ndcg@10": scores})
    assert tables.models(frame, ["all ndcg@10"]).columns[1].best == (0, 1)


def test_gains() -> None:
    found = gains.gains(made_up_report.results(), "new ndcg@10")
    assert tables.gains(found).text() == "\n".join(
        [
            "variant      original      95% interval    weighted      95% interval"
            "     gain    relative",
            "---------  ----------  ----------------  ----------  ----------------"
            "  -------  ----------",
            "baseline       0.0400  [0.0300, 0.0600]      0.0800  [0.0700, 0.1000]"
            "  +0.0400     +100.0%",
        ]
    )


def test_against_the_paper_and_the_notebook() -> None:
    table = tables.against_published(made_up_report.results(), "all ndcg@10")
    assert [column.heading for column in table.columns] == [
        "model",
        "here",
        "95% interval",
        "paper",
        "here - paper",
        "notebook",
    ]
    # 0.05 - 0.169 and 0.12 - 0.169
    of_rnn_multitask = [row for row in table.rows if row[0].endswith("rnn-multitask")]
    assert of_rnn_multitask == [
        ("original-rnn-multitask", "0.0500", "[0.0400, 0.0700]", "0.169", "-0.1190", "0.0462"),
        ("weighted-rnn-multitask", "0.1200", "[0.1100, 0.1400]", "0.169", "-0.0490", "0.0462"),
    ]


def test_a_new_variant_stands_beside_the_papers_best() -> None:
    frame = pd.DataFrame(
        [{"model": "softmax-gate", "trainer": "softmax", "variant": "gate", "all ndcg@10": 0.3}]
    )
    table = tables.against_published(frame, "all ndcg@10")
    assert table.rows == [("softmax-gate", "0.3000", "0.169", "+0.1310", "-")]


def test_our_systems_stand_below_the_published_ones() -> None:
    table = tables.turn_systems([TurnSystem("ours", None, TurnRecall(0.036, 0.19, 0.39))])
    assert table.rows[0] == ("KBRD", "0.033", "0.177", "0.332", "-", "-", "-")
    assert table.rows[-1] == ("ours, here", "-", "-", "-", "0.036", "0.190", "0.390")
    best_fresh_at_1 = table.columns[4]
    assert best_fresh_at_1.heading == "fresh Recall@1"
    assert best_fresh_at_1.best == (7,)


def test_our_recall_by_turn_has_intervals_and_theirs_has_none() -> None:
    ends = ((0.03, 0.04), (0.18, 0.2), (0.37, 0.41))
    recall = TurnRecall(0.036, 0.19, 0.39, ends)
    table = tables.turn_systems([TurnSystem("ours", recall, None)])
    assert [column.heading for column in table.columns[:3]] == [
        "system",
        "all Recall@1",
        "95% interval",
    ]
    assert table.rows[0][1:3] == ("0.033", "-")
    assert table.rows[-1][1:5] == ("0.036", "[0.030, 0.040]", "0.190", "[0.180, 0.200]")


def test_measures_that_are_no_share_have_fewer_digits() -> None:
    frame = pd.DataFrame(
        [
            {
                "model": "a",
                "all mrr@10": 0.1234567,
                "all coverage@10": 0.5,
                "all popularity@10": 99.96,
            }
        ]
    )
    table = tables.measures(frame, ["all mrr@10", "all coverage@10", "all popularity@10"])
    assert [column.heading for column in table.columns] == [
        "model",
        "MRR@10 (all)",
        "Coverage@10 (all)",
        "Popularity@10 (all)",
    ]
    assert table.rows == [("a", "0.1235", "0.5000", "100.0")]


def test_paired_tests_and_coverage() -> None:
    report = made_up_report.report()
    assert tables.paired_tests(report.tests).rows == [
        (
            "weighted-rnn-multitask",
            "all",
            "too few seeds",
            "weighted-baseline",
            "+0.0200",
            "[-0.0010, +0.0400]",
            "< 0.001",
        )
    ]
    assert report.coverage is not None
    assert tables.coverage(report.coverage).rows == [
        ("title and year", "70", "70.0%", "900", "90.0%"),
        ("year off by one", "20", "20.0%", "60", "6.0%"),
        ("not joined", "10", "10.0%", "40", "4.0%"),
    ]


def test_the_ladder() -> None:
    table = tables.ladder(made_up_report.ladder())
    headings = [column.heading for column in table.columns]
    tested = ["change", "corrected p"]
    assert headings == [
        "rung",
        *["nDCG@10 (all)", "95% interval", "popular", *tested],
        *["nDCG@10 (new)", "95% interval", *tested],
    ]
    assert table.rows[1] == (
        "+ roles",
        *["0.0500", "[0.0400, 0.0600]", "0.0300", "+0.0060", "0.032"],
        *["0.0400", "[0.0300, 0.0500]", "-0.0010", "1.000"],
    )
    assert table.rows[2][4:6] == ("-", "-")


def test_the_ablation() -> None:
    found = made_up_report.ablation()
    table = tables.ablation(found)
    tested = ["change", "95% interval", "corrected p"]
    headings = ["without", "nDCG@10 (all)", *tested, "nDCG@10 (new)", *tested]
    assert [column.heading for column in table.columns] == headings
    assert table.rows[0] == (
        "nothing: the full model",
        *["0.3000", "-", "-", "-"],
        *["0.1700", *"---"],
    )
    assert table.rows[1] == (
        "counts",
        *["0.2000", "-0.1000", "[-0.1100, -0.0900]", "< 0.001"],
        *["0.1300", "-0.0400", "[-0.0500, -0.0300]", "< 0.001"],
    )
    [name, *_] = tables.ablation(found, ["new ndcg@10"]).rows[2]
    assert name == found.parts[1].name
    assert len(tables.ablation(found, ["new ndcg@10"]).columns) == 5


def test_what_else_an_ablation_tells() -> None:
    found = made_up_report.ablation()
    recall = tables.ablation_recall(found)
    assert recall.columns[1].heading == "Micro recall@10 (turn)"
    assert [row[1] for row in recall.rows] == ["0.2000"] * 3
    assert tables.learning_curve(found).rows == [
        ("2,000", "0.2500", "0.1100"),
        ("8,000", "0.3000", "0.1700"),
    ]
    assert tables.altered(found).rows == [
        ("by the model", "0.3000", "0.1700"),
        ("perfect gate", "0.5000", "0.1700"),
    ]
    blocks = tables.ablation_text(found).split("\n\n")
    assert [block.split()[0] for block in blocks] == [
        *["without"] * 3,
        "dialogues",
        "decided",
    ]


def test_digits_stay_as_they_were_written() -> None:
    table = Table((Column("title", ("007", "1e5"), "name"), Column("n", ("0.10", "2"))))
    assert table.text().splitlines()[2:] == ["007      0.10", "1e5         2"]


def test_a_table_without_rows_has_its_headings() -> None:
    table = Table((Column("title", (), "name"), Column("n", ())))
    assert table.text().splitlines()[0].split() == ["title", "n"]


def test_csv_keeps_every_digit() -> None:
    frame = pd.DataFrame({"model": ["a,b"], "score": [1 / 3]})
    assert tables.csv(frame) == 'model,score\n"a,b",0.3333333333333333\n'


@pytest.mark.parametrize(
    ("value", "text"), [(0.0004, "< 0.001"), (0.001, "0.001"), (0.41, "0.410")]
)
def test_p_values(value: float, text: str) -> None:
    assert tables.p_value(value) == text


def test_a_score_without_interval() -> None:
    assert tables.interval(Score(0.5)) == "-"
