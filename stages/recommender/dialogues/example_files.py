"""Files of examples, ``<folder>/<reading>/<split>.parquet``, written part by part."""

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pyarrow as pa

from stages.recommender import artifacts
from stages.recommender.dialogues import splits


@contextmanager
def example_writer(
    folder: Path, readings: Collection[str], schema: pa.Schema = artifacts.EXAMPLE_SCHEMA
) -> Iterator[Callable[[str, str, pa.Table], None]]:
    """Write the files of some readings.

    Args:
        folder: That they lie in.
        readings: Theirs.
        schema: Of the examples.

    Yields:
        Writes the next examples of a reading and a split.
    """
    with ExitStack() as files:
        write = {
            (reading, split): files.enter_context(
                artifacts.table_writer(folder / reading / f"{split}.parquet", schema)
            )
            for reading in readings
            for split in splits.SPLITS
        }
        yield lambda reading, split, examples: write[reading, split](examples)
