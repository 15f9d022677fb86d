import re
from pathlib import Path

import pytest
from docs_scripts import docs_script

from stages.recommender.errors import UserError
from stages.recommender.params import Params, load_params
from stages.recommender.presets import flatten, load_preset, override
from stages.recommender.yaml_files import read_yaml

ROOT = Path(__file__).parents[1]
search = docs_script("search")

SMALL = {
    "model": "softmax-gate",
    "presets": ["frozen"],
    "base": {"gate.repeats": 1},
    "trials": [{}, {"gate.dropout": 0.4}, {"gate.dropout": 0.7, "gate.epochs": 3}],
}


def named(trial: dict[str, float]) -> str:
    name: str = search.experiment_name("gate", trial)
    return name


def test_a_trial_is_known_by_what_it_changes() -> None:
    names = [named(trial) for trial in SMALL["trials"]]  # type: ignore[arg-type]
    assert len(set(names)) == 3
    assert named({"gate.epochs": 3, "gate.dropout": 0.7}) == names[2]
    assert all(re.fullmatch(r"gate-[0-9a-f]{8}", name) for name in names)


def test_what_has_run_is_not_run_again() -> None:
    have = ["main", named({"gate.dropout": 0.4})]
    assert search.missing("gate", SMALL, have) == [SMALL["trials"][0], SMALL["trials"][2]]


def test_the_log_tells_validation_scores_the_best_first_and_no_test_score() -> None:
    others = {"recall@10": 0.4, "loss": 5.5}
    found = {
        named({}): {"validation": {"ndcg@10": 0.31, **others}, "test": {"all": {"ndcg@10": 0.9}}},
        named({"gate.dropout": 0.4}): {"validation": {"ndcg@10": 0.35, **others}},
    }
    rows = search.log("gate", SMALL, found)
    assert rows == [
        {"trial": "gate.dropout 0.4", "ndcg@10": 0.35, "recall@10": 0.4, "loss": 5.5},
        {"trial": "as committed", "ndcg@10": 0.31, "recall@10": 0.4, "loss": 5.5},
    ]
    assert "0.3500" in search.as_table(rows)
    assert "0.9000" not in search.as_table(rows)


def test_a_trial_that_fails_ends_the_search_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)  # no repository
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets" / "frozen.yaml").write_text("training:\n  trainable_layers: none\n")
    with pytest.raises(UserError, match=r"the trial with gate\.dropout 0\.4 failed"):
        search.run_trial("gate", SMALL, SMALL["trials"][1])
    assert "not inside of a DVC repository" in capfd.readouterr().err


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "searches").glob("*.yaml")))
def test_every_trial_sets_parameters_that_there_are(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    file = read_yaml(path)
    committed = dict(flatten(load_params().model_dump()))
    assert file["model"] in load_params().models
    names = [search.experiment_name(path.stem, trial) for trial in file["trials"]]
    assert len(set(names)) == len(names)
    for trial in file["trials"]:
        params = load_params().model_dump()
        for preset in file["presets"]:
            override(params, load_preset(preset))
        beside = dict(flatten(params))
        for key, value in (file["base"] | trial).items():
            assert key in committed
            section, name = key.split(".")
            params[section][name] = value
        Params.model_validate(params)
        assert all(beside[key] != value for key, value in trial.items())


def test_relative_paths_are_those_of_the_files_beside_the_presets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    presets = [
        {"redial": {"zip": {"location": "a.zip", "sha256": None}}},
        {"encoder": {"source": "b"}},
    ]
    assert search._paths(presets) == {"redial.zip.location": str(tmp_path / "a.zip")}


def test_a_search_that_is_none_is_told_with_those_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("sys.argv", ["search.py", "gates"])
    with pytest.raises(UserError, match="no search is called gates; name one of gate, "):
        search.main()
