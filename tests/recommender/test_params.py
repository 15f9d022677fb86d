from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML

from stages.recommender.errors import UserError
from stages.recommender.params import PARAMS_FILE, Params, load_params
from stages.recommender.yaml_files import checked

ROOT = Path(__file__).parents[2]
COMMITTED: dict[str, Any] = YAML(typ="safe").load(ROOT / "params.yaml")
REMOVED = object()


def changed(name: str, value: object) -> dict[str, Any]:
    """The committed parameters with another value of one."""
    params = deepcopy(COMMITTED)
    *sections, last = name.split(".")
    place = params
    for section in sections:
        place = place[section]
    if value is REMOVED:
        del place[last]
    else:
        place[last] = value
    return params


def test_the_committed_parameters_are_the_notebooks() -> None:
    params = load_params(ROOT / "params.yaml")
    training = params.training
    assert (training.epochs, training.dialogue_batch, training.tag_batch) == (20, 32, 64)
    assert training.encoder_learning_rate == training.head_learning_rate == 2e-5
    assert (training.warmup_fraction, training.max_gradient_norm, training.seed) == (0.1, 1.0, 42)
    assert training.trainable_layers == "all"
    assert (params.loss.pos_weight, params.loss.tag_weight) == (1200, 0.001)
    assert (params.loss.focal.alpha, params.loss.focal.gamma) == (1.0, 2.0)
    assert (params.model.hidden_size, params.model.dropout) == (256, 0.1)
    mentions = params.model.mentions
    assert (mentions.max, mentions.embedding_size, mentions.hidden_size) == (20, 256, 128)
    assert (params.tags.max_per_movie, params.tags.held_out_fraction) == (50, 0.1)
    assert (params.dialogues.max_tokens, params.tags.max_tokens) == (512, 64)


def test_parameters_cannot_be_changed() -> None:
    params = load_params(ROOT / "params.yaml")
    with pytest.raises(ValidationError, match="frozen"):
        params.training.epochs = 3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("loss.pos_weight", "auto"),
        ("loss.pos_weight", 1),
        ("loss.tag_weight", 0),
        ("training.trainable_layers", 2),
        ("training.trainable_layers", "none"),
        ("training.warmup_fraction", 0.0),
        ("model.dropout", 0),
        ("evaluation.readings", []),
        ("compute.device", "cuda:1"),
        ("redial.zip.sha256", None),
        ("sample.seed", 2**32 - 1),
    ],
)
def test_what_is_allowed(name: str, value: object) -> None:
    params: Any = checked(Params, changed(name, value), PARAMS_FILE)
    for key in name.split("."):
        params = getattr(params, key)
    assert params == value


