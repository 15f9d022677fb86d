"""A sweep through DVC's queue that is killed, and goes on as README.md says."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile

import psutil
from ruamel.yaml import YAML

DVC = [sys.executable, "-m", "dvc"]


def kill_all_within(folder: Path) -> int:
    """End every process that works in a folder with SIGKILL, at once; how many there were."""
    killed = 0
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if folder.resolve() in [p := Path(process.cwd()), *p.parents]:
                os.kill(process.pid, signal.SIGKILL)
                killed += 1
    return killed


class Sweep:
    """Experiments over one parameter.

    Args:
        repository: With DVC and git.
        key: The parameter.
        values: Its values.
        target: The stage that is run.
    """

    def __init__(self, repository: Path, key: str, values: Sequence[int], target: str) -> None:
        self.repository = repository
        self.key = key
        self.values = values
        self.target = target

    def queue(self) -> None:
        """Queue an experiment for each value."""
        values = ",".join(map(str, self.values))
        self._dvc("exp", "run", "--queue", "-S", f"{self.key}={values}", self.target)

    def start(self, jobs: int) -> None:
        """Start workers, which end when nothing is queued."""
        self._dvc("queue", "start", "--jobs", str(jobs))

    def wait_for(self, condition: Callable[[], bool], seconds: float = 600.0) -> None:
        """Until a condition holds.

        Raises:
            TimeoutError: That took too long.
        """
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError(self._dvc("queue", "status"))
            time.sleep(0.1)

    def kill(self) -> int:
        """End workers, DVC and stages with SIGKILL, at once; how many processes there were."""
        return kill_all_within(self.repository)

    def go_on(self, jobs: int) -> None:
        """What README.md tells to do after a kill."""
        cut = [name for name, status in self.status().items() if status == "Running"]
        if cut:
            self._dvc("queue", "kill", "--force", *cut)
        self._dvc("queue", "remove", "--queued", "--failed")
        self.queue()
        self.start(jobs)

    def status(self) -> dict[str, str]:
        """What DVC says of each experiment in its queue, by name."""
        lines = self._dvc("queue", "status").splitlines()
        table = [line.split() for line in lines[1:] if line and not line.startswith("Worker")]
        return {row[1]: row[-1] for row in table}

    def finished(self) -> dict[str, str]:
        """The commits of the finished experiments, by name."""
        refs = self._run(
            ["git", "for-each-ref", "--format=%(refname:lstrip=4) %(objectname)", "refs/exps/*/*/*"]
        )
        return dict(ref.split() for ref in refs.splitlines())

    def results(self, path: str) -> dict[str, str]:
        """A file that git holds, as each finished experiment left it, by experiment."""
        return {
            name: self._run(["git", "show", f"{commit}:{path}"])
            for name, commit in self.finished().items()
        }

    def by_value(self, path: str) -> dict[int, str]:
        """A file that git holds, as the finished experiments left it, by the parameter's value.

        Raises:
            ValueError: Two experiments with one value left different bytes.
        """
        found: dict[int, str] = {}
        for name, content in self.results(path).items():
            value = self._value_of(name)
            if found.setdefault(value, content) != content:
                raise ValueError(f"experiments with {self.key}={value} differ in {path}")
        return found

    def trainings(self) -> Counter[int]:
        """How many finished experiments ran their stage, by the parameter's value.

        The others took its results from the cache.
        """
        ran = f"Running stage '{self.target}'"
        return Counter(
            self._value_of(name)
            for name in self.finished()
            if ran in self._dvc("queue", "logs", name)
        )

    def is_over(self) -> bool:
        """Whether nothing is queued or running."""
        return {"Queued", "Running"}.isdisjoint(self.status().values())

    def _value_of(self, name: str) -> int:
        params = self._run(["git", "show", f"{self.finished()[name]}:params.yaml"])
        value = YAML(typ="safe").load(params)
        for part in self.key.split("."):
            value = value[part]
        return int(value)

    def _dvc(self, *arguments: str) -> str:
        return self._run([*DVC, *arguments])

    def _run(self, command: Sequence[str]) -> str:
        environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "DVC_NO_ANALYTICS": "true",
        }
        environment.pop("DVC_ROOT", None)
        # a file: workers keep what they are started with open, and a pipe would never end
        with TemporaryFile("w+", encoding="utf-8") as output:
            subprocess.run(
                command,
                cwd=self.repository,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.DEVNULL,
                check=True,
            )
            output.seek(0)
            return output.read()
