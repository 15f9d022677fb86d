"""Text turned into the encoder's input ids."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
from tokenizers import Tokenizer

from stages.recommender.errors import UserError

_CHUNK = 1_024  # texts at once: bounds the memory that the tokenizer's encodings take


def load_tokenizer(
    encoder: Path, max_tokens: int | None, keeps: Literal["start", "end"] = "start"
) -> Tokenizer:
    """The encoder's tokenizer, cutting at ``max_tokens``, never padding.

    Args:
        encoder: Folder with ``tokenizer.json`` (Hugging Face tokenizers format).
        max_tokens: Most ids of a text, the encoder's own marks at both ends included; ``None``:
            nothing is cut.
        keeps: The end of a longer text that stays.

    Raises:
        UserError: The folder has no readable tokenizer.
    """
    file = encoder / "tokenizer.json"
    if not file.is_file():
        raise UserError(f"{file} is missing; make it with: dvc repro download_encoder")
    try:
        tokenizer = Tokenizer.from_str(file.read_text(encoding="utf-8"))
    except Exception as error:  # the library raises nothing narrower
        raise UserError(
            f"{file} is no tokenizer ({error}); make it again with: "
            "dvc repro -f -s download_encoder"
        ) from None
    tokenizer.no_padding()
    if max_tokens is None:
        tokenizer.no_truncation()
    else:
        tokenizer.enable_truncation(max_tokens, direction="right" if keeps == "start" else "left")
    return tokenizer


def input_ids(tokenizer: Tokenizer, texts: Sequence[str]) -> pa.ListArray:
    """Tokenize texts.

    Returns:
        ``list<int32>``, one row a text, not padded.
    """
    lengths: list[int] = []
    values: list[np.ndarray] = []
    for start in range(0, len(texts), _CHUNK):
        found = [e.ids for e in tokenizer.encode_batch_fast(list(texts[start : start + _CHUNK]))]
        lengths += map(len, found)
        values.append(np.fromiter(chain.from_iterable(found), np.int32))
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int32)
    flat = np.concatenate(values) if values else np.empty(0, dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat))
