import math

import made_up_report
import numpy as np
import pandas as pd
import pytest

from stages.recommender.reporting import results
from stages.recommender.reporting.results import Score


def test_a_score_carries_its_interval() -> None:
    row = {"all ndcg@10": 0.12, "all ndcg@10 low": 0.11, "all ndcg@10 high": 0.13}
    assert results.score(row, "all ndcg@10") == Score(0.12, 0.11, 0.13)
    assert results.score({"all ndcg@10": np.float32(0.5)}, "all ndcg@10") == Score(0.5)


@pytest.mark.parametrize("missing", [None, math.nan, pd.NA])
def test_a_missing_score_is_none(missing: object) -> None:
    assert results.score({"all ndcg@10": missing}, "all ndcg@10") is None
    assert results.score({}, "all ndcg@10") is None


def test_scores_leave_out_rows_without_one() -> None:
    found = results.scores(made_up_report.results(), "new ndcg@10")
    assert "original-rnn-multitask" not in found
    assert found["popular"].value == 0.04


def test_models_are_grouped_by_variant_without_the_baselines() -> None:
    grouped = results.trained(made_up_report.results())
    assert {variant: list(trainers) for variant, trainers in grouped.items()} == {
        "baseline": ["original", "weighted"],
        "rnn-multitask": ["original", "weighted"],
    }


def test_known_variants_come_first() -> None:
    variants = ["gate", "rnn-multitask", "baseline", "gate", "text"]
    assert results.in_order(variants) == ["baseline", "rnn-multitask", "gate", "text"]


def test_selected_epochs_are_of_trained_models() -> None:
    assert results.selected_epochs(made_up_report.results()) == {
        "original-baseline": 2,
        "original-rnn-multitask": 1,
        "weighted-baseline": 3,
        "weighted-rnn-multitask": 3,
    }


@pytest.mark.parametrize(
    ("column", "heading"),
    [
        ("all ndcg@10", "nDCG@10 (all)"),
        ("paper split recall@50", "Recall@50 (paper split)"),
        ("turn fresh micro recall@1", "Micro recall@1 (turn fresh)"),
        ("new novelty", "novelty (new)"),
    ],
)
def test_headings_use_the_terms_of_the_field(column: str, heading: str) -> None:
    assert results.heading(column) == heading


def test_a_name_is_a_trainer_and_a_variant() -> None:
    assert results.split_name("weighted-rnn-multitask") == ("weighted", "rnn-multitask")
    with pytest.raises(ValueError, match="popular is no"):
        results.split_name("popular")
