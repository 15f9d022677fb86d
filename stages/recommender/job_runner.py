"""Commands that end in order where this process is told to: one, or several at once.

Several have one line each for how far they are.
"""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import IO, Any, NoReturn

from tqdm import tqdm

TOLD_SECONDS = 60.0
"""Between two lines of one job's progress where no terminal shows it as it goes."""


def run_command(command: Sequence[str], **options: Any) -> int:
    """Run one command, and show its output as it comes.

    It runs in a process group of its own: an interrupt is told to it and to all that it started,
    together, whatever told this process, and their end is waited for. ``subprocess.run`` would
    kill it a quarter of a second later, whatever it may be writing.

    Args:
        command: With its arguments.
        options: Of :class:`subprocess.Popen`.

    Returns:
        Its exit code.

    Raises:
        KeyboardInterrupt: This process was asked to end; the command was in turn, and has ended.
    """
    process = subprocess.Popen(command, process_group=0, **options)
    try:
        return process.wait()
    except KeyboardInterrupt:
        _interrupt(process)
        process.wait()
        raise


def _interrupt(process: "subprocess.Popen[bytes]") -> None:
    """Tell a command's group to end."""
    with suppress(ProcessLookupError):  # it has just ended
        os.killpg(process.pid, signal.SIGINT)


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Attributes:
        code: Its exit code, that of a kill a negative number.
        last_line: Of its output; where it failed, why.
    """

    code: int
    last_line: str


class JobRunner:
    """Runs commands, so many at once, and shows their output with the job's name before it.

    A command's progress bar (what it ends with a carriage return) stays one line on a terminal;
    elsewhere it is printed now and then.

    Args:
        places: Variables of the environment for each command that may run at once: as many run
            as there are places.
        inherited: Descriptors that the commands keep open.
    """

    def __init__(self, places: Sequence[Mapping[str, str]], inherited: Sequence[int] = ()) -> None:
        self.places = places
        self.inherited = inherited
        self._running: set[subprocess.Popen[bytes]] = set()
        self._starting = threading.Lock()
        self._ended = False

    def run(self, commands: Mapping[str, Sequence[str]]) -> dict[str, Outcome]:
        """Run commands, given by job; a job that fails stops no other.

        Raises:
            KeyboardInterrupt: This process was asked to end; the jobs were in turn, and have ended.
        """
        waiting: SimpleQueue[str] = SimpleQueue()
        for job in commands:
            waiting.put(job)
        outcomes: dict[str, Outcome] = {}

        def work(row: int) -> None:
            with _Line(row, max(map(len, commands), default=0)) as line:
                while not self._ended:
                    try:
                        job = waiting.get_nowait()
                    except Empty:
                        return
                    outcomes[job] = self._run(job, commands[job], self.places[row], line)

        with ThreadPoolExecutor(len(self.places)) as workers:
            try:
                for worker in [workers.submit(work, row) for row in range(len(self.places))]:
                    worker.result()
            except BaseException:
                self._end()
                raise
        return outcomes

    def _run(
        self, job: str, command: Sequence[str], place: Mapping[str, str], line: "_Line"
    ) -> Outcome:
        with self._starting:
            if self._ended:
                return Outcome(-signal.SIGINT, "")
            process = subprocess.Popen(
                command,
                env=os.environ | {"PYTHONUNBUFFERED": "1", **place},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                process_group=0,
                pass_fds=self.inherited,
            )
            self._running.add(process)
        last_line = ""
        with process:
            assert process.stdout is not None
            for text, is_progress in _lines(process.stdout):
                if is_progress:
                    line.progress(job, text)
                else:
                    last_line = text
                    line.write(job, text)
        with self._starting:
            self._running.remove(process)
        return Outcome(process.returncode, last_line)

    def _end(self) -> None:
        with self._starting:
            self._ended = True
            for process in self._running:
                _interrupt(process)


def _lines(output: IO[bytes]) -> Iterator[tuple[str, bool]]:
    """Each line that is not blank, and whether the next one takes its place."""
    rest = b""
    while chunk := os.read(output.fileno(), 65_536):
        *whole, rest = re.split(rb"(?<=[\r\n])", rest + chunk)
        for line in whole:
            text = line.decode("utf-8", errors="replace").rstrip()
            if text:
                yield text, line.endswith(b"\r")
    if rest.strip():
        yield rest.decode("utf-8", errors="replace").rstrip(), False


class _Line:
    """The line of a terminal that shows how far one job is; what jobs print stands above it."""

    def __init__(self, row: int, name_width: int) -> None:
        self._bar: tqdm[NoReturn] = tqdm(
            bar_format="{desc}", position=row, leave=False, disable=not sys.stderr.isatty()
        )
        self._name_width = name_width
        self._told = time.monotonic()

    def __enter__(self) -> "_Line":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def progress(self, job: str, text: str) -> None:
        """Show how far a job is."""
        if not self._bar.disable:
            self._bar.set_description_str(self._named(job, text))
        elif time.monotonic() - self._told > TOLD_SECONDS:
            self._told = time.monotonic()
            self.write(job, text)

    def write(self, job: str, text: str) -> None:
        """Print a line that stays."""
        tqdm.write(self._named(job, text), file=sys.stderr)

    def _named(self, job: str, text: str) -> str:
        return f"{job:{self._name_width}} | {text}"
