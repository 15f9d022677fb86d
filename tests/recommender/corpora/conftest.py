from collections.abc import Iterator

import pytest
from local_server import Server, local_server


@pytest.fixture
def server() -> Iterator[Server]:
    with local_server() as running:
        yield running
