from pathlib import Path

import pytest

from stages.recommender.params import load_params
from stages.recommender.reporting.assembly import how_it_ran

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
