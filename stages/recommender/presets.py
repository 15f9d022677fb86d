"""Named sets of parameters: partial copies of ``params.yaml`` under ``presets/``.

``python -m stages.recommender.presets sample`` prints the set as options of DVC's:
``dvc exp run $(python -m stages.recommender.presets sample)``.
"""

import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from stages.recommender.errors import UserError, run_stage

PRESETS = Path("presets")


def load_preset(name: str, folder: Path = PRESETS) -> dict[str, Any]:
    """A preset as nested mappings.

    Raises:
        UserError: There is none of this name, or its file is no YAML mapping.
    """
    path = folder / f"{name}.yaml"
    known = ", ".join(sorted(file.stem for file in folder.glob("*.yaml")))
    if name not in known.split(", "):
        raise UserError(f"no preset is called {name!r}; the presets are: {known}")
    try:
        content = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except YAMLError as error:
        raise UserError(f"{path} is no YAML: {' '.join(str(error).split())}; mend it") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} must map sections to values, as params.yaml does; mend it")
    return content


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested mappings as (dotted key, value); a list is one value."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def override(params: dict[str, Any], values: Mapping[str, Any]) -> None:
    """Put a preset's values in the place of the parameters' own, section by section."""
    for key, value in values.items():
        if isinstance(value, Mapping) and isinstance(params.get(key), dict):
            override(params[key], value)
        else:
            params[key] = value


def _option(key: str, value: Any) -> str:
    return f"-S {shlex.quote(f'{key}={_in_hydra(value)}')}"


def _in_hydra(value: Any) -> str:
    """A value in the grammar that ``-S`` reads (Hydra's overrides)."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case list():
            return f"[{','.join(map(_in_hydra, value))}]"
        case dict():
            return "{" + ",".join(f"{k}:{_in_hydra(v)}" for k, v in value.items()) + "}"
        case _:
            return str(value)


def main() -> None:
    """Print presets as options of ``dvc exp run``."""
    options = [
        _option(key, value) for name in sys.argv[1:] for key, value in flatten(load_preset(name))
    ]
    print(" ".join(options))


if __name__ == "__main__":
    run_stage(main)
