from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from whole_rankings import whole_rankings

from stages.recommender.evaluation.intervals import Interval
from stages.recommender.evaluation.rankings import Rankings
from stages.recommender.evaluation.scores import Scores
from stages.recommender.params import ModelEntry, Params, load_params
from stages.recommender.reporting import tables
from stages.recommender.reporting.assembly import (
    comparisons,
    corpus_name,
    how_it_ran,
    results_table,
    summary,
)
from stages.recommender.reporting.collected import Collected, Entry

ROOT = Path(__file__).parents[3]
ENCODER = "sentence-transformers/all-MiniLM-L6-v2"


def changed(section: str, **values: object) -> Params:
    """The committed parameters with one section's values changed."""
    params = load_params(ROOT / "params.yaml")
    return params.model_copy(update={section: getattr(params, section).model_copy(update=values)})


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
    params = changed("training", trainable_layers=layers, head_learning_rate=1e-3)
    others = {"encoder of softmax-gate": "frozen"} if layers != "none" else {}
    assert how_it_ran(params) == {
        "protocol": "corrected",
        "encoder": f"{ENCODER}, {encoder}",
        **others,
        "epochs": "20",
        **rates,
        "pos_weight": "1200",
        "seed": "42",
    }


def test_the_head_of_the_report_says_how_the_encoder_of_the_gate_learned() -> None:
    params = changed("gate", trainable_layers="all", encoder_learning_rate=1e-4)
    learned = how_it_ran(params)["encoder of softmax-gate"]
    assert learned == "fine-tuned in full, learning rate 0.0001"
    without = {name: entry for name, entry in params.models.items() if name != "softmax-gate"}
    shown = how_it_ran(params.model_copy(update={"models": without}))
    assert "encoder of softmax-gate" not in shown


def test_a_weight_that_is_reckoned_is_named_so() -> None:
    assert how_it_ran(changed("loss", pos_weight="auto"))["pos_weight"] == "auto"


@pytest.mark.parametrize(
    "location",
    [
        "https://host.example/mirror-of-mine/redial.zip?token=secret#part",
        "/home/me/secret/redial.zip",
        "redial.zip",
    ],
)
def test_an_archive_is_named_by_its_file_alone(location: str) -> None:
    zipped = changed("redial", source="zip")
    archive = zipped.redial.zip.model_copy(update={"location": location})
    redial = zipped.redial.model_copy(update={"zip": archive})
    named = corpus_name(zipped.model_copy(update={"redial": redial}))
    assert named == "ReDial (archive redial.zip), official test split"


def test_the_head_of_the_report_names_an_encoder_of_ones_own_by_its_folder() -> None:
    params = changed("encoder", source="folder", folder="/home/me/tiny-bert/")
    assert how_it_ran(params)["encoder"] == "tiny-bert, fine-tuned in full"
    # a package carries the hub's files
    packaged = how_it_ran(changed("encoder", source="package"))
    assert packaged["encoder"] == f"{ENCODER}, fine-tuned in full"


def collected(**entries: Entry) -> Collected:
    nothing: dict[str, object] = {}
    named = {name.replace("_", "-"): entry for name, entry in entries.items()}
    return Collected(named, None, None, None, nothing, nothing, None, None)


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


def answers(right: int, examples: int = 40) -> Rankings:
    """The answers of a model that finds the label of its first examples, and no other."""
    best = [[0 if row < right else 1] for row in range(examples)]
    return whole_rankings(best, [[]] * examples, [[0]] * examples)


def trained(trainer: str, variant: str, validation: float, **right: int) -> Entry:
    entry = ModelEntry.model_construct(trainer=trainer, variant=variant, data="", watches=[])
    history = pd.DataFrame({"epoch": [1], "eval_ndcg_at_10": [validation]})
    return Entry(entry, {reading: [answers(n)] for reading, n in right.items()}, {}, history)


def test_the_chosen_model_is_tested_under_every_reading_of_whole_dialogues() -> None:
    found = comparisons(
        collected(
            popular=Entry(None, {name: [answers(3)] for name in ("all", "new", "turn")}, {}, None),
            bm25=Entry(None, {"all": [answers(5)]}, {}, None),
            original_rnn=trained("original", "rnn", 0.1, all=4, new=4, turn=4),
            weighted_rnn=trained("weighted", "rnn", 0.2, all=30, new=20, turn=20),
        )
    )
    # on validation weighted-rnn is the best; bm25 has no other reading; turns have recall instead
    assert [(reading, each.first, each.second) for reading, each in found] == [
        ("all", "weighted-rnn", "original-rnn"),
        ("all", "weighted-rnn", "popular"),
        ("all", "weighted-rnn", "bm25"),
        ("new", "weighted-rnn", "popular"),
    ]
    assert [each.difference.value * 40 for _, each in found] == pytest.approx([26, 27, 25, 17])
    # the least of four p values times four, whatever their readings
    least = min(each.p_value for _, each in found)
    assert min(each.adjusted_p_value for _, each in found) == pytest.approx(4 * least)


def test_other_examples_are_not_compared() -> None:
    fewer = answers(3).keep(np.arange(40) > 0)
    entries = {
        "popular": Entry(None, {"all": [fewer]}, {}, None),
        "weighted_rnn": trained("weighted", "rnn", 0.2, all=30),
    }
    with pytest.raises(ValueError, match="different examples under the reading all"):
        comparisons(collected(**entries))
