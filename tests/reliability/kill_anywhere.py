"""Is anything lost or damaged, wherever the pipeline is killed?  ``make kill``

The small sample pipeline is killed with SIGKILL, all its processes at once, at seeded random
moments: while the workspace is made, within each stage, and while DVC writes its lock. The same
command is run again, and all results have to be the bytes of a run that nobody disturbed. The
same with SIGTERM, as a scheduler sends it, and SIGINT, as Ctrl-C does.

What is done is kept in a folder, a line of JSON a kill, so that the script itself goes on where
it was stopped; ``--minutes`` stops it. When all is done it writes ``docs/reliability/killed.json``.
"""

import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import psutil  # noqa: E402
import small_pipeline as pipeline  # noqa: E402
from preloaded import preloaded_python  # noqa: E402
from ruamel.yaml import YAML  # noqa: E402
from ruamel.yaml.error import YAMLError  # noqa: E402
from sections import Section, machine, write_section  # noqa: E402
from tiny_encoder import write_tiny_encoder  # noqa: E402

from stages import INTERRUPTED  # noqa: E402

PREPARATION = "preparation"
TRAININGS = tuple(f"train@{model}" for model in pipeline.MODELS)
PHASES = (
    PREPARATION,
    *pipeline.STAGES,
    *TRAININGS,
    *TRAININGS,
    *(f"lock of {stage}" for stage in pipeline.STAGES),
)
"""Where the kills fall, one after the other; within a phase the moment is drawn at random."""
SIGNALLED = (PREPARATION, "build_movie_map", *TRAININGS, "compare")
"""Where the two other signals fall."""

_STAGE = re.compile(r"Running stage '(.+)':")
_LOCK = re.compile(r"(Generating|Updating) lock file")
_STEPS = re.compile(r"(\d+)/(\d+) \[[^\]]*step")


@dataclass(frozen=True)
class Kill:
    """When a run is ended, and how."""

    number: int
    phase: str
    fraction: float
    """Of the time that the phase takes."""
    how: str
    """The name of the signal."""


@dataclass
class Ended:
    """What a run was doing when it was ended, and what came of it."""

    number: int
    phase: str
    how: str
    partials: int
    """Half-written files and folders, under names of their own."""
    lock: str
    """dvc.lock: missing, whole or damaged."""
    steps: str
    """Of the training that was running: done/all; empty outside of one."""
    recorded: list[str]
    """Stages that the lock recorded."""
    finished: list[str]
    """Models whose results were written."""
    seconds: float
    problems: list[str] = field(default_factory=list)


def planned(kills: int, signals: int, seed: int) -> list[Kill]:
    """All kills of a seed, the same ones every time."""
    draw = random.Random(seed)
    places = [(PHASES[n % len(PHASES)], "SIGKILL") for n in range(kills)]
    for how in ("SIGTERM", "SIGINT"):
        places += [(SIGNALLED[n % len(SIGNALLED)], how) for n in range(signals)]
    kills = []
    for number, (phase, how) in enumerate(places):
        fraction = draw.random()
        if how != "SIGKILL" and phase == PREPARATION:
            # before its first line of code runs, no process can end in order
            fraction = (1 + fraction) / 2
        kills.append(Kill(number, phase, fraction, how))
    return kills


