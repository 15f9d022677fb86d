"""A project so small that a model of it trains in a second."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import params_file
import pyarrow as pa

from stages.recommender import artifacts
from stages.recommender.corpora.checksums import sha256_of

MOVIES = 30
TAGS = {"train": 20, "held_out": 5}
COUNTS = {"train": 26, "validation": 8, "test": 7}
"""Examples of the reading ``whole``; with batches of 8, four steps an epoch."""

CONTEXT_TOKENS = 2
"""On either side of a mention."""

SMALL: dict[str, Any] = {
    "model": {
        "hidden_size": 12,
        "mentions": {"max": 4, "embedding_size": 6, "hidden_size": 5},
    },
    "training": {
        "epochs": 3,
        "dialogue_batch": 8,
        "tag_batch": 8,
        "encoder_learning_rate": 1e-3,
        "head_learning_rate": 1e-2,
    },
    "titles": {"context_tokens": CONTEXT_TOKENS},
    "gate": {
        "hidden_size": 12,
        "context_embedding_size": 4,
        "context_hidden_size": 6,
        "epochs": 3,
        "batch": 20,
        "movie_batch": 8,
        "repeats": 1,
    },
    "evaluation": {"batch": 5},
    "compute": {"device": "cpu", "threads": 1, "precision": "float32"},
}


def write_params(path: Path, *changes: Mapping[str, Any]) -> None:
    """The project's parameters with :data:`SMALL` and then other changes made to them."""
    params_file.write_params(path, SMALL, *changes)


def examples(
    count: int, seed: int, paper_splits: list[str | None], first_id: int | None = None
) -> pa.Table:
    """Random requests, some without mentions; ``paper_splits`` are repeated as often as needed."""
    random = np.random.default_rng(seed)
    start = seed * 1_000 if first_id is None else first_id
    mentions = [random.integers(0, MOVIES, random.integers(0, 6)).tolist() for _ in range(count)]
    labels = [
        sorted(random.choice(MOVIES, random.integers(1, 4), replace=False).tolist())
        for _ in range(count)
    ]
    texts = [[2, *random.integers(5, 40, random.integers(1, 30)).tolist(), 3] for _ in range(count)]
    columns: dict[str, list[Any]] = {
        "conversation_id": list(range(start, start + count)),
        "turn": [-1] * count,
        "paper_split": [paper_splits[row % len(paper_splits)] for row in range(count)],
        "text": ["hi"] * count,
        "input_ids": texts,
        "mentions": mentions,
        "labels": labels,
    }
    return _table(columns, artifacts.EXAMPLE_SCHEMA)


def tags(count: int, seed: int) -> pa.Table:
    random = np.random.default_rng(seed)
    columns = {
        "movie": random.integers(0, MOVIES, count).tolist(),
        "tag": ["scary"] * count,
        "input_ids": [
            [2, *random.integers(5, 40, 1 + row % 3).tolist(), 3] for row in range(count)
        ],
    }
    return _table(columns, artifacts.TAG_EXAMPLE_SCHEMA)


def movies(count: int = MOVIES) -> pa.Table:
    columns: dict[str, list[Any]] = {
        "index": list(range(count)),
        "redial_id": list(range(100, 100 + count)),
        "title": [f"Movie {index}" for index in range(count)],
        "match": ["none"] * count,
        "genres": [[] for _ in range(count)],
    }
    missing = {name: [None] * count for name in artifacts.MOVIE_SCHEMA.names if name not in columns}
    return _table(columns | missing, artifacts.MOVIE_SCHEMA)


def movielens_tags() -> pa.Table:
    """Tags of no movie here: none is joined to MovieLens."""
    return _table({"movie_id": [1], "tag": ["scary"]}, artifacts.MOVIELENS_TAG_SCHEMA)


def known_for() -> pa.Table:
    return _table(
        {"movie": [0, 4], "tags": [["pixar", "toys"], ["scary"]]}, artifacts.KNOWN_FOR_SCHEMA
    )


def requests() -> pa.Table:
    """What a model was trained on, with random vectors of the tiny encoder's width."""
    table = example_tables()["whole", "train"].select(["text", "mentions", "labels"])
    vectors = np.random.default_rng(8).normal(size=(table.num_rows, 16)).astype(np.float16)
    column = pa.array(list(vectors), pa.list_(pa.float16()))
    return _table(
        {name: table[name].to_pylist() for name in table.column_names} | {"vector": column},
        artifacts.REQUEST_SCHEMA,
    )


