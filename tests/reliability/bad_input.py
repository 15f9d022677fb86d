"""What is put before the stages in the sheet of bad input, and what must come of it.

``bad_input.txt`` is the sheet: for every case, by area and name, what the user is told. Each case
spoils a copy of a finished project, in a folder with spaces and accents in its name, and runs one
of its stages: it must say that one sentence, leave nothing half-written and delete nothing good.

Run as ``python tests/reliability/bad_input.py`` it writes the sheet anew, to be read in its
difference, and what it counts to ``docs/reliability/bad-input.json``.
"""

import fnmatch
import hashlib
import importlib
import json
import os
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, chdir, contextmanager, redirect_stderr
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

from ruamel.yaml import YAML
from tqdm import tqdm

ROOT = Path(__file__).parents[2]
sys.path[:0] = [
    path
    for path in (str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "recommender" / "corpora"))
    if path not in sys.path
]

from sections import Section, machine, write_section  # noqa: E402

from stages.recommender import yaml_files  # noqa: E402
from stages.recommender.errors import run_stage  # noqa: E402

PARSE = yaml_files.parse_yaml

SHEET = Path(__file__).with_suffix(".txt")
INDENT = "    "
HEAD = """\
What bad input gives: every case by area, and what the user is told; "borne" where a trouble passes.
test_bad_input.py holds the stages to each sentence, to leave nothing half-written and to delete
nothing good. A change of words: python tests/reliability/bad_input.py, then read the difference."""
MODEL = "weighted-multitask"
FOLDER = "ein Projekt mit ä, é und 天"
BORNE = "borne: nothing is said, and the results are the same bytes"
"""What the sheet says of a trouble that passes."""
REMOVED = object()
MODELS = {
    f"{trainer}-{variant}": {
        "trainer": trainer,
        "variant": variant,
        "data": "data/examples",
        "watches": ["training", "training", "training"],
    }
    for trainer, variant in (("original", "rnn"), ("weighted", "multitask"))
}
REDIAL, MOVIELENS, ENCODER = (
    "Meine Filme/redial dataset é.zip",
    "Meine Filme/ml-latest ä.zip",
    "Mein Encoder",
)
SIZES: dict[str, Any] = {
    "redial.source": "zip",
    "redial.zip": {"location": REDIAL, "sha256": None},
    "movielens.source": "zip",
    "movielens.zip": {"location": MOVIELENS, "sha256": None},
    "encoder.source": "folder",
    "encoder.folder": ENCODER,
    "dialogues.max_tokens": 64,
    "model.hidden_size": 12,
    "model.mentions.max": 4,
    "model.mentions.embedding_size": 6,
    "model.mentions.hidden_size": 5,
    "training.epochs": 1,
    "training.dialogue_batch": 16,
    "training.tag_batch": 8,
    "training.head_learning_rate": 0.01,
    "evaluation.readings": ["before"],
    "models": MODELS,
    "compute": {"device": "cpu", "threads": 1, "precision": "float32"},
}

Entered = TypeVar("Entered")


class Project:
    """A finished project that a case may spoil; the process stands in its folder.

    Attributes:
        root: The folder.
        params: Its parameters, as they stand in ``params.yaml``.
    """

    def __init__(self, root: Path, stack: ExitStack) -> None:
        self.root = root
        self.params: dict[str, Any] = YAML(typ="safe").load(root / "params.yaml")
        self.names: dict[str, str] = {str(root): "."}
        self._stack = stack

    def during(self, context: AbstractContextManager[Entered]) -> Entered:
        """Enter what must last while the stage runs."""
        return self._stack.enter_context(context)

    def set(self, key: str, value: object) -> None:
        """Write another value, or none where it is :data:`REMOVED`, to ``params.yaml``."""
        change(self.params, key, value)
        write_params(self.params)

    def call(self, name: str, shown: str) -> None:
        """Have a name that differs from run to run stand in the sheet as another."""
        self.names[name] = shown

    def snapshot(self) -> dict[str, str]:
        """The digest of every file, the target of every link; folders too."""
        return {
            str(path.relative_to(self.root)): _digest(path) for path in sorted(self.root.rglob("*"))
        }


