"""Do several models at once give the same as one by one?  ``make several-models``

The eight models of the small sample pipeline are trained one after the other, and in other
checkouts several at once, once with a kill of all processes in the middle. Then a sweep over
``loss.pos_weight`` goes through DVC's queue with two workers and is killed in the middle. It writes
``docs/reliability/models.json``.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "reliability")]

import small_pipeline as pipeline  # noqa: E402
from sections import Section, machine, write_section  # noqa: E402
from sweeps import DVC, Sweep, kill_all_within  # noqa: E402
from tiny_encoder import write_tiny_encoder  # noqa: E402

EIGHT = tuple(
    f"{trainer}-{variant}"
    for trainer in ("original", "weighted")
    for variant in ("baseline", "rnn", "multitask", "rnn-multitask")
)

SWEPT = "weighted-multitask"
WEIGHTS = (300, 600, 900, 1500, 1800, 2100)
"""Of the positive labels, in the sweep."""
GIT = ["git", "-c", "user.name=sweep", "-c", "user.email=sweep@localhost"]


def trained(
    folder: Path, encoder: Path, jobs: int | None, kill_after: int | None = None
) -> tuple[Path, set[str]]:
    """A checkout in which the eight are trained.

    Args:
        folder: To make it in.
        encoder: Folder with an encoder's files.
        jobs: How many train at once; ``None``: one after the other, by ``dvc repro``.
        kill_after: When so many are done, all processes are killed, and the command run again.

    Returns:
        The checkout, and the models that were done when all was killed and trained again.
    """
    pipeline.make_checkout(folder, encoder, short=True, models=EIGHT)
    command = pipeline.command(Path(sys.executable))
    command += [] if jobs is None else ["--jobs", str(jobs)]
    metrics = folder / "runs" / pipeline.NAME / "metrics"
    done: set[str] = set()
    if kill_after is not None:
        first = _start(command, folder)
        _wait(lambda: len(_done(metrics)) >= kill_after)
        kill_all_within(folder)
        first.wait()
        done = _done(metrics)
    told = folder / "told.txt"
    code = _start(command, folder, told).wait()
    if code:
        raise RuntimeError(f"{folder}: exit status {code}")
    # a training tells of each of its epochs, one that only writes its results of none
    epochs = re.findall(r"^(\S+) +\| epoch ", told.read_text(encoding="utf-8"), re.MULTILINE)
    return folder, done & set(epochs)


def _done(metrics: Path) -> set[str]:
    return {name for name in EIGHT if (metrics / f"{name}.json").is_file()}


def swept(folder: Path, encoder: Path) -> list[str]:
    """A sweep that is killed when two of its experiments are done, and goes on.

    Returns:
        Its row of the table: whether what was done was trained once, and every experiment's lock
        is that of an experiment by itself.
    """
    alone, queued = folder / "alone", folder / "queued"
    _make_repository(alone, encoder)
    shutil.copytree(alone, queued, symlinks=True)
    expected = {weight: _lock_of_one(alone, weight) for weight in WEIGHTS}
    sweep = Sweep(queued, "loss.pos_weight", WEIGHTS, f"train@{SWEPT}")
    try:
        sweep.queue()
        sweep.start(jobs=2)
        sweep.wait_for(lambda: len(sweep.finished()) >= 2)
        sweep.kill()
        before = sweep.by_value("dvc.lock")
        sweep.go_on(jobs=2)
        sweep.wait_for(lambda: len(sweep.by_value("dvc.lock")) == len(WEIGHTS) and sweep.is_over())
        trainings = sweep.trainings()
        once = all(trainings[weight] == 1 for weight in before)
        same = once and sweep.by_value("dvc.lock") == expected
    finally:
        sweep.kill()  # workers outlive what started them
    what = f"{len(WEIGHTS)} experiments in the queue"
    return [what, "2", str(len(before)), "yes" if same else "no"]


def _make_repository(folder: Path, encoder: Path) -> None:
    """A checkout of its own in git and DVC, with all data and one model at the usual weight."""
    folder.mkdir(parents=True)
    for command in (["git", "init", "--quiet"], [*DVC, "init", "--quiet"]):
        subprocess.run(command, cwd=folder, check=True)
    pipeline.make_checkout(folder, encoder, short=True, models=(SWEPT,))
    shutil.copy(ROOT / ".gitignore", folder)
    _run([*DVC, "repro", "--quiet"], folder)
    _run(["git", "add", "--all"], folder)
    _run([*GIT, "commit", "--quiet", "--message", "a run"], folder)


def _lock_of_one(repository: Path, weight: int) -> str:
    """The lock that one experiment by itself leaves."""
    _run(
        [*DVC, "exp", "run", "--quiet", "-S", f"loss.pos_weight={weight}", f"train@{SWEPT}"],
        repository,
    )
    return (repository / "dvc.lock").read_text(encoding="utf-8")


def _environment(folder: Path) -> dict[str, str]:
    environment = pipeline.environment(folder) | {"DVC_NO_ANALYTICS": "true"}
    return environment | {"PATH": f"{Path(sys.executable).parent}:{environment['PATH']}"}


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(
        command, cwd=folder, env=_environment(folder), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{folder}: {command} failed:\n{done.stdout}\n{done.stderr}")


def _start(
    command: list[str], folder: Path, told: Path = Path(os.devnull)
) -> "subprocess.Popen[bytes]":
    with told.open("wb") as output:
        return subprocess.Popen(
            command,
            cwd=folder,
            env=_environment(folder),
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def _wait(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.05)


def main() -> None:
    """Train, compare, write."""
    rows = []
    with TemporaryDirectory() as name:
        folder = Path(name)
        encoder = folder / "encoder"
        encoder.mkdir()
        write_tiny_encoder(encoder)
        alone = pipeline.results(trained(folder / "alone", encoder, None)[0])
        for jobs, kill_after in ((2, None), (4, None), (2, 3)):
            checkout, again = trained(folder / f"{jobs} {kill_after}", encoder, jobs, kill_after)
            same = "yes" if pipeline.results(checkout) == alone and not again else "no"
            done = "-" if kill_after is None else str(kill_after)
            rows.append(["eight models", str(jobs), done, same])
            print(*rows[-1], flush=True)
        rows.append(swept(folder / "sweep", encoder))
        print(*rows[-1], flush=True)
    write(rows)


def write(rows: list[list[str]]) -> None:
    """Write what came of it, a row a run."""
    write_section(
        "models",
        Section(
            title="Several models at once",
            says=(
                "The eight models of the small sample pipeline were trained several at once "
                "through DVC (`--jobs`), once with all processes killed with SIGKILL in the "
                "middle and the same command run again; the last column says whether data, "
                "models, metrics and the lock are the bytes of a run that trained one after the "
                "other, and no model whose results were written was trained again. "
                f"Then {len(WEIGHTS)} experiments with other values of `loss.pos_weight` "
                "went through DVC's queue with two workers, were killed in the middle, and went "
                "on as README.md says: there the last column says whether what had been finished "
                "was still there and not trained again, and every experiment left the lock, which "
                "has the checksums of data, model and metrics, of an experiment by itself."
            ),
            command="make several-models",
            machine=machine(),
            columns=["what", "at once", "killed when so many were done", "same bytes"],
            rows=rows,
        ),
    )


if __name__ == "__main__":
    main()
