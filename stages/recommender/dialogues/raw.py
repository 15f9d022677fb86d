"""The raw dialogues that ``download_redial`` wrote, read part by part."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from stages.recommender import artifacts

_STAGE = "download_redial"


def dialogues_of(file: str) -> Iterator[pa.Table]:
    """The dialogues of the ``train`` or the ``test`` file, ``artifacts.ROWS`` at a time.

    Raises:
        UserError: The file is missing, damaged, or of another schema.
    """
    return artifacts.read_batches(_path(file), artifacts.DIALOGUE_SCHEMA, _STAGE)


def conversations(file: str) -> list[int]:
    """The ids of a file's dialogues; raises what :func:`dialogues_of` raises."""
    ids: list[int] = []
    for part in artifacts.read_batches(
        _path(file), artifacts.DIALOGUE_SCHEMA, _STAGE, ["conversation_id"]
    ):
        ids += part["conversation_id"].to_pylist()
    return ids


def _path(file: str) -> Path:
    return artifacts.REDIAL / f"{file}.parquet"