class Run:
    """The pipeline's command in a checkout, its output read as it comes."""

    def __init__(self, python: Path, checkout: Path) -> None:
        self.output = ""
        self.phase = PREPARATION
        self.began = {PREPARATION: time.monotonic()}
        self._changed = threading.Condition()
        self.process = subprocess.Popen(
            pipeline.command(python),
            cwd=checkout,
            env=pipeline.environment(checkout),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        while block := os.read(self.process.stdout.fileno(), 1 << 16):
            with self._changed:
                before = self.output.rpartition("\n")[0]
                self.output += block.decode(errors="replace")
                for line in self.output[len(before) :].splitlines():
                    self._note(line)
                self._changed.notify_all()

    def _note(self, line: str) -> None:
        if found := _STAGE.search(line):
            self._begin(found[1])
        elif _LOCK.search(line) and self.phase in pipeline.STAGES:
            self._begin(f"lock of {self.phase}")

    def _begin(self, phase: str) -> None:
        if phase not in self.began:
            self.phase = phase
            self.began[phase] = time.monotonic()

    def wait_for(self, phase: str) -> bool:
        """Wait until a phase begins; whether it did."""
        with self._changed:
            while phase not in self.began and self.process.poll() is None:
                self._changed.wait(0.05)
            return phase in self.began

    def wait_for_command(self) -> None:
        """Wait for the process that the preloaded one forks: before it no signal can be heard."""
        while self.process.poll() is None:
            for process in psutil.process_iter():
                with suppress(psutil.Error, ProcessLookupError):
                    if process.pid != self.process.pid and os.getpgid(process.pid) == (
                        self.process.pid
                    ):
                        return
            time.sleep(0.01)

    def finish(self, timeout: float = 600) -> int:
        """Wait for its end; the exit code."""
        code = self.process.wait(timeout)
        self._reader.join(timeout)
        return code

    def groups(self) -> set[int]:
        """The process groups of the command and of all that it has started."""
        with suppress(psutil.NoSuchProcess):
            children = psutil.Process(self.process.pid).children(recursive=True)
            groups = {self.process.pid}
            for process in psutil.process_iter():
                with suppress(psutil.Error, ProcessLookupError):
                    if os.getpgid(process.pid) == self.process.pid:
                        children += process.children(recursive=True)
            for child in children:
                with suppress(ProcessLookupError):
                    groups.add(os.getpgid(child.pid))
            return groups - {os.getpgrp()}
        return {self.process.pid}

    def kill(self) -> None:
        """End all its processes at once."""
        groups = self.groups()
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for group in groups:
                with suppress(ProcessLookupError):
                    os.killpg(group, number)
        self.finish()
        while any(_alive(group) for group in groups):
            time.sleep(0.01)


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def durations(run: Run) -> dict[str, float]:
    """Seconds that each phase took."""
    times = [*run.began.values(), time.monotonic()]
    return {phase: times[n + 1] - times[n] for n, phase in enumerate(run.began)}


class Trial:
    """Kills, and compares with a run that nobody disturbed.

    Args:
        folder: For all that it makes.
        python: What the runs are started with; see :mod:`preloaded`.
        short: Whether the pipeline is shortened, and not compared with an ordinary python's.
    """

    def __init__(self, folder: Path, python: Path, short: bool = False) -> None:
        self.folder = folder
        self.python = python
        self.short = short
        self.encoder = folder / "encoder"
        if not self.encoder.is_dir():
            self.encoder.mkdir(parents=True)
            write_tiny_encoder(self.encoder)
        self._undisturbed = folder / "undisturbed.json"
        if not self._undisturbed.is_file():
            self._measure()
        content = json.loads(self._undisturbed.read_text(encoding="utf-8"))
        self.results: dict[str, str] = content["results"]
        self.durations: dict[str, float] = content["durations"]

    def _measure(self) -> None:
        """Two undisturbed runs: with an ordinary python, and with the preloaded one."""
        found = []
        ordinary = [] if self.short else [Path(sys.executable)]
        for python in (*ordinary, self.python):
            checkout = self.folder / "undisturbed"
            shutil.rmtree(checkout, ignore_errors=True)
            pipeline.make_checkout(checkout, self.encoder, self.short)
            run = Run(python, checkout)
            if run.finish():
                sys.exit(f"the undisturbed run failed:\n{run.output[-3000:]}")
            found.append(pipeline.results(checkout))
            shutil.rmtree(checkout)
        if different := _different(found[0], found[-1]):
            sys.exit(f"two undisturbed runs differ in {', '.join(different)}")
        content = {"results": found[0], "durations": durations(run)}
        self._undisturbed.write_text(json.dumps(content, indent=1), encoding="utf-8")

    def end(self, kill: Kill) -> Ended:
        """Run until the moment of a kill, look, run again, compare."""
        began = time.monotonic()
        checkout = self.folder / f"{kill.number:03d}"
        shutil.rmtree(checkout, ignore_errors=True)
        pipeline.make_checkout(checkout, self.encoder, self.short)
        run = Run(self.python, checkout)
        if run.wait_for(kill.phase):
            moment = run.began[kill.phase] + kill.fraction * self.durations[kill.phase]
            time.sleep(max(0.0, moment - time.monotonic()))
        run.wait_for_command()
        problems = list(self._stop(run, kill, checkout))
        ended = self._look(run, kill, checkout)
        problems += self._check_half(checkout)
        again = Run(self.python, checkout)
        if again.finish():
            problems.append(f"the second run failed: {again.output[-1500:]}")
        problems += self._check_again(again.output, ended)
        after = pipeline.results(checkout)
        problems += [f"{name} differs" for name in _different(after, self.results)]
        problems += [f"{name} is left" for name in pipeline.half_written(checkout)]
        ended.problems, ended.seconds = problems, round(time.monotonic() - began, 1)
        if problems:
            (checkout / "first.txt").write_text(run.output, encoding="utf-8")
            (checkout / "second.txt").write_text(again.output, encoding="utf-8")
        else:
            shutil.rmtree(checkout)
        return ended

    def _stop(self, run: Run, kill: Kill, checkout: Path) -> Iterator[str]:
        if kill.how == "SIGKILL":
            run.kill()
            return
        was_over = run.process.poll() is not None
        with suppress(ProcessLookupError):
            # both reach the command and not what it started, which is in a group of its own
            os.killpg(run.process.pid, getattr(signal, kill.how))
        code = run.finish()
        if was_over:
            return
        if (code != 1 or not run.output.rstrip().endswith(INTERRUPTED)) and code != 0:
            yield f"ended with {code} and: {run.output[-300:]}"
        if "Traceback" in run.output:
            yield f"showed a traceback: {run.output[-1500:]}"
        for name in pipeline.half_written(checkout):
            yield f"{name} is left by {kill.how}"

    def _look(self, run: Run, kill: Kill, checkout: Path) -> Ended:
        workspace = checkout / "runs" / pipeline.NAME
        lock, recorded = _read_lock(workspace / "dvc.lock")
        finished = [m for m in pipeline.MODELS if (workspace / f"metrics/{m}.json").is_file()]
        partials = len(pipeline.half_written(checkout))
        steps = ""
        if run.phase in TRAININGS:
            shown = _STEPS.findall(run.output.rpartition("Running stage")[2])
            steps = "/".join(shown[-1]) if shown else "0"
        return Ended(
            kill.number, run.phase, kill.how, partials, lock, steps, recorded, finished, 0.0
        )

    def _check_half(self, checkout: Path) -> Iterator[str]:
        """What bears its final name has to be whole."""
        for name, sha256 in pipeline.results(checkout).items():
            if name != "dvc.lock" and ".partial" not in name and self.results.get(name) != sha256:
                yield f"{name} was not whole after the kill"
        for path in pipeline.damaged_objects(checkout):
            yield f"{path} in DVC's cache was not whole after the kill"

    def _check_again(self, output: str, ended: Ended) -> Iterator[str]:
        parts = _STAGE.split(output)
        ran = dict(zip(parts[1::2], parts[2::2], strict=True))
        for stage in ended.recorded:
            if stage in ran:
                yield f"{stage} ran again though the lock recorded it"
        for model in ended.finished:
            shown = ran.get(f"train@{model}", "")
            if any(done != steps for done, steps in _STEPS.findall(shown)):
                yield f"{model} was finished and trained again"


def _different(one: dict[str, str], other: dict[str, str]) -> list[str]:
    return sorted(name for name in one | other if one.get(name) != other.get(name))


def _read_lock(path: Path) -> tuple[str, list[str]]:
    if not path.is_file():
        return "missing", []
    try:
        content = YAML(typ="safe").load(path)
        return "whole", list(content["stages"])
    except (YAMLError, TypeError, KeyError, ValueError):
        return "damaged", []


# --- the whole trial -----------------------------------------------------------------------------


def run_all(
    folder: Path, kills: Sequence[Kill], minutes: float, workers: int
) -> list[dict[str, Any]]:
    """Do the kills that are not done yet, until the time is over; all that are done."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "log.jsonl"
    done = _read_log(log)
    left = [kill for kill in kills if kill.number not in done]
    deadline = time.monotonic() + 60 * minutes
    writing = threading.Lock()
    if left:
        with preloaded_python(folder) as python:
            trial = Trial(folder, python)

            def work(kill: Kill) -> None:
                if time.monotonic() > deadline:
                    return
                ended = trial.end(kill)
                with writing, log.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(ended)) + "\n")
                    told = "; ".join(ended.problems) or "same bytes"
                    print(
                        f"{ended.number:3d} {ended.how} in {ended.phase}: {told} "
                        f"({ended.seconds:.0f} s)",
                        flush=True,
                    )

            with ThreadPoolExecutor(workers) as pool:
                list(pool.map(work, left))
    found = _read_log(log)
    return [found[kill.number] for kill in kills if kill.number in found]


def _read_log(log: Path) -> dict[int, dict[str, Any]]:
    if not log.is_file():
        return {}
    lines = log.read_text(encoding="utf-8").splitlines()
    return {entry["number"]: entry for entry in map(json.loads, lines)}


GROUPS: dict[str, Callable[[str], bool]] = {
    "the workspace and DVC start": lambda phase: phase == PREPARATION,
    "downloads": lambda phase: phase.startswith("download"),
    "movie map": lambda phase: phase == "build_movie_map",
    "tokens": lambda phase: phase.startswith("tokenize"),
    "baselines, ladder, ablation": lambda phase: (
        phase in ("fit_baselines", "climb_ladder", "ablate")
    ),
    "training": lambda phase: phase.startswith("train@"),
    "comparison and report": lambda phase: phase == "compare",
    "DVC writes its lock": lambda phase: phase.startswith("lock of"),
}


def section(entries: Sequence[dict[str, Any]]) -> Section:
    """The figures of RELIABILITY.md."""
    killed = [entry for entry in entries if entry["how"] == "SIGKILL"]
    rows = [_row(name, [e for e in killed if fits(e["phase"])]) for name, fits in GROUPS.items()]
    rows.append(_row("SIGKILL in all", killed))
    rows += [
        _row(f"{how} in all", [e for e in entries if e["how"] == how])
        for how in ("SIGTERM", "SIGINT")
    ]
    mid_epoch = sum(_within(entry["steps"]) for entry in killed)
    same = sum(not entry["problems"] for entry in entries)
    return Section(
        title="Killed anywhere",
        says=(
            f"The small sample pipeline was ended {len(entries)} times, at random moments of each "
            f"of its parts, and the same command run again. {same} of {len(entries)} times all "
            "of this held: whatever bore its final name after the kill was whole, and so was every "
            "object in DVC's cache that DVC does not check anew; no stage that the lock recorded "
            "ran again, and no model whose results were written trained again; no half-written "
            "file was left; all results, weights, the report and the lock itself were the bytes of "
            "a run that nobody disturbed; and after SIGTERM and SIGINT (Ctrl-C) nothing "
            f'half-written was left even before that, and the last line was "{INTERRUPTED}". Of '
            f"the kills, {mid_epoch} fell between the first and the last step of a training."
        ),
        command="make kill",
        machine=machine(),
        columns=[
            "killed while",
            "times",
            "with half-written files",
            "with a damaged lock",
            "same bytes afterwards",
        ],
        rows=rows,
    )


def _row(name: str, entries: Sequence[dict[str, Any]]) -> list[str]:
    return [
        name,
        str(len(entries)),
        str(sum(entry["partials"] > 0 for entry in entries)),
        str(sum(entry["lock"] == "damaged" for entry in entries)),
        str(sum(not entry["problems"] for entry in entries)),
    ]


def _within(steps: str) -> bool:
    done, _, total = steps.partition("/")
    return bool(total) and 0 < int(done) < int(total)


def main() -> None:
    """Kill, and write what came of it."""
    parser = argparse.ArgumentParser(prog="make kill")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--signals", type=int, default=5, help="of each of SIGTERM and SIGINT")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=ROOT / ".cache" / "killed")
    arguments = parser.parse_args()
    kills = planned(arguments.kills, arguments.signals, arguments.seed)
    entries = run_all(arguments.folder.resolve(), kills, arguments.minutes, arguments.workers)
    failed = [entry["number"] for entry in entries if entry["problems"]]
    print(f"{len(entries)} of {len(kills)} done, {len(failed)} with problems: {failed}")
    if len(entries) == len(kills):
        write_section("killed", section(entries))
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    main()
