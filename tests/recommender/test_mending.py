import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from stages.recommender.errors import UserError
from stages.recommender.mending import mend

DVC = [sys.executable, "-m", "dvc"]
GIVEN = "gegeben é.txt"
"""Half a lock may end within its accent."""
STAGES = f"""\
stages:
  first:
    cmd: echo first >> ran.txt && cat '{GIVEN}' > first.txt
    deps:
    - {GIVEN}
    outs:
    - first.txt
  second:
    cmd: echo second >> ran.txt && cat first.txt > second.txt
    deps:
    - first.txt
    outs:
    - second.txt
"""


def repro(folder: Path) -> str:
    environment = os.environ | {"DVC_NO_ANALYTICS": "true"}
    done = subprocess.run(
        [*DVC, "repro"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose two stages have run."""
    folder = tmp_path_factory.mktemp("repository")
    (folder / ".dvc").mkdir()
    (folder / ".dvc" / "config").write_text("[core]\n    no_scm = True\n")
    (folder / "dvc.yaml").write_text(STAGES)
    (folder / GIVEN).write_text("1\n")
    repro(folder)
    assert (folder / "ran.txt").read_text() == "first\nsecond\n"
    return folder


@pytest.fixture
def repository(finished: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    shutil.copytree(finished, folder)
    return folder


def mended(folder: Path) -> list[str]:
    return mend(folder, folder / ".dvc" / "cache")


def test_nothing_is_done_where_all_is_whole(repository: Path) -> None:
    before = {path: path.stat() for path in repository.rglob("*")}
    assert mended(repository) == []
    assert {path: path.stat() for path in repository.rglob("*")}.keys() == before.keys()


def test_wherever_the_writing_of_the_lock_stopped_dvc_can_read_what_is_left(
    repository: Path,
) -> None:
    lock = repository / "dvc.lock"
    whole = lock.read_bytes()
    kept = set()
    for size in range(len(whole)):
        lock.write_bytes(whole[:size])
        if mended(repository):
            assert not lock.exists()
        else:
            content = YAML(typ="safe").load(lock) or {"stages": {}}
            kept.add(tuple(content.get("stages") or ()))
    # a lock that ends with a whole entry is one of fewer stages
    assert kept == {(), ("first",), ("first", "second")}


@pytest.mark.parametrize(
    ("after", "more"),
    [
        pytest.param(b"path: second.txt", 5, id="no YAML"),
        pytest.param(
            b"    - path: second.txt\n      hash: md5\n      md5: ", 9, id="half a checksum"
        ),
    ],
)
def test_with_half_a_lock_nothing_runs_again(repository: Path, after: bytes, more: int) -> None:
    lock = repository / "dvc.lock"
    whole = lock.read_bytes()
    lock.write_bytes(whole[: whole.index(after) + len(after) + more])
    assert mended(repository) == [f"{lock} was half-written; what is done comes from DVC's cache"]
    assert repro(repository).count("is cached - skipping run") == 2
    assert lock.read_bytes() == whole
    assert (repository / "ran.txt").read_text() == "first\nsecond\n"


def test_a_conflict_of_git_is_left_to_the_user(repository: Path) -> None:
    lock = repository / "dvc.lock"
    lock.write_text("<<<<<<< HEAD\n" + lock.read_text() + "=======\n>>>>>>> other\n")
    before = lock.read_bytes()
    with pytest.raises(UserError, match=r"two versions that git could not join; choose one with"):
        mended(repository)
    assert lock.read_bytes() == before


def test_half_a_list_of_readers_and_writers_goes(repository: Path) -> None:
    readers = repository / ".dvc" / "tmp" / "rwlock"
    readers.write_text(json.dumps({"write": {"/a": {"pid": 1, "cmd": "x"}}})[:20])
    [told] = mended(repository)
    assert told == f"{readers} was half-written; nobody is at work, so it is not needed"
    assert "up to date" in repro(repository)


def test_readers_that_were_killed_go(repository: Path) -> None:
    killed = subprocess.Popen(["true"])
    killed.wait()
    readers = repository / ".dvc" / "tmp" / "rwlock"
    reader = {"pid": killed.pid, "cmd": "dvc repro"}
    readers.write_text(json.dumps({"read": {"/a": [reader]}, "write": {"/b": reader}}))
    assert mended(repository) == [
        f"{readers} held what a killed DVC had been reading; it is not needed"
    ]
    assert not readers.exists()
    assert "up to date" in repro(repository)


def test_a_reader_at_work_stays(repository: Path) -> None:
    readers = repository / ".dvc" / "tmp" / "rwlock"
    readers.write_text(json.dumps({"read": {"/a": [{"pid": os.getpid(), "cmd": "dvc status"}]}}))
    before = readers.read_bytes()
    assert mended(repository) == []
    assert readers.read_bytes() == before


def test_an_empty_entry_of_the_run_cache_goes(repository: Path) -> None:
    """DVC takes the newest file of the folder, and fails where there is none."""
    entry = next((repository / ".dvc" / "cache" / "runs").glob("*/*"))
    for path in entry.iterdir():
        path.unlink()
    (repository / "dvc.lock").unlink()
    assert mended(repository) == [f"{entry} had no entry of a run"]
    repro(repository)
    assert sorted(set((repository / "ran.txt").read_text().split())) == ["first", "second"]


def test_a_half_written_entry_of_the_run_cache_goes(repository: Path) -> None:
    """DVC takes the newest file of the folder for a whole one."""
    entry = next((repository / ".dvc" / "cache" / "runs").glob("*/*"))
    [whole] = entry.iterdir()
    half = entry / ".e5Ix37pbkhwtUBiMllWxPQ.tmp"
    content = whole.read_text()
    half.write_text(content[: content.index("outs:")])
    (repository / "dvc.lock").unlink()
    assert mended(repository) == [f"{half} was half-written; it is no entry of a run"]
    assert repro(repository).count("is cached - skipping run") == 2
    assert (repository / "ran.txt").read_text() == "first\nsecond\n"


def test_an_entry_of_the_run_cache_that_is_being_written_is_left_alone(repository: Path) -> None:
    entry = next((repository / ".dvc" / "cache" / "runs").glob("*/*"))
    [whole] = entry.iterdir()
    being_written = entry / ".e5Ix37pbkhwtUBiMllWxPQ.tmp"
    whole.rename(being_written)
    writer = threading.Timer(0.3, being_written.rename, [whole])
    being_written.touch()
    writer.start()
    assert mended(repository) == []
    writer.join()
    assert whole.is_file()


def test_a_folder_of_the_run_cache_that_just_began_is_left_alone(repository: Path) -> None:
    entry = next((repository / ".dvc" / "cache" / "runs").glob("*/*"))
    [whole] = entry.iterdir()
    elsewhere = repository / "whole"
    whole.rename(elsewhere)
    writer = threading.Timer(0.3, elsewhere.rename, [whole])
    writer.start()
    assert mended(repository) == []
    writer.join()
    assert whole.is_file()


def test_a_half_written_entry_goes_though_the_clock_was_put_back(repository: Path) -> None:
    entry = next((repository / ".dvc" / "cache" / "runs").glob("*/*"))
    [whole] = entry.iterdir()
    half = whole.rename(entry / ".e5Ix37pbkhwtUBiMllWxPQ.tmp")
    os.utime(half, (time.time() + 3600, time.time() + 3600))
    assert mended(repository) == [f"{half} was half-written; it is no entry of a run"]
    assert not entry.exists()


def test_the_command_says_what_it_did_wherever_the_cache_is(repository: Path) -> None:
    command = [sys.executable, "-m", "stages.recommender.mending"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}

    def told() -> str:
        done = subprocess.run(
            command, cwd=repository, env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    assert told() == "nothing is half-written\n"
    (repository / "dvc.lock").write_text("stages: [")
    assert told() == "dvc.lock was half-written; what is done comes from DVC's cache\n"
    entry = Path("runs", "aa", "aab")
    (repository / ".dvc" / "cache" / entry).mkdir(parents=True)
    assert told() == f".dvc/cache/{entry} had no entry of a run\n"
    shared = repository.parent / "shared"
    (shared / entry).mkdir(parents=True)
    with (repository / ".dvc" / "config").open("a") as config:
        config.write(f"[cache]\n    dir = {os.path.relpath(shared, repository / '.dvc')}\n")
    assert told() == f"{shared / entry} had no entry of a run\n"
