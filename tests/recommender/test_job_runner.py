import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import Mock

import pytest

from stages.recommender import job_runner
from stages.recommender.job_runner import JobRunner, Outcome, run_command


def shell(script: str) -> list[str]:
    return ["sh", "-c", script]


def test_a_command_shows_its_output_and_gives_its_exit_code(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run_command(shell("echo here; pwd; exit 3"), cwd=tmp_path) == 3
    assert capfd.readouterr().out == f"here\n{tmp_path}\n"


def test_a_signal_as_a_command_ends_is_passed_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen(["true"]) as ended:
        pass
    monkeypatch.setattr(ended, "wait", Mock(side_effect=[KeyboardInterrupt, 0]))
    monkeypatch.setattr(job_runner.subprocess, "Popen", lambda *_, **__: ended)
    with pytest.raises(KeyboardInterrupt):
        run_command(["true"])


def test_each_line_is_told_with_its_job_and_a_failure_stops_no_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    outcomes = JobRunner([{}]).run(
        {
            "one": shell("echo begun; echo no memory >&2; exit 3"),
            "second": shell("printf 'ends without a new line'"),
            "third": shell("kill -9 $$"),
        }
    )
    assert outcomes == {
        "one": Outcome(3, "no memory"),
        "second": Outcome(0, "ends without a new line"),
        "third": Outcome(-9, ""),
    }
    assert capsys.readouterr().err == (
        "one    | begun\none    | no memory\nsecond | ends without a new line\n"
    )


def test_as_many_run_at_once_as_there_are_places(tmp_path: Path) -> None:
    # each waits for as many others as may run beside it
    wait = f"cd '{tmp_path}'; touch $PLACE; until [ -e one -a -e two ]; do sleep 0.01; done"
    commands = {name: shell(f"{wait}; echo $PLACE") for name in ("a", "b")}
    outcomes = JobRunner([{"PLACE": "one"}, {"PLACE": "two"}]).run(commands)
    assert sorted(outcome.last_line for outcome in outcomes.values()) == ["one", "two"]
    alone = shell(f"cd '{tmp_path}'; mkdir only && sleep 0.05 && rmdir only")
    outcomes = JobRunner([{}]).run(dict.fromkeys(("a", "b", "c"), alone))
    assert {outcome.code for outcome in outcomes.values()} == {0}


def test_no_more_places_than_jobs_are_needed() -> None:
    assert JobRunner([{}] * 5).run({"a": shell("exit 0")}) == {"a": Outcome(0, "")}
    assert JobRunner([{}]).run({}) == {}


def pipe(*chunks: bytes) -> io.FileIO:
    read, write = os.pipe()
    for chunk in chunks:
        os.write(write, chunk)
    os.close(write)
    return io.FileIO(read)


def test_a_line_that_the_next_one_takes_the_place_of_is_progress() -> None:
    with pipe(b"\r 1%|x", b"x|\r      \r 2%|xx|", b"\repoch 1\n\n\xc3\xa9nd\nrest") as output:
        assert list(job_runner._lines(output)) == [
            (" 1%|xx|", True),
            (" 2%|xx|", True),
            ("epoch 1", False),
            ("énd", False),
            ("rest", False),
        ]


@pytest.mark.parametrize(
    ("seconds", "told"), [(0.0, "a |  1%\na |  2%\na | end\n"), (60.0, "a | end\n")]
)
def test_progress_is_told_now_and_then_where_there_is_no_terminal(
    seconds: float,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(job_runner, "TOLD_SECONDS", seconds)
    JobRunner([{}]).run({"a": shell(r"printf '\r 1%%\r 2%%\rend\n'")})
    assert capsys.readouterr().err == told


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_stays_one_line_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    JobRunner([{}]).run({"a": shell(r"printf '\r 1%%\r 2%%\rend\n'")})
    shown = terminal.getvalue()
    assert "\ra |  1%" in shown
    assert "\ra |  2%" in shown
    # only what stays ends a line
    assert shown.count("\n") == 1
    assert "a | end\n" in shown


@pytest.fixture
def once_there_is() -> Iterator[Callable[[Path], None]]:
    """Interrupts this process, as Ctrl-C does, when a file is there.

    A shell starts what it runs in the background with SIGINT ignored: here it is not, in any case.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def interrupt(path: Path) -> None:
        def wait() -> None:
            while not path.exists():
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=wait, daemon=True).start()

    yield interrupt
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_ends_the_jobs_in_order(
    tmp_path: Path, once_there_is: Callable[[Path], None]
) -> None:
    once_there_is(tmp_path / "begun")
    # the shell and what it runs are both told
    work = f"trap 'touch {tmp_path}/ended; exit 1' INT; touch {tmp_path}/begun; sleep 60"
    with pytest.raises(KeyboardInterrupt):
        JobRunner([{}]).run({"a": shell(work), "b": shell(f"touch {tmp_path}/never")})
    assert (tmp_path / "ended").exists()
    assert not (tmp_path / "never").exists()