@dataclass(frozen=True)
class Case:
    """A trouble.

    Attributes:
        area: What is wrong: the heading in the sheet.
        name: How it is wrong.
        stage: The module in ``stages`` that meets it.
        spoil: Makes the trouble.
        keeps: Patterns of what may be new afterwards, since a next run goes on with it; what is
            half-written only where a pattern ends in ``.partial``.
        spends: Patterns of what may be gone afterwards, since nothing needs it any more.
        must_keep: Patterns of what must be there afterwards.
    """

    area: str
    name: str
    stage: str
    spoil: Callable[[Project], object]
    keeps: Sequence[str] = ()
    spends: Sequence[str] = ()
    must_keep: Sequence[str] = ()


@dataclass(frozen=True)
class Outcome:
    """What came of a case.

    Attributes:
        told: What the user was told, or :data:`BORNE`.
        harm: What was left half-written, lost or changed.
    """

    told: str
    harm: list[str]


class NotHereError(Exception):
    """This machine cannot make the trouble; its message says why."""


DIGESTS = {
    r"(?<=\.cache/training/)[0-9a-f]{32}": "<training>",
    r"\b(?!0{64})[0-9a-f]{64}\b": "<sha256>",
}
"""What depends on code and compression, and how the sheet shows it."""
HALF_WRITTEN = ".partial"
KEPT = (".cache", ".cache/downloads", "*.lock")
"""What any run may leave: the folder of downloads, the locks of processes."""


def meet(case: Case, finished: Path, folder: Path) -> Outcome:
    """Put a case before its stage.

    Args:
        case: The trouble.
        finished: A project as :func:`finish_project` makes it.
        folder: Where to copy it.

    Raises:
        NotHereError: This machine cannot make the trouble.
    """
    root = folder / FOLDER
    shutil.copytree(finished, root)
    with ExitStack() as stack:
        stack.enter_context(chdir(root))
        stack.enter_context(patch.object(sys, "argv", [case.stage, MODEL]))
        stack.enter_context(patch.dict(os.environ))
        for name in ("DVC_STAGE", "DVC_ROOT", "HF_TOKEN", "HF_ENDPOINT"):
            os.environ.pop(name, None)
        stack.enter_context(replaced("stages.recommender.yaml_files", "parse_yaml", _parsed_once))
        project = Project(root, stack)
        case.spoil(project)
        before = project.snapshot()
        told = _run(case.stage)
        after = project.snapshot()
        harm = harm_done(before, after, [*KEPT, *case.keeps], case.spends, case.must_keep)
    for name, shown in project.names.items():
        told = told.replace(name, shown)
    for pattern, shown in DIGESTS.items():
        told = re.sub(pattern, shown, told)
    return Outcome(told, harm)


def _parsed_once(text: str) -> Any:
    """What the parser in Python says, which takes its time, of two hundred files that are alike."""
    return deepcopy(_parsed(text))


@cache
def _parsed(text: str) -> Any:
    return PARSE(text)


def _run(stage: str) -> str:
    """What a stage says of a trouble: on stderr, then as it ends."""
    said = StringIO()
    ended = ""
    with redirect_stderr(said), patch.object(sys, "stdout", StringIO()):
        try:
            run_stage(main_of(stage))
        except SystemExit as end:
            assert isinstance(end.code, str), end.code  # shown on stderr, and the exit status is 1
            ended = end.code
    # progress bars move the cursor, and write over themselves after a carriage return
    seen = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", said.getvalue())
    lines = [line.rpartition("\r")[2] for line in seen.splitlines()]
    words = [line for line in lines if line.strip() and not _is_progress(line)]
    return "\n".join([*words, *([ended] if ended else [])]) or BORNE


def _is_progress(line: str) -> bool:
    return "%|" in line or line.startswith("epoch ")


def main_of(stage: str) -> Callable[[], None]:
    """The main of a module in ``stages``, imported when it is needed."""
    main: Callable[[], None] = importlib.import_module(f"stages.{stage}").main
    return main


