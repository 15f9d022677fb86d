import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from local_server import Server, local_server


@pytest.fixture
def server() -> Iterator[Server]:
    with local_server() as running:
        yield running


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The folder with the real corpora."""
    root = Path(__file__).parents[3]
    folder = Path(os.environ.get("REDIAL_CORPORA", root.parent / "shared" / "corpora"))
    if not folder.is_dir():
        pytest.skip(f"the real corpora are not at {folder}; name their folder in REDIAL_CORPORA")
    return folder
