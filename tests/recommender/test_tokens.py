from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.recommender import tokens
from stages.recommender.errors import UserError
from stages.recommender.tokens import input_ids, load_tokenizer


def test_ids_are_the_tokenizers_own(tiny_encoder: Path) -> None:
    tokenizer = load_tokenizer(tiny_encoder, 64, "start")
    texts = ["Hi [SEP] i like @", "", "scary scaryz"]
    ids = input_ids(tokenizer, texts).to_pylist()
    token = tokenizer.token_to_id
    assert ids[0] == [token(t) for t in ["[CLS]", "hi", "[SEP]", "i", "like", "@", "[SEP]"]]
    assert ids[1] == [token("[CLS]"), token("[SEP]")]
    assert ids[2][:2] == [token("[CLS]"), token("scary")]


@pytest.mark.parametrize(("keeps", "kept"), [("start", "hi i"), ("end", "movies .")])
def test_cut_at_one_end(tiny_encoder: Path, keeps: str, kept: str) -> None:
    tokenizer = load_tokenizer(tiny_encoder, 4, keeps)  # type: ignore[arg-type]
    [ids] = input_ids(tokenizer, ["hi i like scary movies ."]).to_pylist()
    assert ids == [2, *(tokenizer.token_to_id(word) for word in kept.split()), 3]


@given(
    texts=st.lists(st.text("hi [SEP]@é天\n\0", max_size=30) | st.text(max_size=10), max_size=5),
    most=st.integers(3, 9),
    keeps=st.sampled_from(["start", "end"]),
)
def test_ids_of_any_texts_are_those_of_each_alone_cut_at_one_end(
    tiny_encoder: Path, texts: list[str], most: int, keeps: Literal["start", "end"]
) -> None:
    uncut = load_tokenizer(tiny_encoder, None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokens, "_CHUNK", 2)  # so that texts lie in several
        found = input_ids(load_tokenizer(tiny_encoder, most, keeps), texts).to_pylist()
    assert len(found) == len(texts)
    for text, ids in zip(texts, found, strict=True):
        first, *inner, last = uncut.encode(text).ids
        over = max(0, len(inner) - (most - 2))
        kept = inner[: len(inner) - over] if keeps == "start" else inner[over:]
        assert ids == [first, *kept, last]


def test_no_text(tiny_encoder: Path) -> None:
    assert input_ids(load_tokenizer(tiny_encoder, 8, "start"), []).to_pylist() == []


def test_missing_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"tokenizer.json is missing; make it with: dvc repro"):
        load_tokenizer(tmp_path, 8, "start")


def test_damaged_tokenizer(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text('{"version": "1.0", "mod')
    with pytest.raises(UserError, match=r"tokenizer.json is no tokenizer .* make it again"):
        load_tokenizer(tmp_path, 8, "start")
