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


def changed(name: str, value: object) -> dict[str, Any]:
    """The committed parameters with another value of one."""
    params = deepcopy(COMMITTED)
    *sections, last = name.split(".")
    place = params
    for section in sections:
        place = place[section]
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
    assert params.loss.reduction == "mean"
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
        ("redial.zip.location", "https://host/a@b.zip?user=c@d"),
        ("redial.zip.location", "https://host/token=a.zip?keyword=b&until=2030#key=c"),
        ("redial.zip.location", "/here/what?token=is.zip"),
        ("movielens.zip.location", "me@home/ml-latest.zip"),
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
