"""What tests share: a folder to work in, the real corpora, a tiny encoder made on the spot."""

import os
from pathlib import Path

import pytest
from tiny_encoder import write_tiny_encoder

from stages.recommender import artifacts

ROOT = Path(__file__).parents[1]
LONGEST = (
    "reliability/test_kill_anywhere.py",
    "reliability/test_sweeps.py",
    "test_reruns.py",
    "test_dvc_yaml.py",
    "recommender/training/test_processes.py",
    "test_train.py",
    "reliability/test_shared_storage.py",
)
"""The files whose tests take longest."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files: at the end, one would keep a single worker busy."""
    files = [ROOT / "tests" / name for name in LONGEST]
    items.sort(key=lambda item: files.index(item.path) if item.path in files else len(files))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one, with a cache of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(artifacts, "CACHE", tmp_path / ".cache")
    return tmp_path


@pytest.fixture(scope="session")
def corpora() -> Path:
    folder = Path(os.environ.get("REDIAL_CORPORA", ROOT.parent / "shared" / "corpora"))
    if not (folder / "redial_dataset.zip").is_file():
        pytest.skip(
            f"the real corpora are not at {folder}; name their folder in REDIAL_CORPORA to run this"
        )
    return folder


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoder")
    write_tiny_encoder(folder)
    return folder
