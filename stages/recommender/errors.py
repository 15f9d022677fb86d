"""What a user can mend, told in one sentence."""

import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

ENDING = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
"""The signals that ask a process to end.

SIGINT is Ctrl-C's; a script's background jobs start with it ignored, and so would their children.
"""


class UserError(Exception):
    """Something outside the code is wrong: a parameter, a file, the network, the disk.

    Its message is one sentence that says what is wrong, where (file, line, key), and what to do.
    """


def run_stage(main: Callable[[], None]) -> None:
    """Run a stage's ``main``; print a user's mistake as one sentence and exit with 1.

    A full disk and a folder that may not be written are the user's to mend as well, wherever
    they are met. Ctrl-C, SIGTERM and SIGHUP end it in order: nothing half-written is left.
    """
    before = {number: signal.signal(number, _interrupt) for number in ENDING}
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        place = f" at {error.filename}" if error.filename else ""
        sys.exit(f"error: {error.strerror or error}{place}; free space or rights, then run again")
    except KeyboardInterrupt:
        sys.exit("interrupted; run the same command again to go on where this stopped")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
