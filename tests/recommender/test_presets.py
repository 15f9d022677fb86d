import os
import shutil
import subprocess
import sys
from copy import deepcopy
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from dvc.cli import parse_args
from dvc.utils.hydra import apply_overrides, to_hydra_overrides
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from stages.recommender.errors import UserError
from stages.recommender.params import load_params
from stages.recommender.presets import flatten, load_preset, options, override

ROOT = Path(__file__).parents[2]
NAMES = sorted(path.stem for path in (ROOT / "presets").glob("*.yaml"))


def on_the_command_line(*names: str) -> list[str]:
    """The words that a shell makes of ``$(python -m stages.recommender.presets ...)``."""
    presets = f"{sys.executable} -m stages.recommender.presets {' '.join(names)}"
    told = subprocess.run(
        ["bash", "-c", f"printf '%s\\n' $({presets})"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return told.stdout.splitlines()


def preset(name: str) -> dict[str, Any]:
    return load_preset(name, ROOT / "presets")


@pytest.mark.parametrize("names", [*((name,) for name in NAMES), ("sample", "notebook", "frozen")])
def test_dvc_sets_what_a_workspace_sets(names: tuple[str, ...], tmp_path: Path) -> None:
    by_dvc, by_override = tmp_path / "dvc.yaml", tmp_path / "override.yaml"
    shutil.copy(ROOT / "params.yaml", by_dvc)
    # as `dvc exp run` does
    arguments = parse_args(["exp", "run", *on_the_command_line(*names)])
    apply_overrides(by_dvc, arguments.set_param)
    params = YAML(typ="safe").load(ROOT / "params.yaml")
    for name in names:
        override(params, preset(name))
    YAML().dump(params, by_override)
    found = load_params(by_dvc)
    assert found == load_params(by_override)
    assert found != load_params(ROOT / "params.yaml")


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_says_only_what_it_changes(name: str) -> None:
    committed = dict(flatten(YAML(typ="safe").load(ROOT / "params.yaml")))
    changes = dict(flatten(preset(name)))
    assert changes.keys() <= committed.keys()
    same = {key for key, value in changes.items() if committed[key] == value}
    # where another preset stands before it, the paper's needs the hub
    assert same <= {"encoder.source"}


def test_every_pair_of_presets_fits_together() -> None:
    for names in permutations(NAMES, 2):
        params = YAML(typ="safe").load(ROOT / "params.yaml")
        for name in names:
            override(params, preset(name))
        assert params.keys() == YAML(typ="safe").load(ROOT / "params.yaml").keys(), names


def test_flatten_keeps_order_and_lists() -> None:
    nested = {"b": {"y": 1, "x": {"z": [{"k": 1}]}}, "a": None, "c": {}}
    assert list(flatten(nested)) == [("b.y", 1), ("b.x.z", [{"k": 1}]), ("a", None)]


def test_override_goes_into_sections_and_replaces_lists() -> None:
    params = {"a": {"x": 1, "y": [1, 2]}, "b": 2}
    override(params, {"a": {"y": [3]}, "b": {"z": 1}, "c": 4})
    assert params == {"a": {"x": 1, "y": [3]}, "b": {"z": 1}, "c": 4}


def test_override_leaves_the_preset_as_it_is() -> None:
    change = {"a": {"x": 2}}
    kept = deepcopy(change)
    params: dict[str, Any] = {"a": {"x": 1, "y": 1}}
    override(params, change)
    params["a"]["y"] = 5
    assert change == kept


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    # a value with `$` refers to another one, in DVC as in Hydra
    | st.text(st.characters(exclude_categories=["Z", "C"], exclude_characters="$"))
)
NAME = st.from_regex(r"[a-z]{1,5}", fullmatch=True)
VALUES = SCALARS | st.lists(SCALARS) | st.lists(st.dictionaries(NAME, SCALARS), max_size=3)


@given(value=VALUES)
def test_dvcs_grammar_reads_any_value_back(value: Any) -> None:
    option, assignment = options({"section": {"key": value}})
    (parsed,) = to_hydra_overrides([assignment])
    assert (option, parsed.key_or_group) == ("-S", "section.key")
    read = parsed.value()
    assert (unquoted(read), kinds(read)) == (value, kinds(value))


def unquoted(value: Any) -> Any:
    match value:
        case list():
            return [unquoted(each) for each in value]
        case dict():
            return {str(key): unquoted(each) for key, each in value.items()}
        case _:
            return getattr(value, "text", value)


def kinds(value: Any) -> Any:
    match value:
        case list():
            return [kinds(each) for each in value]
        case dict():
            return [kinds(each) for each in value.values()]
        case _:
            return type(getattr(value, "text", value))


def test_a_value_with_a_space_is_refused() -> None:
    with pytest.raises(UserError) as raised:
        options({"redial": {"zip": {"location": "my corpora/redial.zip"}}})
    assert str(raised.value) == (
        "redial.zip.location has a space in it, which $(...) would split; set it in params.yaml "
        "instead"
    )


def test_an_unknown_preset_is_told() -> None:
    with pytest.raises(UserError) as raised:
        preset("smaple")
    assert str(raised.value) == f"no preset is called 'smaple'; the presets are: {', '.join(NAMES)}"


def test_away_from_the_root_there_are_none(tmp_path: Path) -> None:
    for name in ("", "sample"):
        with pytest.raises(UserError, match=r"presets are: none, since this is not the root of"):
            load_preset(name, tmp_path)


def test_a_preset_that_is_no_mapping_is_told(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("- redial\n")
    with pytest.raises(UserError, match=r"mine\.yaml holds a list but should map keys to values"):
        load_preset("mine", tmp_path)


@pytest.mark.parametrize("arguments", [["smaple"], [], ["sample", "smaple"]])
def test_a_mistake_stops_the_command_around_it(arguments: list[str]) -> None:
    presets = [sys.executable, "-m", "stages.recommender.presets", *arguments]
    told = subprocess.run(presets, cwd=ROOT, capture_output=True, text=True, check=False)
    assert told.returncode == 1
    assert told.stderr.startswith("error: ")
    assert len(told.stderr.splitlines()) == 1
    # DVC would run the parameters as committed if it were given nothing
    dvc = [sys.executable, "-m", "dvc", "exp", "run", *told.stdout.split()]
    refused = subprocess.run(
        dvc, cwd=ROOT, capture_output=True, text=True, check=False, env=dict(os.environ)
    )
    assert refused.returncode != 0
    assert "unrecognized arguments: --no-such-preset" in refused.stderr
