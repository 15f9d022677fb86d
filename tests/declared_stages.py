"""The stages as dvc.yaml declares them, with its loops and variables resolved by DVC itself."""

import shlex
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dvc.dependency.param import ParamsDependency
from dvc.repo import Repo
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class DeclaredStage:
    """A stage.

    Attributes:
        name: As DVC names it: ``compare``, ``train@original-rnn``.
        command: What it runs, split into words.
        code: Files and folders of code that it depends on.
        data: Files and folders of data that it depends on.
        params: Dotted parameters and sections that it depends on.
        outputs: Files and folders that it writes.
        cached: Those of them that DVC keeps, and git does not.
    """

    name: str
    command: tuple[str, ...]
    code: tuple[Path, ...]
    data: tuple[Path, ...]
    params: frozenset[str]
    outputs: tuple[Path, ...]
    cached: tuple[Path, ...]

    @property
    def module(self) -> str:
        """The module that it runs."""
        return self.command[2]


@cache
def declared_stages() -> tuple[DeclaredStage, ...]:
    """All stages, in the order of dvc.yaml."""
    with TemporaryDirectory() as folder:
        for name in ("dvc.yaml", "params.yaml"):
            shutil.copy(ROOT / name, folder)
        repo = Repo.init(folder, no_scm=True)
        try:
            return tuple(_declared(stage) for stage in repo.index.stages)
        finally:
            repo.close()


def stage_named(name: str) -> DeclaredStage:
    return next(stage for stage in declared_stages() if stage.name == name)


def leaves(params: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The dotted names of single parameters; a list is one of them."""
    for key, value in params.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


@cache
def all_leaves() -> frozenset[str]:
    return frozenset(leaves(YAML(typ="safe").load(ROOT / "params.yaml")))


def _declared(stage: Any) -> DeclaredStage:
    paths = [Path(dep.def_path) for dep in stage.deps if not isinstance(dep, ParamsDependency)]
    return DeclaredStage(
        name=stage.name,
        command=tuple(shlex.split(stage.cmd)),
        code=tuple(path for path in paths if path.parts[0] == "stages"),
        data=tuple(path for path in paths if path.parts[0] != "stages"),
        # a parameter file without names stands for all that is in it
        params=frozenset(
            name
            for dep in stage.deps
            if isinstance(dep, ParamsDependency)
            for name in dep.params or [leaf.split(".")[0] for leaf in all_leaves()]
        ),
        outputs=tuple(Path(out.def_path) for out in stage.outs),
        cached=tuple(Path(out.def_path) for out in stage.outs if out.use_cache),
    )
