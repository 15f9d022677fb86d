"""Named sets of parameters: partial copies of ``params.yaml`` under ``presets/``.

``python -m stages.recommender.presets sample`` prints the set as options of DVC's:
``dvc exp run $(python -m stages.recommender.presets sample)``.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stages.recommender.errors import UserError, run_stage
from stages.recommender.yaml_files import read_yaml

PRESETS = Path("presets")

_PLAIN = re.compile(r"[A-Za-z_][\w./:+@-]*", re.ASCII)
"""Text that DVC's grammar takes as it stands, unless it is one of the words below."""
_WORDS = frozenset({"null", "true", "false", "nan", "inf"})


def load_preset(name: str, folder: Path = PRESETS) -> dict[str, Any]:
    """A preset as nested mappings.

    Raises:
        UserError: There is none of this name, or its file is no YAML mapping.
    """
    known = sorted(file.stem for file in folder.glob("*.yaml"))
    if name not in known:
        presets = ", ".join(known) or "none, since this is not the root of the project"
        raise UserError(f"no preset is called {name!r}; the presets are: {presets}")
    return read_yaml(folder / f"{name}.yaml")


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


def options(values: Mapping[str, Any]) -> list[str]:
    """The words of a command line that set these values: ``-S``, ``section.key=value``, ...

    They are for ``$(...)``, where a shell splits at spaces and takes quotes as they are.

    Raises:
        UserError: A value has a space in it.
    """
    words = []
    for key, value in flatten(values):
        assignment = f"{key}={_in_hydra(value)}"
        if any(character.isspace() for character in assignment):
            raise UserError(
                f"{key} has a space in it, which $(...) would split; set it in params.yaml instead"
            )
        words += ["-S", assignment]
    return words


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
        case str() if not _PLAIN.fullmatch(value) or value.lower() in _WORDS:
            # a quote is escaped, and so are the backslashes before one
            escaped = re.sub(r"(\\*)('|\Z)", lambda m: m[1] * 2 + m[2].replace("'", r"\'"), value)
            return f"'{escaped}'"
        case _:
            return str(value)


def main() -> None:
    """Print presets as options of ``dvc exp run``."""
    try:
        if not sys.argv[1:]:
            raise UserError("name presets, such as sample; they are the files in presets/")
        print(*(word for name in sys.argv[1:] for word in options(load_preset(name))))
    except UserError:
        # within $(...), the command around would go on without any option; this one it refuses
        print("--no-such-preset")
        raise


if __name__ == "__main__":
    run_stage(main)
