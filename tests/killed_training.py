"""The stage ``train`` in processes of their own, killed where a test says.

Run as a script with an encoder's folder, it imports what training needs once and forks a process
for each request that it reads, a line of JSON (see :class:`Trainings`); its answer is the exit
code.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

ROOT = Path(__file__).parents[1]
STEPS, STDERR = "steps.log", "stderr.log"
BLOCK = 8
"""Texts in a block of sentence vectors."""


def environment(hash_seed: int) -> dict[str, str]:
    """Of a process whose caches are in the folder that it runs in."""
    kept = {name: value for name, value in os.environ.items() if name != "DVC_ROOT"}
    return kept | {
        "PYTHONPATH": str(ROOT),
        "PYTHONHASHSEED": str(hash_seed),
        "OMP_WAIT_POLICY": "PASSIVE",
    }


class Trainings:
    """Starts trainings, one after the other."""

    def __init__(self, server: "subprocess.Popen[str]") -> None:
        self._server = server

    def run(self, folder: Path, model: str, moment: str | None = None, call: int = 1) -> int:
        """Train in a folder; a checkpoint is written after every step.

        Args:
            folder: With all that the stage reads.
            model: ``<trainer>-<variant>``.
            moment: A key of :func:`_moments`, where the process kills itself.
            call: How often it gets there before; 1: the first time.

        Returns:
            The exit code, that of a kill a negative number.
        """
        return self.run_together([folder], model, {} if moment is None else {0: moment}, call)[0]

    def run_together(
        self,
        folders: Sequence[Path],
        model: str,
        moments: Mapping[int, str] = MappingProxyType({}),
        call: int = 1,
    ) -> list[int]:
        """Train in several processes, to which is given what torchrun gives.

        Args:
            folders: Of each process; one that is not the first may run in another, as on another
                machine.
            model: ``<trainer>-<variant>``.
            moments: Of the processes that kill themselves, by number; see :meth:`run`.
            call: See :meth:`run`.

        Returns:
            The exit code of each; see :meth:`run`.
        """
        request = {
            "folders": [str(folder) for folder in folders],
            "model": model,
            "moments": [moments.get(number) for number in range(len(folders))],
            "call": call,
        }
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        codes: list[int] = json.loads(self._server.stdout.readline())
        return codes


def said(folder: Path, number: int = 0) -> str:
    """What process ``number`` of the last training in a folder said."""
    return (folder / _of_process(STDERR, number)).read_text(encoding="utf-8")


def _of_process(name: str, number: int) -> str:
    return f"{number}-{name}" if number else name


def steps_of(folder: Path) -> int:
    """The steps that the last training in a folder did."""
    return (folder / STEPS).read_text(encoding="utf-8").count("\n")


@contextmanager
def trainings(encoder: Path) -> Iterator[Trainings]:
    """A server for as long as it is needed; any encoder will do."""
    command = [sys.executable, str(Path(__file__).resolve()), str(encoder)]
    with subprocess.Popen(
        command,
        text=True,
        env=environment(hash_seed=1),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as server:
        yield Trainings(server)
        assert server.stdin is not None
        server.stdin.close()


def _serve() -> None:
    from torch.distributed import TCPStore

    from stages import train  # noqa: F401
    from stages.recommender.modeling.encoder import SentenceEncoder
    from stages.recommender.params import Compute
    from stages.recommender.training.determinism import prepare

    # these import and look up much; nothing may compute before the process is forked
    prepare(Compute(device="cpu", threads=1, precision="float32"))
    SentenceEncoder(Path(sys.argv[1]), "mean", "none")
    for line in sys.stdin:
        request = json.loads(line)
        folders, moments = request["folders"], request["moments"]
        # as torchrun keeps it for its processes, for as long as they run
        store = TCPStore("localhost", 0, is_master=True, wait_for_workers=False)
        children = []
        for number, (folder, moment) in enumerate(zip(folders, moments, strict=True)):
            children.append(os.fork())
            if not children[-1]:
                if len(folders) > 1:
                    os.environ |= _from_torchrun(number, len(folders), store.port)
                _train(number, folder, request["model"], moment, request["call"])
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        print(json.dumps(codes), flush=True)


def _from_torchrun(number: int, processes: int, port: int) -> dict[str, str]:
    return {
        "RANK": str(number),
        "LOCAL_RANK": str(number),
        "WORLD_SIZE": str(processes),
        "MASTER_ADDR": "localhost",
        "MASTER_PORT": str(port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",
        "TORCHELASTIC_RESTART_COUNT": "0",
    }


def _train(number: int, folder: str, model: str, moment: str | None, call: int) -> None:
    from stages import train
    from stages.recommender.errors import run_stage
    from stages.recommender.training import loop, vectors

    os.chdir(folder)
    sys.argv = ["train", model]
    sys.stdout = sys.stderr = Path(_of_process(STDERR, number)).open("w", encoding="utf-8")  # noqa: SIM115
    loop.CHECKPOINT_SECONDS = 0
    vectors.BLOCK = BLOCK
    log = Path(_of_process(STEPS, number)).open("w", encoding="utf-8", buffering=1)  # noqa: SIM115
    _wrap(loop, "_step", lambda step, *given: (step(*given), log.write("step\n"))[0])
    if moment is not None:
        holder, name, kill = _moments()[moment]
        _kill_at(holder, name, kill, call)
    try:
        run_stage(train.main)
    except SystemExit as ended:
        print(ended.code)
        sys.stdout.flush()
        os._exit(1)
    os._exit(0)


def _moments() -> dict[str, tuple[Any, str, Callable[..., None]]]:
    """By name: the function where the process ends, and how."""
    from stages import train
    from stages.recommender.modeling import model_folder
    from stages.recommender.training import checkpoints, loop, results, vectors

    return {
        "step": (loop, "_step", _before),
        "checkpoint half written": (checkpoints, "save_file", _half_written),
        "best kept, state not": (checkpoints.Checkpoints, "save_best", _after),
        "vectors half written": (vectors, "save_file", _half_written),
        "model half written": (model_folder, "save_file", _half_written),
        "model written, rankings not": (results, "save_model", _after),
        "results written": (train, "write_results", _after),
    }


def _wrap(holder: Any, name: str, wrapper: Callable[..., Any]) -> None:
    function = getattr(holder, name)
    setattr(holder, name, lambda *args, **named: wrapper(function, *args, **named))


def _kill_at(holder: Any, name: str, kill: Callable[..., None], call: int) -> None:
    calls = iter(range(1, sys.maxsize))

    def wrapper(function: Callable[..., Any], *args: Any, **named: Any) -> Any:
        if next(calls) == call:
            kill(function, *args, **named)
        return function(*args, **named)

    _wrap(holder, name, wrapper)


def _before(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _after(function: Callable[..., Any], *args: Any, **named: Any) -> None:
    function(*args, **named)
    os.kill(os.getpid(), signal.SIGKILL)


def _half_written(
    function: Callable[..., Any], tensors: Any, path: Path, *rest: Any, **named: Any
) -> None:
    function(tensors, path, *rest, **named)
    os.truncate(path, path.stat().st_size // 2)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    _serve()
