"""A stage that is asked to end while it still imports says one sentence."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stages import ENDING, INTERRUPTED

ROOT = Path(__file__).parents[1]

SLOW = """
import time
print("importing", flush=True)
try:
    time.sleep(60)
except BaseException:
    print("caught", flush=True)
"""
"""A module that imports for long, and takes exceptions for its own."""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """In which pyarrow, that all stages import first, is such a module."""
    (tmp_path / "pyarrow.py").write_text(SLOW, encoding="utf-8")
    return os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}


def ended(
    module: str, number: signal.Signals, folder: Path, environment: dict[str, str]
) -> tuple[int, str, str]:
    """How a module ends that gets a signal while it imports: exit status, output, errors."""
    process = subprocess.Popen(
        [sys.executable, "-m", module],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "importing\n"
    process.send_signal(number)
    output, errors = process.communicate(timeout=60)
    return process.returncode, output, errors


@pytest.mark.parametrize("number", ENDING)
@pytest.mark.parametrize("module", ["stages.train", "stages.recommender.workspace"])
def test_a_signal_among_the_imports_ends_in_one_sentence(
    module: str, number: signal.Signals, tmp_path: Path, environment: dict[str, str]
) -> None:
    assert ended(module, number, tmp_path, environment) == (1, "", f"{INTERRUPTED}\n")


@pytest.mark.parametrize(("rank", "told"), [("0", f"{INTERRUPTED}\n"), ("1", "")])
def test_of_several_processes_of_a_training_the_first_speaks(
    rank: str, told: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    environment["RANK"] = rank
    assert ended("stages.train", signal.SIGTERM, tmp_path, environment) == (1, "", told)


def test_signals_stay_as_they_are_where_no_stage_is_run() -> None:
    lines = (
        "import signal",
        "before = [*map(signal.getsignal, signal.Signals)]",
        "import stages",
        "assert [*map(signal.getsignal, signal.Signals)] == before",
    )
    subprocess.run([sys.executable, "-c", "\n".join(lines)], cwd=ROOT, check=True)
