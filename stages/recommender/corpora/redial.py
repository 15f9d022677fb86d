"""ReDial (Li et al. 2018) as rows of one schema, from its official archive or from the hub.

The archive holds one JSON object a line, movies and forms as objects keyed by movie id (an empty
one is sometimes ``[]``) and conversation ids as strings; the hub's Parquet files hold the same
fields with lists in the place of the objects and numbers in the place of the strings. Both
become rows of :data:`~stages.recommender.artifacts.DIALOGUE_SCHEMA`.
"""

import fnmatch
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from stages.recommender.artifacts import DIALOGUE_SCHEMA, ROWS
from stages.recommender.corpora.archives import Archive, open_archive
from stages.recommender.corpora.fetching import DOWNLOADS
from stages.recommender.corpora.hub import dataset_files, hub_file
from stages.recommender.corpora.patience import PATIENCE, Patience
from stages.recommender.corpora.redial_dialogue import Dialogue, problem_of
from stages.recommender.errors import UserError
from stages.recommender.params import Hub

SPLITS = ("train", "test")
MAX_LINE_BYTES = 1 << 20
"""The longest line of the corpus has 15 thousand bytes."""

_HUB = "redial.hub"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


Parts = Iterator[tuple[str, pa.Table]]
"""Some rows after another, each with the split that it is of; of each split at least one part."""


def read_archive(path: Path) -> Parts:
    """Read the official archive.

    Args:
        path: A zip archive with ``train_data.jsonl`` and ``test_data.jsonl``, in any folder.

    Yields:
        The dialogues in the order of the files.

    Raises:
        UserError: The archive or a line in it is not as it should be.
    """
    with open_archive(path) as archive:
        yield from read_members(archive)


def read_members(archive: Archive) -> Parts:
    """Read the official archive where it is open already; see :func:`read_archive`."""
    places: dict[int, str] = {}
    for split in SPLITS:
        name = f"{split}_data.jsonl"
        with archive.open(name) as file:
            for part in _tables(_parsed_lines(_lines(file, f"{archive.path}: {name}")), places):
                yield split, part


def read_hub(hub: Hub, *, cache: Path = DOWNLOADS, patience: Patience = PATIENCE) -> Parts:
    """Read the hub's dataset.

    Args:
        hub: The repository and its commit, with ``data/train-*.parquet`` and
            ``data/test-*.parquet``.
        cache: Where downloads are kept.
        patience: How long to bear with the hub.

    Yields:
        The dialogues in the order of the files.

    Raises:
        UserError: The hub is not reached, or a file or a row in it is not as it should be.
    """
    checksums = dataset_files(hub, _HUB, patience)
    paths: dict[str, list[Path]] = {}
    for split in SPLITS:
        names = sorted(fnmatch.filter(checksums, f"data/{split}-*.parquet"))
        if not names:
            raise UserError(
                f"{hub.repository} has no data/{split}-*.parquet at {hub.revision}, only "
                f"{', '.join(sorted(checksums)[:8]) or 'nothing'}; change {_HUB}"
            )
        paths[split] = [
            hub_file(
                hub,
                "dataset",
                name,
                _HUB,
                checksums[name],
                f"{_HUB}.revision",
                cache=cache,
                patience=patience,
            )
            for name in names
        ]
    places: dict[int, str] = {}
    for split in SPLITS:
        for part in _tables((row for path in paths[split] for row in _parsed_rows(path)), places):
            yield split, part


def _lines(file: IO[bytes], where: str) -> Iterator[tuple[str, bytes]]:
    """Every line that is not blank, with the words that say where it stands."""
    number = 0
    while line := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        place = f"{where}, line {number}"
        if len(line) > MAX_LINE_BYTES:
            raise UserError(
                f"{place} is longer than {MAX_LINE_BYTES} bytes, no dialogue is; "
                "mend the file or get it again"
            )
        if number == 1:
            line = line.removeprefix(_BYTE_ORDER_MARK)
        if line.strip():
            yield place, line.rstrip(b"\r\n")


def _parsed_lines(lines: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, Dialogue]]:
    for place, line in lines:
        try:
            yield place, Dialogue.model_validate_json(line)
        except ValidationError as error:
            raise UserError(
                f"{place} {problem_of(error, line)}; mend the file or get it again"
            ) from None


def _parsed_rows(path: Path) -> Iterator[tuple[str, Dialogue]]:
    number = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(ROWS):
                for row in batch.to_pylist():
                    number += 1
                    yield f"{path}, row {number}", Dialogue.model_validate(row)
    except ValidationError as error:
        raise UserError(
            f"{path}, row {number} {problem_of(error)}; change {_HUB}.revision"
        ) from None
    except pa.ArrowInvalid as error:
        problem = str(error).splitlines()[0].rstrip(".")
        raise UserError(
            f"{path} is no whole Parquet file ({problem}); remove it and run again"
        ) from None


def _tables(
    dialogues: Iterable[tuple[str, Dialogue]], places: dict[int, str]
) -> Iterator[pa.Table]:
    """Tables of :data:`~stages.recommender.artifacts.ROWS` rows; the last may have none.

    Args:
        dialogues: Each with the words that say where it stands.
        places: The same by id, of the dialogues before; those of these are added. An id tells a
            dialogue from all others, those of the other split among them.
    """
    rows: list[dict[str, Any]] = []
    for place, dialogue in dialogues:
        number = dialogue.conversation_id
        if number in places:
            raise UserError(
                f"{place} has the conversationId {number} again, which stands already at "
                f"{places[number]}; leave one of them"
            )
        places[number] = place
        rows.append(dialogue.model_dump())
        if len(rows) == ROWS:
            yield pa.Table.from_pylist(rows, DIALOGUE_SCHEMA)
            rows = []
    yield pa.Table.from_pylist(rows, DIALOGUE_SCHEMA)