def harm_done(
    before: Mapping[str, str],
    after: Mapping[str, str],
    keeps: Sequence[str],
    spends: Sequence[str],
    must_keep: Sequence[str],
) -> list[str]:
    """What a stage has lost, changed or left that it must not.

    Args:
        before: A snapshot; see :meth:`Project.snapshot`.
        after: The snapshot afterwards.
        keeps: See :class:`Case`.
        spends: See :class:`Case`.
        must_keep: See :class:`Case`.
    """
    lost = before.keys() - after.keys()
    found = [f"{name} is lost" for name in lost if not _is_any(name, spends)]
    found += [
        f"{name} is changed" for name in before if after.get(name, before[name]) != before[name]
    ]
    new = after.keys() - before.keys()
    whole = [pattern for pattern in keeps if not pattern.endswith(HALF_WRITTEN)]
    half_written = [pattern for pattern in keeps if pattern.endswith(HALF_WRITTEN)]
    found += [
        f"{name} is left"
        for name in new
        if not _is_any(name, half_written if HALF_WRITTEN in name else whole)
    ]
    found += [
        f"no {pattern} is kept" for pattern in must_keep if not fnmatch.filter(after, pattern)
    ]
    return sorted(found)


def _is_any(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _digest(path: Path) -> str:
    if path.is_symlink():
        return f"-> {path.readlink()}"
    if path.is_dir():
        return "a folder"
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "neither"


def change(params: dict[str, Any], key: str, value: object) -> None:
    """Put a value, or none where it is :data:`REMOVED`, in the place of a dotted key."""
    *sections, last = key.split(".")
    for section in sections:
        params = params[section]
    if value is REMOVED:
        del params[last]
    else:
        params[last] = value


def write_params(params: Mapping[str, Any]) -> None:
    """Write ``params.yaml`` here."""
    # JSON is YAML, but for numbers that are none
    text = json.dumps(params, indent=1, ensure_ascii=False)
    text = re.sub(r"(?<=: )NaN|(?<=: )Infinity", lambda none: f".{none[0][:3].lower()}", text)
    Path("params.yaml").write_text(text, encoding="utf-8")


def finish_project(folder: Path) -> None:
    """Make a small project with all of its stages' results but for comparison and ladder."""
    from tiny_encoder import write_tiny_encoder

    from stages.recommender.corpora.sample import write_movielens_zip, write_redial_zip
    from stages.recommender.params import Sample

    folder.mkdir()
    sizes = Sample(seed=3, movies=30, train_dialogues=40, test_dialogues=12)
    with chdir(folder), patch.object(sys, "argv", ["train", MODEL]):
        Path(REDIAL).parent.mkdir()
        write_redial_zip(sizes, Path(REDIAL))
        write_movielens_zip(sizes, Path(MOVIELENS))
        Path(ENCODER).mkdir()
        write_tiny_encoder(Path(ENCODER))
        params = YAML(typ="safe").load(ROOT / "params.yaml")
        for key, value in SIZES.items():
            change(params, key, value)
        names = sorted(path.name for path in Path(ENCODER).iterdir())
        change(params, "encoder.files", [{"name": name, "sha256": None} for name in names])
        write_params(params)
        for stage in (
            "download_redial",
            "download_movielens",
            "download_encoder",
            "build_movie_map",
            "tokenize_dialogues",
            "tokenize_tags",
            "train",
        ):
            main_of(stage)()
        shutil.rmtree(".cache", ignore_errors=True)


def all_cases() -> dict[tuple[str, str], Case]:
    """Every case by area and name, in the order of the sheet."""
    import bad_files
    import bad_parameters
    import bad_surroundings
    import bad_tables

    modules = (bad_parameters, bad_files, bad_tables, bad_surroundings)
    cases = [case for module in modules for case in module.CASES]
    found = {(case.area, case.name): case for case in cases}
    assert len(found) == len(cases), Counter((case.area, case.name) for case in cases).most_common(
        3
    )
    return found


def read_sheet() -> dict[tuple[str, str], str]:
    """What the sheet says, by area and name: lines of ``== area ==``, then name and sentence."""
    found: dict[tuple[str, str], str] = {}
    area = name = ""
    for line in SHEET.read_text(encoding="utf-8").splitlines():
        if line.startswith("== "):
            area = line.removeprefix("== ").removesuffix(" ==")
        elif line.startswith(INDENT):
            before = f"{found[area, name]}\n" if (area, name) in found else ""
            found[area, name] = before + line.removeprefix(INDENT)
        elif line and area:
            name = line
    return found


@contextmanager
def replaced(target: str, name: str, value: object) -> Iterator[None]:
    """Another object in the place of a module's or a class's."""
    module, _, owner = target.rpartition(".")
    place = (
        getattr(importlib.import_module(module), owner)
        if owner[:1].isupper()
        else importlib.import_module(target)
    )
    with patch.object(place, name, value):
        yield


def write_sheet(outcomes: Mapping[tuple[str, str], Outcome]) -> None:
    """Write what came of all cases to the sheet."""
    lines = [HEAD]
    last = ""
    for (area, name), outcome in outcomes.items():
        if area != last:
            lines.append(f"\n== {area} ==\n")
            last = area
        lines += [name, *(f"{INDENT}{line}" for line in outcome.told.splitlines())]
    SHEET.write_text("\n".join(lines) + "\n", encoding="utf-8")


def section(outcomes: Mapping[tuple[str, str], Outcome], not_made: int) -> Section:
    """What the sheet comes to, for RELIABILITY.md."""
    areas = Counter(area for area, _ in outcomes)
    rows = []
    for area, cases in areas.items():
        told = [outcome.told for (where, _), outcome in outcomes.items() if where == area]
        errors = [each for each in told if each.startswith("error: ")]
        example = min(errors, key=len) if errors else told[-1]
        rows.append([area, str(cases), str(len(errors)), str(cases - len(errors)), f"`{example}`"])
    harmed = sum(bool(outcome.harm) for outcome in outcomes.values())
    missing = f", {not_made} of them could not be made here" if not_made else ""
    return Section(
        title="Bad input",
        says=(
            f"A finished small project was spoilt in {len(outcomes)} ways{missing}, and the stage "
            "that meets the trouble run. An error ends it with one sentence, which says what is "
            "wrong, where, and what to do, and exit status 1; other troubles pass, in the end with "
            f"the same bytes as ever. {harmed} times something half-written was left, other than a "
            "download that the next run goes on with, or something good deleted or changed. The "
            "whole sheet is "
            "[tests/reliability/bad_input.txt](tests/reliability/bad_input.txt), and a test holds "
            "every case to it."
        ),
        command="python tests/reliability/bad_input.py",
        machine=machine(),
        columns=["what is wrong", "cases", "end with a sentence", "pass", "such as"],
        rows=rows,
    )


def main() -> None:
    """Meet every case, or those of the areas that are named, and write the sheet.

    A case that is not met, or cannot be made here, keeps what the sheet says; only where all are
    met is the section written.
    """
    areas = sys.argv[1:]
    known = read_sheet() if SHEET.is_file() else {}
    outcomes: dict[tuple[str, str], Outcome] = {}
    not_made = []
    with tempfile.TemporaryDirectory() as folder:
        finished, place = Path(folder) / "finished", Path(folder) / "case"
        finish_project(finished)
        for key, case in tqdm(all_cases().items(), unit="case"):
            if areas and case.area not in areas:
                outcomes[key] = Outcome(known[key], [])
                continue
            try:
                outcomes[key] = meet(case, finished, place)
            except NotHereError as reason:
                tqdm.write(f"{key}: {reason}", file=sys.stderr)
                outcomes[key] = Outcome(known[key], [])
                not_made.append(key)
            for harm in outcomes[key].harm:
                tqdm.write(f"{key}: {harm}", file=sys.stderr)
            shutil.rmtree(place)
    write_sheet(outcomes)
    if not areas:
        write_section("bad-input", section(outcomes, len(not_made)))


if __name__ == "__main__":
    import bad_input  # the module that the cases import, not a second one

    bad_input.main()
