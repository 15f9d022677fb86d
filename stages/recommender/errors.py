"""What a user can mend, told in one sentence."""

import sys
from collections.abc import Callable


class UserError(Exception):
    """Something outside the code is wrong: a parameter, a file, the network, the disk.

    Its message is one sentence that says what is wrong, where (file, line, key), and what to do.
    """


def run_stage(main: Callable[[], None]) -> None:
    """Run a stage's ``main``; print a user's mistake as one sentence and exit with 1.

    A full disk and a folder that may not be written are the user's to mend as well, wherever
    they are met.
    """
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        place = f" at {error.filename}" if error.filename else ""
        sys.exit(f"error: {error.strerror or error}{place}; free space or rights, then run again")
    except KeyboardInterrupt:
        sys.exit("interrupted; run the same command again to go on where this stopped")
