"""Requests turned into tables of examples, and the corpus's figures."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tokenizers import Tokenizer

from stages.recommender.artifacts import EXAMPLE_SCHEMA
from stages.recommender.dialogues.readings import Request
from stages.recommender.tokens import input_ids


def example_table(
    requests: Sequence[Request],
    index: Mapping[int, int],
    tokenizer: Tokenizer,
    paper_split: Mapping[int, str],
) -> pa.Table:
    """Examples of ``artifacts.EXAMPLE_SCHEMA``.

    Args:
        requests: In the order of the rows.
        index: Catalogue index by ReDial id.
        tokenizer: See :func:`~stages.recommender.tokens.load_tokenizer`.
        paper_split: The paper's split of a conversation; none for one of the test file.
    """
    texts = [request.text for request in requests]
    return pa.table(
        {
            "conversation_id": [request.conversation_id for request in requests],
            "turn": pa.array([request.turn for request in requests], pa.int32()),
            "paper_split": pa.array(
                [paper_split.get(request.conversation_id) for request in requests], pa.string()
            ),
            "text": texts,
            "input_ids": input_ids(tokenizer, texts),
            "mentions": _indices((request.mentions for request in requests), index),
            "labels": _indices((request.labels for request in requests), index),
        },
        schema=EXAMPLE_SCHEMA,
    )


def _indices(movies: Iterable[Iterable[int]], index: Mapping[int, int]) -> pa.Array:
    return pa.array([[index[movie] for movie in row] for row in movies], pa.list_(pa.int32()))


def figures(examples: pa.Table, movies: int) -> dict[str, Any]:
    """What a split looks like.

    Args:
        examples: A table of ``artifacts.EXAMPLE_SCHEMA``.
        movies: Size of the catalogue.

    Returns:
        Counts and means an example; ``negatives_per_positive`` is what the notebook prints as
        its class imbalance: movies that are no label over movies that are one.
    """
    count = examples.num_rows
    if not count:
        return {"examples": 0}
    labels = pc.list_value_length(examples["labels"]).to_numpy()
    mentions = pc.list_value_length(examples["mentions"]).to_numpy()
    tokens = pc.list_value_length(examples["input_ids"]).to_numpy()
    repeated = sum(
        len(set(wanted) & set(named))
        for wanted, named in zip(
            examples["labels"].to_pylist(), examples["mentions"].to_pylist(), strict=True
        )
    )
    return {
        "examples": count,
        "labels": int(labels.sum()),
        "mean_labels": _round(labels.mean()),
        "mean_mentions": _round(mentions.mean()),
        "mean_tokens": _round(tokens.mean()),
        "tokens_95th_percentile": int(np.percentile(tokens, 95)),
        "labels_that_the_seeker_mentions": _round(repeated / labels.sum()),
        "negatives_per_positive": _round(movies / labels.mean()),
    }


def _round(value: float) -> float:
    return round(float(value), 4)
