"""One script a stage of the pipeline, and the library that they share.

A script started as ``python -m stages.<name>`` imports for seconds before its first line runs.
Asked to end by then, it says one sentence, as :func:`~stages.recommender.errors.run_stage` does
afterwards; there is nothing yet to put in order.
"""

import os
import signal
import sys
from types import FrameType

ENDING = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
"""The signals that ask a process to end.

SIGINT is Ctrl-C's; a script's background jobs start with it ignored, and so would their children.
"""
INTERRUPTED = "interrupted; run the same command again to go on where this stopped"


def _end_at_once(number: int, frame: FrameType | None) -> None:
    # no exception, which an import may catch; of several processes of a training one speaks
    if os.environ.get("RANK", "0") == "0":
        os.write(2, f"{INTERRUPTED}\n".encode())
    os._exit(1)


# what Python writes there while it looks for the module that -m names
if sys.argv[:1] == ["-m"]:
    for _number in ENDING:
        signal.signal(_number, _end_at_once)
