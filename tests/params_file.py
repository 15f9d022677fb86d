"""The project's parameters with some of them changed, as a file."""

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from stages.recommender.presets import override

ROOT = Path(__file__).parents[1]
HERE = Path("params.yaml")


def write_params(path: Path, *changes: Mapping[str, Any]) -> None:
    """Write the project's ``params.yaml`` with changes made to it, section by section."""
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    for change in changes:
        override(params, deepcopy(dict(change)))
    yaml.dump(params, path)
