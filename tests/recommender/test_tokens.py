from pathlib import Path

import pytest

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


def test_no_text(tiny_encoder: Path) -> None:
    assert input_ids(load_tokenizer(tiny_encoder, 8, "start"), []).to_pylist() == []


def test_missing_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"tokenizer.json is missing; make it with: dvc repro"):
        load_tokenizer(tmp_path, 8, "start")


def test_damaged_tokenizer(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text('{"version": "1.0", "mod')
    with pytest.raises(UserError, match=r"tokenizer.json is no tokenizer .* make it again"):
        load_tokenizer(tmp_path, 8, "start")
