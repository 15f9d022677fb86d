from pathlib import Path

import pandas as pd
import pytest

from stages.recommender.evaluation.intervals import Interval
from stages.recommender.evaluation.scores import Scores
from stages.recommender.params import ModelEntry, load_params
from stages.recommender.reporting import tables
from stages.recommender.reporting.assembly import how_it_ran, results_table, summary
from stages.recommender.reporting.collected import Collected, Entry

ROOT = Path(__file__).parents[3]
ENCODER = "sentence-transformers/all-MiniLM-L6-v2"


@pytest.mark.parametrize(
    ("layers", "encoder", "rates"),
    [
        ("all", "fine-tuned in full", {"learning rates": "encoder 2e-05, heads 0.001"}),
        (2, "last 2 layers fine-tuned", {"learning rates": "encoder 2e-05, heads 0.001"}),
        # what does not learn has no learning rate
        ("none", "frozen", {"learning rate": "heads 0.001"}),
    ],
)
def test_the_head_of_the_report_says_how_the_encoder_learned(
    layers: str | int, encoder: str, rates: dict[str, str]
) -> None:
    params = load_params(ROOT / "params.yaml")
    changes = {"trainable_layers": layers, "head_learning_rate": 1e-3}
    training = params.training.model_copy(update=changes)
    assert how_it_ran(params.model_copy(update={"training": training})) == {
        "protocol": "corrected",
        "encoder": f"{ENCODER}, {encoder}",
        "epochs": "20",
        **rates,
        "pos_weight": "1200.0",
        "seed": "42",
    }


def collected(**entries: Entry) -> Collected:
    nothing: dict[str, object] = {}
    return Collected(entries, None, None, None, nothing, nothing, None, None)


def scored(value: float) -> dict[str, Scores]:
    return {"all": Scores(1, 1, {"ndcg@10": Interval(value, value, value)}, {})}


def test_a_score_is_rounded_once() -> None:
    # to six digits it is 0.210450, and that to four 0.2104
    table = results_table(collected(popular=Entry(None, {}, scored(0.2104500285), None)))
    [(name, score, *_)] = tables.models(table, ["all ndcg@10"]).rows
    assert (name, score) == ("popular", "0.2105")


def test_what_dvc_compares_has_few_digits_and_no_baseline() -> None:
    entry = ModelEntry(
        trainer="softmax", variant="gate", data="data/titles", watches=["gate", "titles", "gate"]
    )
    history = pd.DataFrame({"epoch": [1], "eval_ndcg_at_10": [0.2]})
    table = results_table(
        collected(
            popular=Entry(None, {}, scored(0.05), None),
            gate=Entry(entry, {}, scored(0.299373123456), history),
        )
    )
    assert summary(table) == {"nDCG@10 all": {"gate": 0.299373}}
