"""What tests share: the real corpora where they are, and a tiny encoder made on the spot."""

import os
from pathlib import Path

import pytest
from tiny_encoder import write_tiny_encoder

ROOT = Path(__file__).parents[1]


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
