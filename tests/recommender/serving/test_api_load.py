"""A short version of ``make load``: fifty clients for two seconds."""

import asyncio
from pathlib import Path

from load_api import load, serving
from served_models import write_models


def test_fifty_clients_get_answers_and_the_server_does_not_grow(
    tmp_path: Path, tiny_encoder: Path
) -> None:
    with serving(write_models(tmp_path, tiny_encoder)) as (address, process):
        found = asyncio.run(load(address, process, clients=50, seconds=2.0))
    assert found["first_failures"] == []
    assert found["answered"] > 50
    assert found["memory_mib"]["last"] < found["memory_mib"]["first"] * 1.1