def _table(columns: Mapping[str, list[Any]], schema: pa.Schema) -> pa.Table:
    return pa.table([pa.array(columns[f.name], f.type) for f in schema], schema=schema)


def example_tables() -> dict[tuple[str, str], pa.Table]:
    """By (reading, split), with the parts of the paper's split in both parts of the train file."""
    of_file: list[str | None] = ["train", "train", "train", "validation", "test"]
    return {
        ("whole", "train"): examples(COUNTS["train"], 1, of_file),
        ("whole", "validation"): examples(COUNTS["validation"], 2, of_file),
        ("whole", "test"): examples(COUNTS["test"], 3, [None]),
        ("before", "test"): examples(4, 4, [None]),
        ("turn", "test"): examples(9, 5, [None]),
    }


def title_tables() -> dict[tuple[str, str], pa.Table]:
    """The gate's examples by (reading, split): of the same conversations in each reading."""
    of_file: list[str | None] = ["train", "train", "train", "validation", "test"]
    tables = {}
    for seed, (split, count) in enumerate(COUNTS.items(), start=21):
        paper = [None] if split == "test" else of_file
        for reading, times in (("whole", 1), ("before", 1), ("turn", 2)):
            made = examples(count * times, seed + 10 * times, paper, first_id=seed * 1_000)
            ids = pa.array(
                [seed * 1_000 + row // times for row in range(count * times)], pa.int64()
            )
            paper_split = made["paper_split"].take(pa.array([r // times for r in range(len(ids))]))
            made = made.set_column(0, made.schema.field(0), ids)
            made = made.set_column(2, made.schema.field(2), paper_split)
            tables[reading, split] = with_contexts(made, seed)
    return tables


def with_contexts(made: pa.Table, seed: int) -> pa.Table:
    """Examples of the gate, with random words around their mentions."""
    random = np.random.default_rng(seed)
    contexts = [
        random.integers(-2, 40, 2 * CONTEXT_TOKENS * len(mentions)).tolist()
        for mentions in made["mentions"].to_pylist()
    ]
    columns = {name: made[name].to_pylist() for name in made.column_names}
    return _table(columns | {"contexts": contexts}, artifacts.TITLE_EXAMPLE_SCHEMA)


def movie_texts() -> pa.Table:
    """A text for each movie."""
    random = np.random.default_rng(9)
    columns = {
        "movie": list(range(MOVIES)),
        "text": [f"Movie {index}" for index in range(MOVIES)],
        "input_ids": [[2, *random.integers(5, 40, 4).tolist(), 3] for _ in range(MOVIES)],
    }
    return _table(columns, artifacts.MOVIE_TEXT_SCHEMA)


def tag_tables() -> dict[str, pa.Table]:
    return {split: tags(count, 6 + count) for split, count in TAGS.items()}


def write_encoder(source: Path, folder: Path) -> None:
    """The encoder with a manifest, as the stage download_encoder leaves it."""
    shutil.copytree(source, folder)
    manifest = {path.name: sha256_of(path) for path in sorted(folder.iterdir())}
    artifacts.write_json(folder / "manifest.json", manifest)


def write_project(root: Path, encoder: Path, *changes: Mapping[str, Any]) -> None:
    """All that the stage train reads, below ``root``."""
    write_params(root / "params.yaml", *changes)
    write_encoder(encoder, root / artifacts.ENCODER)
    artifacts.write_table(root / artifacts.MOVIES, movies(), artifacts.MOVIE_SCHEMA)
    artifacts.write_table(
        root / artifacts.MOVIELENS_TAGS, movielens_tags(), artifacts.MOVIELENS_TAG_SCHEMA
    )
    for (reading, split), table in example_tables().items():
        path = root / artifacts.EXAMPLES / reading / f"{split}.parquet"
        artifacts.write_table(path, table, artifacts.EXAMPLE_SCHEMA)
    for (reading, split), table in title_tables().items():
        path = root / artifacts.TITLES / reading / f"{split}.parquet"
        artifacts.write_table(path, table, artifacts.TITLE_EXAMPLE_SCHEMA)
    artifacts.write_table(root / artifacts.MOVIE_TEXTS, movie_texts(), artifacts.MOVIE_TEXT_SCHEMA)
    for split, table in tag_tables().items():
        path = root / artifacts.TAGS / f"{split}.parquet"
        artifacts.write_table(path, table, artifacts.TAG_EXAMPLE_SCHEMA)
