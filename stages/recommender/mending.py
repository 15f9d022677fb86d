"""Mend what DVC leaves behind where it is killed, so that it goes on.

DVC writes ``dvc.lock`` and its list of readers and writers in place: killed within such a write
it leaves half a file, which it refuses to read from then on. What it has recorded is in its
cache as well, so that half a lock can go: ``dvc repro`` takes each finished stage from there. An
entry of the cache of runs that is half-written, it takes for a whole one. Readers that were
killed stay in their list, which DVC reads and writes anew many times a stage.
``python -m stages.recommender.mending`` mends the repository in this folder, where nothing else
may run in it; ``make run`` does it by itself.
"""

import json
import os
import time
from contextlib import suppress
from pathlib import Path

from stages.recommender.errors import UserError, run_stage

LOCK = Path("dvc.lock")
DVC_FOLDER = Path(".dvc")
READERS_AND_WRITERS = DVC_FOLDER / "tmp" / "rwlock"
WRITING_SECONDS = 1.0
"""After which what is still half-written in the cache of all workspaces is nobody's."""
CONFLICT = b"<<<<<<<"
"""How git begins a place where two versions of a file meet."""


def mend(folder: Path, cache: Path) -> list[str]:
    """Remove what is half-written.

    Args:
        folder: Of the repository; no DVC may run in it.
        cache: DVC's.

    Returns:
        What was done, a sentence each.

    Raises:
        UserError: The lock cannot be read since git left a conflict in it.
    """
    told = []
    lock = folder / LOCK
    if lock.is_file() and not is_whole(lock):
        if CONFLICT in lock.read_bytes():
            raise UserError(
                f"{lock} has two versions that git could not join; choose one with: "
                f"git checkout --ours {lock}"
            )
        lock.unlink()
        told.append(f"{lock} was half-written; what is done comes from DVC's cache")
    readers = folder / READERS_AND_WRITERS
    if readers.is_file():
        processes = _processes(readers)
        if processes is None:
            readers.unlink()
            told.append(f"{readers} was half-written; nobody is at work, so it is not needed")
        elif processes and not any(_is_alive(process) for process in processes):
            readers.unlink()
            told.append(f"{readers} held what a killed DVC had been reading; it is not needed")
    # DVC takes the newest file of each of these folders for the entry of a run
    for entries in (path for path in (cache / "runs").glob("*/*") if path.is_dir()):
        left = [path for path in entries.glob(".*.tmp") if _is_abandoned(path)]
        for half in left:
            half.unlink(missing_ok=True)
            told.append(f"{half} was half-written; it is no entry of a run")
        if not any(entries.iterdir()) and (left or _is_abandoned(entries)):
            with suppress(OSError):  # somebody has just put an entry in it
                entries.rmdir()
                told += [] if left else [f"{entries} had no entry of a run"]
    return told


def is_whole(lock: Path) -> bool:
    """Whether a ``dvc.lock`` that is there has all that DVC wrote; an empty one says nothing."""
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA
    from dvc.utils.serialize import YAMLFileCorruptedError, parse_yaml
    from voluptuous import Invalid

    try:
        text = lock.read_text(encoding="utf-8")  # half of it may end within a letter of a path
        COMPILED_LOCKFILE_SCHEMA(parse_yaml(text, lock))
    except (YAMLFileCorruptedError, Invalid, UnicodeDecodeError):
        return False
    # half a line may hold half a checksum, for which DVC would run a finished stage again
    return not text or text.endswith("\n")


def _is_abandoned(path: Path) -> bool:
    """Whether nobody writes there any more, which takes DVC of another workspace milliseconds."""
    end = time.monotonic() + WRITING_SECONDS  # a file's time may lie ahead of this machine's
    with suppress(FileNotFoundError):
        while time.time() - path.stat().st_mtime < WRITING_SECONDS and time.monotonic() < end:
            time.sleep(0.05)
        return path.exists()
    return False


def _processes(readers: Path) -> set[int] | None:
    """The ids of those in DVC's list of readers and writers; ``None`` where it is half-written."""
    try:
        listed = json.loads(readers.read_text(encoding="utf-8"))
    except ValueError:
        return None
    reading = [entry for entries in listed.get("read", {}).values() for entry in entries]
    return {entry["pid"] for entry in [*reading, *listed.get("write", {}).values()]}


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)  # a signal that is not sent
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True


def _cache() -> Path:
    """DVC's, which a team or a workspace may have elsewhere."""
    from dvc.config import Config

    own = Config(dvc_dir=str(DVC_FOLDER.absolute()))["cache"].get("dir")
    return Path(own) if own else DVC_FOLDER / "cache"


def main() -> None:
    """Mend the repository in this folder."""
    for sentence in mend(Path(), _cache()) or ["nothing is half-written"]:
        print(sentence)


if __name__ == "__main__":
    run_stage(main)
