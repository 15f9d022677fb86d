"""MovieLens tags turned into examples: from a tag, predict its movie."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike

from stages.recommender.artifacts import TAG_EXAMPLE_SCHEMA
from stages.recommender.errors import UserError
from stages.recommender.params import Tags
from stages.recommender.tokens import input_ids, load_tokenizer

TRAIN, HELD_OUT = "train", "held_out"


def tag_examples(
    tags: Iterable[pa.Table], movies: pa.Table, encoder: Path, params: Tags
) -> dict[str, pa.Table]:
    """Select, shuffle and split the tags of the catalogue's movies, and tokenize them.

    A movie's first ``max_per_movie`` tags are taken, in the archive's order. Where several
    catalogue movies are the same MovieLens movie, each gets its tags. The split is one of rows: a
    tag that several users gave a movie may stand in both parts.

    Args:
        tags: Of ``artifacts.MOVIELENS_TAG_SCHEMA``, part by part.
        movies: The catalogue, of ``artifacts.MOVIE_SCHEMA``.
        encoder: Folder with the encoder's files.
        params: Which tags count, and how they are split.

    Returns:
        Tables of ``artifacts.TAG_EXAMPLE_SCHEMA`` by split, train and held-out.

    Raises:
        UserError: Fewer than two tags are left, so that there is nothing to split.
    """
    selected = _select(tags, movies, params)
    if len(selected) < 2:
        raise UserError(
            f"only {len(selected)} tags belong to movies of the catalogue; use a MovieLens "
            "archive with more tags, or a lower tags.min_characters"
        )
    order = np.random.default_rng(params.seed).permutation(len(selected))
    # neither part is empty
    held_out = min(max(1, round(params.held_out_fraction * len(selected))), len(selected) - 1)
    tokenizer = load_tokenizer(encoder, params.max_tokens, keeps="start")
    parts = {TRAIN: order[held_out:], HELD_OUT: order[:held_out]}
    return {
        split: pa.table(
            {
                "movie": selected["movie"].to_numpy()[rows],
                "tag": selected["tag"].iloc[rows].tolist(),
                "input_ids": input_ids(tokenizer, selected["tag"].iloc[rows].tolist()),
            },
            schema=TAG_EXAMPLE_SCHEMA,
        )
        for split, rows in parts.items()
    }


def _select(tags: Iterable[pa.Table], movies: pa.Table, params: Tags) -> pd.DataFrame:
    # filtered in Arrow first: of two million tags, most belong to movies outside the catalogue
    wanted = pc.unique(movies["movielens_id"].drop_null())
    taken: Counter[int] = Counter()
    parts = [_frame([], [])]
    for part in tags:
        known = part.filter(pc.is_in(part["movie_id"], value_set=wanted))
        trimmed = pc.utf8_trim_whitespace(known["tag"])
        long_enough = pc.greater_equal(pc.utf8_length(trimmed), params.min_characters)
        frame = _frame(
            known["movie_id"].filter(long_enough).to_numpy(),
            trimmed.filter(long_enough).to_pylist(),
        )
        before = frame["movielens_id"].map(taken)
        place = frame.groupby("movielens_id").cumcount()
        frame = frame[before + place < params.max_per_movie]
        taken.update(frame["movielens_id"].tolist())
        parts.append(frame)
    frame = pd.concat(parts, ignore_index=True)
    joined = movies.filter(pc.is_valid(movies["movielens_id"]))
    catalogue = pd.DataFrame(
        {
            "movielens_id": joined["movielens_id"].to_numpy(),
            "movie": joined["index"].to_numpy(),
        }
    )
    pairs = frame.assign(position=np.arange(len(frame))).merge(catalogue, on="movielens_id")
    return pairs.sort_values(["movie", "position"], ignore_index=True)[["movie", "tag"]]


def _frame(movielens_ids: ArrayLike, tags: list[str]) -> pd.DataFrame:
    ids = np.asarray(movielens_ids, dtype=np.int64)
    return pd.DataFrame({"movielens_id": ids, "tag": pd.Series(tags, dtype=object)})
