import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from stages import ENDING, INTERRUPTED
from stages.recommender.errors import UserError, run_stage

ROOT = Path(__file__).parents[2]


def raising(error: BaseException) -> Callable[[], NoReturn]:
    def main() -> NoReturn:
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (UserError("no a.zip; mend b"), "error: no a.zip; mend b"),
        (
            OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "data/x"),
            "error: No space left on device at data/x; free space or rights, then run again",
        ),
        (
            PermissionError(errno.EACCES, os.strerror(errno.EACCES), "data"),
            "error: Permission denied at data; free space or rights, then run again",
        ),
        (OSError("the disk"), "error: the disk; free space or rights, then run again"),
        (UserError("no a\nb.zip; mend b"), "error: no a\\nb.zip; mend b"),
        (KeyboardInterrupt(), INTERRUPTED),
    ],
)
def test_what_a_user_can_mend_is_one_sentence(error: BaseException, told: str) -> None:
    with pytest.raises(SystemExit) as raised:
        run_stage(raising(error))
    assert raised.value.code == told


def test_a_mistake_in_the_code_is_shown_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        run_stage(raising(ZeroDivisionError()))


def test_a_stage_that_ends_well_leaves_signals_as_they_were() -> None:
    before = signal.getsignal(signal.SIGTERM)
    run_stage(lambda: None)
    assert signal.getsignal(signal.SIGTERM) is before


STAGE = """
import time
from pathlib import Path
from stages.recommender import artifacts
from stages.recommender.errors import run_stage

def main():
    with artifacts.atomic_file(Path("out")) as partial:
        partial.write_text("half")
        print("written", flush=True)
        time.sleep(60)

run_stage(main)
"""


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_ends_a_stage_in_order(number: signal.Signals, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", STAGE],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "written\n"
    process.send_signal(number)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert told == f"{INTERRUPTED}\n"
    assert list(tmp_path.iterdir()) == []
