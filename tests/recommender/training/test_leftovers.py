import os
import time
from pathlib import Path

import pytest
from filelock import FileLock

from stages.recommender.training import leftovers
from stages.recommender.training.leftovers import remove_leftovers

STAGE = "train@original-rnn"
MONTH = leftovers.KEPT_DAYS * 24 * 3600


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of DVC's whose stage runs here."""
    folder = tmp_path / "repository"
    folder.mkdir()
    record(folder, {STAGE: "before"})
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DVC_STAGE", STAGE)
    return folder


@pytest.fixture(params=["folder", "file"])
def entry(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "kept" / "1a2b"
    if request.param == "folder":
        path.mkdir(parents=True)
        (path / "state.safetensors").write_text("state")
    else:
        path.parent.mkdir()
        path.write_text("rankings")
    return path


def age(entry: Path, seconds: float) -> None:
    inside = entry.iterdir() if entry.is_dir() else ()
    for path in (*inside, entry):
        os.utime(path, (time.time() - seconds,) * 2)


def record(folder: Path, stages: dict[str, str]) -> None:
    """Write a lock as DVC does: a mapping of stages, each with the checksums of its files."""
    entries = (f"  {name}:\n    outs:\n    - md5: {md5}\n" for name, md5 in stages.items())
    (folder / "dvc.lock").write_text("schema: '2.0'\nstages:\n" + "".join(entries))


def test_what_was_killed_is_kept_for_a_month(entry: Path) -> None:
    age(entry, MONTH - 60)
    remove_leftovers(entry.parent)
    assert entry.exists()
    age(entry, MONTH + 60)
    remove_leftovers(entry.parent)
    assert list(entry.parent.iterdir()) == []


def test_what_is_finished_is_kept_until_dvc_has_recorded_it(here: Path, entry: Path) -> None:
    leftovers.finish(entry)
    remove_leftovers(entry.parent)
    assert entry.exists()
    record(here, {STAGE: "after"})
    remove_leftovers(entry.parent)
    assert list(entry.parent.iterdir()) == []


def test_another_models_record_removes_nothing(here: Path, entry: Path) -> None:
    """Several models train at once, and DVC writes one lock for all."""
    leftovers.finish(entry)
    record(here, {STAGE: "before", "train@weighted-rnn": "after"})
    remove_leftovers(entry.parent)
    assert entry.exists()
    record(here, {"train@weighted-rnn": "after"})
    remove_leftovers(entry.parent)
    assert entry.exists()


@pytest.mark.parametrize("half", ["", "schema: '2.0'\nstages:\n  train@ori", "stages:\n  - ["])
def test_half_a_lock_removes_nothing(here: Path, entry: Path, half: str) -> None:
    leftovers.finish(entry)
    (here / "dvc.lock").write_text(half)
    remove_leftovers(entry.parent)
    assert entry.exists()


@pytest.mark.parametrize("length", [0, 9, 30])
def test_half_a_mark_removes_nothing(here: Path, entry: Path, length: int) -> None:
    leftovers.finish(entry)
    mark = entry.with_name(f"{entry.name}.finished")
    mark.write_text(mark.read_text()[:length])
    record(here, {STAGE: "after"})
    remove_leftovers(entry.parent)
    assert entry.exists()


def test_where_dvc_has_no_lock_yet_it_is_kept(here: Path, entry: Path) -> None:
    (here / "dvc.lock").unlink()
    leftovers.finish(entry)
    remove_leftovers(entry.parent)
    assert entry.exists()
    record(here, {STAGE: "after"})
    remove_leftovers(entry.parent)
    assert not entry.exists()


def test_what_was_finished_in_an_experiments_folder_goes_with_it(here: Path, entry: Path) -> None:
    leftovers.finish(entry)
    here.rename(here.with_name("gone"))
    remove_leftovers(entry.parent)
    assert not entry.exists()


def test_without_dvc_nothing_is_kept(
    entry: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_STAGE", raising=False)
    leftovers.finish(entry)
    assert list(entry.parent.iterdir()) == []


def test_what_somebody_works_on_is_kept(entry: Path) -> None:
    age(entry, MONTH + 60)
    with FileLock(entry.with_name(f"{entry.name}.lock")):
        remove_leftovers(entry.parent)
        assert entry.exists()
    remove_leftovers(entry.parent)
    assert not entry.exists()


def test_no_folder_is_nothing_to_remove(tmp_path: Path) -> None:
    remove_leftovers(tmp_path / "none")
    assert list(tmp_path.iterdir()) == []


def test_the_same_results_that_dvc_recorded_again_are_not_kept(here: Path, entry: Path) -> None:
    """Else the next run that is forced would train nothing."""
    leftovers.finish(entry)
    record(here, {STAGE: "before"})
    os.utime(here / "dvc.lock", (time.time() + 1,) * 2)
    remove_leftovers(entry.parent)
    assert list(entry.parent.iterdir()) == []


def test_one_that_another_removes_meanwhile_is_passed_over(
    entry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = entry.with_name("2b3c")
    other.write_text("old")
    for path in (entry, other):
        age(path, MONTH + 60)
    is_recorded = leftovers._is_recorded

    def removed_first(path: Path) -> bool:
        if path == entry:
            leftovers.remove(path)
        return is_recorded(path)

    monkeypatch.setattr(leftovers, "_is_recorded", removed_first)
    remove_leftovers(entry.parent)
    assert list(entry.parent.iterdir()) == []
