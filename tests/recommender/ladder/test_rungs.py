from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import pytest

from stages.recommender.ladder.rungs import REPAIRS, Setup, rungs
from stages.recommender.params import Params, load_params
from stages.recommender.presets import load_preset, override
from stages.recommender.yaml_files import read_yaml

ROOT = Path(__file__).parents[3]


@pytest.fixture
def committed() -> Params:
    return load_params(ROOT / "params.yaml")


def with_presets(*names: str) -> Params:
    values = read_yaml(ROOT / "params.yaml")
    for name in names:
        override(values, load_preset(name, ROOT / "presets"))
    return Params.model_validate(values)


def assert_same(setup: Setup, committed: Params, pipeline: Params, trainer: str) -> None:
    """That a rung is trained as the pipeline's parameters would train it."""
    ours = setup.params(committed, pipeline.dialogues.max_tokens)
    assert ours.model == pipeline.model
    assert ours.loss == pipeline.loss
    assert ours.training == pipeline.training
    assert ours.evaluation.batch == pipeline.evaluation.batch
    assert setup.tags(pipeline.tags.max_tokens) == pipeline.tags
    assert setup.movie_map() == pipeline.movie_map
    assert setup.entry().trainer == trainer


def test_the_first_rung_is_the_notebook_on_a_frozen_encoder(committed: Params) -> None:
    notebook = with_presets("frozen", "notebook")
    rate = committed.training.head_learning_rate
    assert rate == 2e-5
    training = notebook.training.model_copy(update={"head_learning_rate": rate})
    # the trainer original reads nothing of the loss
    notebook = notebook.model_copy(update={"training": training, "loss": committed.loss})
    assert_same(Setup(), committed, notebook, "original")
    assert Setup().dialogues(512) == notebook.dialogues


def test_the_last_rung_is_the_frozen_pipeline_with_titles_in_the_text(committed: Params) -> None:
    last = list(rungs())[-1].setup
    frozen = with_presets("frozen")
    assert_same(last, committed, frozen, "weighted")
    assert last.dialogues(512) == frozen.dialogues.model_copy(update={"text_form": "titles"})
    assert last.selects_on == "validation"


def test_each_rung_changes_what_its_repair_names_and_nothing_else() -> None:
    every = list(rungs())
    assert every[0].setup == Setup()
    for before, after in pairwise(every):
        one, other = asdict(before.setup), asdict(after.setup)
        changed = {name: value for name, value in other.items() if one[name] != value}
        assert changed == dict(after.repair.changes)
        assert len(changed) == 1


def test_names_fit_beside_the_rows_of_a_narrow_picture() -> None:
    names = [repair.name for repair in REPAIRS]
    assert len(set(names)) == len(names)
    assert max(map(len, names)) <= 21


def test_epochs_seed_and_repeats_are_parameters(committed: Params) -> None:
    ladder = committed.ladder.model_copy(update={"epochs": 3, "seed": 7, "repeats": 2})
    training = Setup().params(committed.model_copy(update={"ladder": ladder}), 64).training
    assert (training.epochs, training.seed, training.repeats) == (3, 7, 2)


def test_the_notebooks_protocol_knows_no_validation_split() -> None:
    with pytest.raises(ValueError, match="validation is the test split"):
        Setup(selects_on="validation")
