"""Run the whole pipeline in a folder of its own, so that the checkout stays as it is.

``python -m stages.recommender.workspace NAME [--preset PRESET ...] [--set KEY=VALUE ...]`` brings
``runs/NAME`` up to date with the checkout's code, writes its ``params.yaml`` (the checkout's, then
the presets, then the single values), and runs ``dvc repro`` there. What is done is not done again.
``--jobs N`` trains N models at once.
"""

import argparse
import fcntl
import filecmp
import io
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from stages.recommender import artifacts
from stages.recommender.corpora.checksums import sha256_of
from stages.recommender.errors import UserError, run_stage
from stages.recommender.job_runner import run_command
from stages.recommender.mending import mend
from stages.recommender.params import PARAMS_FILE, Params, local_path, read_params_file
from stages.recommender.presets import load_preset, override
from stages.recommender.yaml_files import checked, parse_yaml

RUNS = Path("runs")
COPIED = ("dvc.yaml", ".dvcignore", "stages")
PLOTS = Path(".dvc/plots")
DVC_CACHE = Path(".dvc/cache")
"""Of the checkout and all workspaces: what one has made, the others take."""
CONFIG = """\
[core]
    no_scm = True
    analytics = False
[cache]
    dir = {cache}
"""
"""Of the workspace's DVC, which has no git to look for and tells nobody of its use."""
PATHS = (("redial", "zip", "location"), ("movielens", "zip", "location"), ("encoder", "folder"))
"""The parameters that may be paths on this machine."""


def workspace(name: str) -> Path:
    """The folder of a workspace.

    Raises:
        UserError: The name is no plain name of a folder.
    """
    if name in {"", ".", ".."} or Path(name).name != name:
        raise UserError(f"{name!r} names no folder under {RUNS}/; use letters, digits and hyphens")
    return RUNS / name


@contextmanager
def alone(folder: Path) -> Iterator[int]:
    """Hold a workspace, so that no other run works in it.

    Yields:
        The descriptor that holds it; a process that inherits it holds it too, so that a workspace
        whose run was killed stays held while DVC works on.

    Raises:
        UserError: Another run works in it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f".{folder.name}.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"another run works in {folder}; wait until it has ended, then run again"
            ) from None
        yield lock.fileno()


def prepare(folder: Path, presets: list[str], values: list[str]) -> None:
    """Bring a workspace's code and parameters up to date with the checkout in this folder.

    Args:
        folder: The workspace.
        presets: Names of presets, the later over the earlier.
        values: ``key=value``, over the presets.

    Relative paths of corpora and of the encoder are taken from this folder. An archive here whose
    checksum is not given gets its own, so that another one of its name is noticed.

    Raises:
        UserError: A preset, key or value is wrong; the workspace is then as it was.
    """
    params = read_params_file()
    for preset in presets:
        override(params, load_preset(preset))
    for assignment in values:
        _assign(params, assignment)
    given = [f"--preset {preset}" for preset in presets]
    given += [f"--set {value.partition('=')[0]}" for value in values]  # no value: it may be secret
    checked(Params, params, f"{PARAMS_FILE} under {', '.join(given)}" if given else PARAMS_FILE)
    for *sections, last in PATHS:
        section = params
        for key in sections:
            section = section[key]
        section[last] = from_here(section[last])
    for corpus in ("redial", "movielens"):
        archive = params[corpus]["zip"]
        path = Path(archive["location"])
        if params[corpus]["source"] == "zip" and archive["sha256"] is None and path.is_file():
            archive["sha256"] = sha256_of(path)
    text = _yaml(params)
    target = folder / PARAMS_FILE
    if not target.is_file() or target.read_text(encoding="utf-8") != text:
        artifacts.write_text(target, text)
    for name in COPIED:
        _mirror(Path(name), folder / name)


def _assign(params: dict[str, Any], assignment: str) -> None:
    key, equals, text = assignment.partition("=")
    *sections, last = key.split(".")
    place: Any = params
    for section in sections:
        place = place.get(section) if isinstance(place, dict) else None
    if not equals or not isinstance(place, dict) or last not in place:
        raise UserError(
            f"{assignment!r} sets no parameter; write section.key=value as in {PARAMS_FILE}"
        )
    try:
        place[last] = parse_yaml(text)
    except ValueError:
        raise UserError(f"the value in {assignment!r} is no YAML; put it in quotes") from None


def from_here(location: str | None) -> str | None:
    """A path that means the same in another folder; a URL as it is."""
    if location is None or "://" in location:
        return location
    return str(local_path(location).absolute())


def _yaml(params: dict[str, Any]) -> str:
    yaml = YAML()
    yaml.default_flow_style = False
    text = io.StringIO()
    yaml.dump(params, text)
    return text.getvalue()


def _mirror(source: Path, target: Path) -> None:
    """Make ``target`` a copy of ``source``, touching only what differs."""
    if source.is_file():
        if not _same(source, target):
            with artifacts.atomic_file(target) as partial:
                shutil.copy2(source, partial)
        return
    wanted = {
        path.relative_to(source)
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    for path in sorted(target.rglob("*")):
        inside = path.relative_to(target)
        if path.is_file() and "__pycache__" not in path.parts and inside not in wanted:
            path.unlink()
    for path in sorted(wanted):
        _mirror(source / path, target / path)


def _same(one: Path, other: Path) -> bool:
    return other.is_file() and filecmp.cmp(one, other, shallow=False)


def reproduce(folder: Path, held: int, jobs: int | None = None) -> None:
    """Run ``dvc repro`` in a workspace; show its output.

    Args:
        folder: The workspace.
        held: What :func:`alone` gave for it.
        jobs: Models that train at once; ``None``: one after the other.

    Raises:
        UserError: A stage failed; its own message stands above.
    """
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        # for a workspace whose configuration was written before it said so
        "DVC_NO_ANALYTICS": "true",
    }
    dvc = [sys.executable, "-m", "dvc"]
    config = folder / ".dvc" / "config"
    if not config.is_file():
        cache = os.path.relpath(DVC_CACHE, config.parent)
        artifacts.write_text(config, CONFIG.format(cache=cache))
    _mirror(PLOTS, folder / PLOTS)
    for sentence in mend(folder, DVC_CACHE):
        print(sentence, flush=True)
    command = [*dvc, "repro"]
    if jobs is not None:
        parallel = [sys.executable, "-m", "stages.recommender.parallel"]
        command = [*parallel, "--jobs", str(jobs), "--held", str(held)]
    code = run_command(command, cwd=folder, env=environment, pass_fds=(held,))
    if code:
        raise UserError(
            f"a stage failed, see above; mend it and run the same command again to go on from "
            f"there (the workspace is {folder})"
        )


def main() -> None:
    """Prepare a workspace, reproduce it, show its results."""
    parser = argparse.ArgumentParser(prog="python -m stages.recommender.workspace")
    parser.add_argument("name", help="of the folder under runs/")
    parser.add_argument("--preset", action="append", default=[], help="of presets/; repeatable")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="values")
    parser.add_argument("--jobs", type=int, metavar="N", help="models that train at once")
    arguments = parser.parse_args()
    folder = workspace(arguments.name)
    with alone(folder) as held:
        prepare(folder, arguments.preset, arguments.values)
        reproduce(folder, held, arguments.jobs)
    report = folder / artifacts.REPORT
    print("\n" + (report / "models.txt").read_text(encoding="utf-8"))
    for file in sorted([*report.glob("*.png"), report / "report.html"]):
        print(file)


if __name__ == "__main__":
    run_stage(main)
