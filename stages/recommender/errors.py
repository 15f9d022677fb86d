"""What a user can mend, told in one sentence."""

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from stages import ENDING, INTERRUPTED


class UserError(Exception):
    """Something outside the code is wrong: a parameter, a file, the network, the disk.

    Its message is one sentence that says what is wrong, where (file, line, key), and what to do.
    """


def run_stage(main: Callable[[], None]) -> None:
    """Run a stage's ``main``; print a user's mistake as one sentence and exit with 1.

    A full disk, a folder that may not be written and too little memory are the user's to mend as
    well, wherever they are met. Ctrl-C, SIGTERM and SIGHUP end it in order: nothing half-written
    is left.
    """
    before = {number: signal.signal(number, _interrupt) for number in ENDING}
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {_in_one_line(str(error))}")
    except OSError as error:
        problem = _in_one_line(_problem(error))
        sys.exit(f"error: {problem}; free space or rights, then run again")
    except MemoryError:
        sys.exit(
            "error: this machine's memory is too small for it; end other programs, or take fewer "
            "dialogues or smaller batches, then run again"
        )
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _problem(error: OSError) -> str:
    problem = os.strerror(error.errno) if error.errno else str(error)
    return f"{problem} at {error.filename}" if error.filename else problem


def _in_one_line(words: str) -> str:
    return words.replace("\n", "\\n")


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
