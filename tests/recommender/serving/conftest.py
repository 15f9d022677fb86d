from pathlib import Path

import pytest
from served_models import write_models


@pytest.fixture(scope="session")
def models(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of two models; nothing is written to it."""
    return write_models(tmp_path_factory.mktemp("served"), tiny_encoder)
