"""How long what a training keeps is kept: as long as something may still need it.

A training that has written its results is needed until DVC has taken them down in its lock:
killed before that, DVC runs the stage again, and it must not train again. One that was killed
is needed until it goes on; if its code or parameters have changed, it never does.

Beside an entry, a file or folder, lie ``<name>.lock``, held while somebody works on it, and
``<name>.finished``, which names the stage and the lock of DVC's to wait for, and holds what stood
there of the stage before: where several models train at once, the lock changes for others too. A
stage that was forced to run may give the same results again: DVC then writes the same lock anew.
"""

import hashlib
import json
import os
import shutil
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

KEPT_DAYS = 30
"""How long what was killed is kept."""
_LOCK, _FINISHED = ".lock", ".finished"


def finish(entry: Path) -> None:
    """Tell that the results are written: the entry is kept where DVC will record them, or removed.

    Args:
        entry: The file or folder that a killed run would go on from.
    """
    stage = os.environ.get("DVC_STAGE")
    if stage is None:
        remove(entry)
        return
    lock = Path("dvc.lock").absolute()
    mark = {
        "lock": str(lock),
        "stage": stage,
        "before": _recorded(lock, stage),
        "whole": _digest(lock),
    }
    _beside(entry, _FINISHED).write_text(json.dumps(mark), encoding="utf-8")


def remove(entry: Path) -> None:
    """Remove an entry and its mark."""
    if entry.is_dir():
        shutil.rmtree(entry, ignore_errors=True)
    else:
        entry.unlink(missing_ok=True)
    _beside(entry, _FINISHED).unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Remove the entries of a folder that nothing needs any more; not one that is worked on."""
    entries = [path for path in folder.glob("*") if path.suffix not in {_LOCK, _FINISHED}]
    for entry in sorted(entries):
        try:
            with _held(entry):
                if _is_recorded(entry) or _is_old(entry):
                    remove(entry)
        except (Timeout, FileNotFoundError):  # another removes them too, and has this one
            continue


def _held(entry: Path) -> AbstractContextManager[object]:
    lock = _beside(entry, _LOCK)
    return FileLock(lock, timeout=0) if lock.exists() else nullcontext()


def _is_recorded(entry: Path) -> bool:
    finished = _beside(entry, _FINISHED)
    try:
        mark = json.loads(finished.read_text(encoding="utf-8"))
        lock, stage, before = Path(mark["lock"]), mark["stage"], mark["before"]
        whole, since = mark["whole"], finished.stat().st_mtime_ns
    except (FileNotFoundError, ValueError, TypeError, KeyError):  # not finished, or killed there
        return False
    if not lock.parent.is_dir():  # of an experiment, whose folder is removed at its end
        return True
    now = _recorded(lock, stage)
    if now is None:
        return False
    if now != before:
        return True
    # the same results, whose lock nobody else has changed: it was written anew for them
    return _digest(lock) == whole and lock.stat().st_mtime_ns > since


def _digest(lock: Path) -> str | None:
    return hashlib.sha256(lock.read_bytes()).hexdigest() if lock.is_file() else None


def _recorded(lock: Path, stage: str) -> Any:
    """What DVC's lock holds of a stage; ``None`` where that is nothing, or half of the lock."""
    try:
        return YAML(typ="safe").load(lock)["stages"].get(stage)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, YAMLError):
        return None


def _is_old(entry: Path) -> bool:
    inside = entry.iterdir() if entry.is_dir() else ()
    changed: float = max(path.stat().st_mtime for path in (entry, *inside))
    return time.time() - changed > KEPT_DAYS * 24 * 3600


def _beside(entry: Path, suffix: str) -> Path:
    return entry.with_name(entry.name + suffix)
