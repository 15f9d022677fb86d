"""ReDial as tests want it: whole."""

import pyarrow as pa

from stages.recommender.corpora.redial import Parts


def whole(parts: Parts) -> dict[str, pa.Table]:
    """The table of each split, of parts read one after another."""
    tables: dict[str, list[pa.Table]] = {}
    for split, part in parts:
        tables.setdefault(split, []).append(part)
    return {split: pa.concat_tables(found) for split, found in tables.items()}
