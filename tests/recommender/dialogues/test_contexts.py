from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from stages.recommender.dialogues.contexts import NOTHING, OTHER_MENTION, mention_contexts
from stages.recommender.tokens import load_tokenizer


@pytest.fixture
def tokenizer(tiny_encoder: Path) -> Tokenizer:
    return load_tokenizer(tiny_encoder, max_tokens=None)


def test_words_stand_where_they_stood(tokenizer: Tokenizer) -> None:
    like = _ids(tokenizer, "i like")
    [great] = _ids(tokenizer, "great")
    separator = tokenizer.token_to_id("[SEP]")
    [first, none] = mention_contexts(
        [["i like ", " ", " [SEP] great"], ["nothing is mentioned"]], tokenizer, reach=3
    )
    assert first == [
        *[NOTHING, *like, OTHER_MENTION, separator, great],
        *[*like, OTHER_MENTION, separator, great, NOTHING],
    ]
    assert none == []


def _ids(tokenizer: Tokenizer, text: str) -> list[int]:
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
    return ids


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(st.text(max_size=40), min_size=1, max_size=5), reach=st.integers(1, 4))
def test_both_sides_are_read_off_the_whole_text(
    pieces: list[str], reach: int, tokenizer: Tokenizer
) -> None:
    ids = [_ids(tokenizer, piece) for piece in pieces]
    [found] = mention_contexts([pieces], tokenizer, reach)
    assert len(found) == 2 * reach * (len(pieces) - 1)
    for mention in range(len(pieces) - 1):
        before: list[int] = []
        for piece in ids[: mention + 1]:
            before += [*piece, OTHER_MENTION]
        behind: list[int] = []
        for piece in ids[mention + 1 :]:
            behind += [OTHER_MENTION, *piece]
        expected = ([NOTHING] * reach + before[:-1])[-reach:] + (behind[1:] + [NOTHING] * reach)[
            :reach
        ]
        assert found[2 * reach * mention : 2 * reach * (mention + 1)] == expected
