"""Whether the encoder can read the examples, which may have been made for another one."""

import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from stages.recommender.artifacts import MOVIE_TEXTS, TITLES, read_json
from stages.recommender.errors import UserError

_CUT_AT = {
    TITLES / "turn": "titles.max_turn_tokens",
    MOVIE_TEXTS: "titles.max_movie_tokens",
}
"""What the texts of a file, or of a folder's files, were cut at, where it is not ``max_tokens``."""


def check_limits(encoder: Path, examples: pa.Table, file: Path, section: str) -> None:
    """Compare examples with the sizes in an encoder's ``config.json``.

    Args:
        encoder: Folder with the encoder's files.
        examples: With a column ``input_ids``.
        file: Where they come from.
        section: Of ``params.yaml``, by which they were made: dialogues, tags or titles.

    Raises:
        UserError: A text is longer than the encoder reads, or has a token that it does not know.
    """
    config = _config(encoder)
    texts = examples["input_ids"]
    longest = pc.max(pc.list_value_length(texts)).as_py() or 0
    largest = pc.max(pc.list_flatten(texts)).as_py() or 0
    positions, tokens = config.get("max_position_embeddings"), config.get("vocab_size")
    if positions is not None and longest > positions:
        cut_at = _CUT_AT.get(file) or _CUT_AT.get(file.parent) or f"{section}.max_tokens"
        raise UserError(
            f"{file} has a text of {longest} tokens, but the encoder in {encoder} reads "
            f"{positions} at most; lower {cut_at} to {positions}"
        )
    if tokens is not None and largest >= tokens:
        raise UserError(
            f"{file} has the token {largest}, but the encoder in {encoder} knows {tokens}; "
            f"make it for this encoder with: dvc repro -f -s tokenize_{section}"
        )


def most_tokens(encoder: Path) -> int:
    """The most tokens of a text that an encoder reads, by its ``config.json``.

    Raises:
        UserError: The file is missing or damaged.
    """
    positions: int | None = _config(encoder).get("max_position_embeddings")
    return sys.maxsize if positions is None else positions


def _config(encoder: Path) -> dict[str, Any]:
    config: dict[str, Any] = read_json(encoder / "config.json", "download_encoder")
    return config
