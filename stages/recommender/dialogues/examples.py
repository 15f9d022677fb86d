"""Requests turned into tables of examples."""

from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa
from tokenizers import Tokenizer

from stages.recommender.artifacts import EXAMPLE_SCHEMA, TITLE_EXAMPLE_SCHEMA
from stages.recommender.corpora.mentions import MENTION
from stages.recommender.dialogues.contexts import mention_contexts
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


def with_contexts(
    examples: pa.Table, requests: Sequence[Request], tokenizer: Tokenizer, reach: int
) -> pa.Table:
    """Examples of ``artifacts.TITLE_EXAMPLE_SCHEMA``.

    Args:
        examples: Of ``artifacts.EXAMPLE_SCHEMA``.
        requests: That they are made of, in the same order.
        tokenizer: See :func:`~stages.recommender.tokens.load_tokenizer`; cutting nothing.
        reach: Tokens on either side of a mention.
    """
    pieces = [MENTION.split(request.said)[::2] for request in requests]
    contexts = mention_contexts(pieces, tokenizer, reach)
    column = pa.array(contexts, TITLE_EXAMPLE_SCHEMA.field("contexts").type)
    return pa.table([*examples.columns, column], schema=TITLE_EXAMPLE_SCHEMA)


def _indices(movies: Iterable[Iterable[int]], index: Mapping[int, int]) -> pa.Array:
    return pa.array([[index[movie] for movie in row] for row in movies], pa.list_(pa.int32()))