LAYERS = "or should be 'all' or 'none'; change it"


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        # unknown, missing
        (
            "loss.pos_weigth",
            1200,
            "loss.pos_weigth is no parameter; remove it or mend its spelling",
        ),
        ("losses", {}, "losses is no parameter; remove it or mend its spelling"),
        (
            "encoder.hub.branch",
            "main",
            "encoder.hub.branch is no parameter; remove it or mend its spelling",
        ),
        ("loss", REMOVED, "loss is missing; add it"),
        ("loss.focal.gamma", REMOVED, "loss.focal.gamma is missing; add it"),
        # of the wrong kind
        (
            "training.head_learning_rate",
            "2e-05",
            "training.head_learning_rate is '2e-05' (text) but should be a valid number; change it",
        ),
        (
            "training.epochs",
            "20",
            "training.epochs is '20' (text) but should be a valid integer; change it",
        ),
        (
            "training.epochs",
            True,
            "training.epochs is true but should be a valid integer; change it",
        ),
        (
            "training.epochs",
            20.0,
            "training.epochs is 20.0 but should be a valid integer; change it",
        ),
        (
            "training.epochs",
            None,
            "training.epochs is nothing but should be a valid integer; change it",
        ),
        (
            "training.weight_decay",
            False,
            "training.weight_decay is false but should be a valid number; change it",
        ),
        (
            "model.mentions.reads_padding",
            "no",
            "model.mentions.reads_padding is 'no' (text) but should be a valid boolean; change it",
        ),
        (
            "model.mentions.reads_padding",
            1,
            "model.mentions.reads_padding is 1 but should be a valid boolean; change it",
        ),
        ("compute.device", 0, "compute.device is 0 but should be a valid string; change it"),
        (
            "loss.pos_weight",
            "automatic",
            "loss.pos_weight is 'automatic' (text) but should be a valid number or should be "
            "'auto'; change it",
        ),
        (
            "training.trainable_layers",
            "some",
            "training.trainable_layers is 'some' (text) but should be a valid integer " + LAYERS,
        ),
        (
            "training.trainable_layers",
            True,
            "training.trainable_layers is true but should be a valid integer " + LAYERS,
        ),
        ("sample", 3, "sample is 3 but should map keys to values; change it"),
        ("sample", None, "sample is nothing but should map keys to values; change it"),
        ("loss.focal", [1.0], "loss.focal is a list but should map keys to values; change it"),
        ("models", ["a"], "models is a list but should map keys to values; change it"),
        (
            "models.original-rnn",
            "rnn",
            "models.original-rnn is 'rnn' (text) but should map keys to values; change it",
        ),
        (
            "evaluation.readings",
            "turn",
            "evaluation.readings is 'turn' (text) but should be a valid list; change it",
        ),
        (
            "encoder.files",
            ["config.json"],
            "encoder.files.0 is 'config.json' (text) but should map keys to values; change it",
        ),
        (
            "encoder.files",
            [{"name": "config.json"}],
            "encoder.files.0.sha256 is missing; add it",
        ),
        (
            "encoder.package",
            {"a": 1},
            "encoder.package is a mapping but should be a valid string; change it",
        ),
        # out of range
        (
            "training.epochs",
            0,
            "training.epochs is 0 but should be greater than or equal to 1; change it",
        ),
        (
            "training.head_learning_rate",
            0.0,
            "training.head_learning_rate is 0.0 but should be greater than 0; change it",
        ),
        (
            "training.head_learning_rate",
            float("nan"),
            "training.head_learning_rate is nan but should be a finite number; change it",
        ),
        (
            "loss.tag_weight",
            float("inf"),
            "loss.tag_weight is inf but should be a finite number; change it",
        ),
        (
            "loss.pos_weight",
            -1,
            "loss.pos_weight is -1 but should be greater than 0 or should be 'auto'; change it",
        ),
        (
            "training.trainable_layers",
            0,
            "training.trainable_layers is 0 but should be greater than or equal to 1 " + LAYERS,
        ),
        ("model.dropout", 1.0, "model.dropout is 1.0 but should be less than 1; change it"),
        (
            "model.dropout",
            float("nan"),
            "model.dropout is nan but should be less than 1; change it",
        ),
        (
            "dialogues.validation_fraction",
            0,
            "dialogues.validation_fraction is 0 but should be greater than 0; change it",
        ),
        (
            "dialogues.max_tokens",
            513,
            "dialogues.max_tokens is 513 but should be less than or equal to 512; change it",
        ),
        (
            "movie_map.fuzzy_threshold",
            100.5,
            "movie_map.fuzzy_threshold is 100.5 but should be less than or equal to 100; change it",
        ),
        ("sample.seed", 2**32, "sample.seed is 4294967296 but should be less than 4294967296; ..."),
        (
            "dialogues.protocol",
            "correct",
            "dialogues.protocol is 'correct' (text) but should be 'corrected' or 'notebook'; "
            "change it",
        ),
        (
            "evaluation.readings",
            ["turn", "whole"],
            "evaluation.readings.1 is 'whole' (text) but should be 'before', 'turn' or "
            "'paper-split'; change it",
        ),
        (
            "compute.device",
            "tpu",
            "compute.device is 'tpu' (text) but should match pattern "
            r"'^(auto|cpu|cuda(:\d+)?)$'; change it",
        ),
        (
            "redial.hub.revision",
            "main",
            "redial.hub.revision is 'main' (text) but should match pattern '^[0-9a-f]{40}$'; "
            "change it",
        ),
        ("encoder.files", [], "encoder.files has 0 entries but should have 1; mend it"),
        ("models", {}, "models has 0 entries but should have 1; mend it"),
        (
            "models.original-rnn.watches",
            ["training"],
            "models.original-rnn.watches has 1 entries but should have 3; mend it",
        ),
        # contradictory
        (
            "encoder.source",
            "folder",
            "encoder.source is folder, so encoder.folder must name one",
        ),
        (
            "evaluation.readings",
            ["turn", "before", "turn"],
            "evaluation.readings names turn more than once; leave one of them",
        ),
        (
            "models.my-model",
            COMMITTED["models"]["original-rnn"],
            "models.my-model must be called original-rnn, its trainer and its variant",
        ),
    ],
)
def test_a_mistake_is_told_in_one_sentence(name: str, value: object, told: str) -> None:
    with pytest.raises(UserError) as raised:
        checked(Params, changed(name, value), PARAMS_FILE)
    assert str(raised.value) == f"params.yaml: {told}".replace("...", "change it")


def test_keys_are_names() -> None:
    with pytest.raises(UserError, match=r"^params\.yaml: 7 is no parameter; "):
        checked(Params, COMMITTED | {7: 1}, PARAMS_FILE)  # type: ignore[dict-item]
    models = {7: COMMITTED["models"]["original-rnn"]}
    with pytest.raises(UserError, match=r"^params\.yaml: models\.7 is 7 but should be a valid st"):
        checked(Params, COMMITTED | {"models": models}, PARAMS_FILE)


def test_numbers_are_read_as_dvc_writes_them(tmp_path: Path) -> None:
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    assert text.count("2.0e-05") == 2
    (tmp_path / "params.yaml").write_text(text.replace("2.0e-05", "2e-05"), encoding="utf-8")
    assert load_params(tmp_path / "params.yaml") == load_params(ROOT / "params.yaml")


@pytest.mark.parametrize(
    "change", [lambda text: "\ufeff" + text, lambda t: t.replace("\n", "\r\n")]
)
def test_other_editors_files_are_read(tmp_path: Path, change: Any) -> None:
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    (tmp_path / "params.yaml").write_bytes(change(text).encode())
    assert load_params(tmp_path / "params.yaml") == load_params(ROOT / "params.yaml")


def test_elsewhere_there_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as raised:
        load_params()
    assert str(raised.value) == (
        "no params.yaml here; run from the root of the project, where it lies"
    )
