from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from stages.recommender.artifacts import DIALOGUE_SCHEMA, MOVIE_SCHEMA, TITLE_EXAMPLE_SCHEMA
from stages.recommender.dialogues.contexts import NOTHING
from stages.recommender.dialogues.corpus import CorpusTokenizer, tokenize_corpus
from stages.recommender.errors import UserError
from stages.recommender.params import Dialogues
from stages.recommender.tokens import load_tokenizer

PARAMS = Dialogues(
    protocol="corrected",
    text_form="masked",
    split="official",
    test_fraction=0.2,
    validation_fraction=0.1,
    split_seed=42,
    max_tokens=64,
)


def dialogue(number: int, messages: list[tuple[int, str]]) -> dict[str, Any]:
    return {
        "conversation_id": number,
        "initiator_id": 1,
        "respondent_id": 2,
        "messages": [{"sender_id": sender, "text": text} for sender, text in messages],
        "movies": [],
        "initiator_answers": [],
        "respondent_answers": [],
    }


def table(dialogues: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(dialogues, schema=DIALOGUE_SCHEMA)


def movies(titles: dict[int, str | None]) -> pa.Table:
    rows = [
        {
            "index": index,
            "redial_id": number,
            "title": titles[number],
            "year": None,
            "movielens_id": None,
            "match": "none",
            "movielens_title": None,
            "genres": [],
        }
        for index, number in enumerate(sorted(titles))
    ]
    return pa.Table.from_pylist(rows, schema=MOVIE_SCHEMA)


@pytest.fixture
def small() -> dict[str, pa.Table]:
    talk = [(2, "hi"), (1, "i like @10"), (2, "watch @30"), (1, "great")]
    return {
        "train": table([dialogue(number, talk) for number in range(20)]),
        "test": table([dialogue(100, [(1, "scary @20"), (2, "@10 or @30")])]),
    }


CATALOGUE = {10: "Jaws", 20: None, 30: "Alien"}


def test_examples(small: dict[str, pa.Table], tiny_encoder: Path) -> None:
    tables = tokenize_corpus(small, movies(CATALOGUE), tiny_encoder, PARAMS)
    [example] = tables["whole", "test"].to_pylist()
    assert example["text"] == "scary @"
    assert (example["mentions"], example["labels"]) == ([1], [0, 2])
    assert example["paper_split"] is None
    first = tables["whole", "train"].to_pylist()[0]
    assert first["text"] == "i like @ [SEP] great"
    assert tables["before", "train"].to_pylist()[0]["text"] == "i like @"
    assert tables["whole", "train"].num_rows == 18
    assert tables["whole", "validation"].num_rows == 2


def test_titles_in_the_text(small: dict[str, pa.Table], tiny_encoder: Path) -> None:
    params = PARAMS.model_copy(update={"text_form": "titles"})
    tables = tokenize_corpus(small, movies(CATALOGUE), tiny_encoder, params)
    assert tables["whole", "train"].to_pylist()[0]["text"] == "i like Jaws [SEP] great"
    assert tables["whole", "test"].to_pylist()[0]["text"] == "scary @"


def test_the_words_around_mentions(small: dict[str, pa.Table], tiny_encoder: Path) -> None:
    ids = small["train"]["conversation_id"].to_pylist()
    readings = ["whole", "turn"]
    tokenizer = CorpusTokenizer(ids, movies(CATALOGUE), tiny_encoder, PARAMS, readings, reach=2)
    made = dict(tokenizer.examples("train", small["train"]))
    assert made["whole", "train"].schema.equals(TITLE_EXAMPLE_SCHEMA)
    encode = load_tokenizer(tiny_encoder, max_tokens=None).encode
    before = encode("hi [SEP] i like", add_special_tokens=False).ids[-2:]
    behind = encode(" [SEP] great", add_special_tokens=False).ids
    assert made["whole", "train"]["contexts"][0].as_py() == [*before, *behind]
    assert made["turn", "train"]["contexts"][0].as_py() == [*before, NOTHING, NOTHING]
    plain = tokenize_corpus(small, movies(CATALOGUE), tiny_encoder, PARAMS)["turn", "train"]
    assert made["turn", "train"].drop_columns(["contexts"]).equals(plain)


def test_notebook_selects_on_the_test_split(small: dict[str, pa.Table], tiny_encoder: Path) -> None:
    params = PARAMS.model_copy(update={"protocol": "notebook"})
    tables = tokenize_corpus(small, movies(CATALOGUE), tiny_encoder, params)
    assert tables["whole", "validation"].equals(tables["whole", "test"])
    assert tables["whole", "train"]["conversation_id"].to_pylist() == list(range(20))
    first = tables["whole", "train"].to_pylist()[0]
    assert (first["text"], first["labels"]) == ("hi [SEP] watch @", [0])


def test_paper_split(small: dict[str, pa.Table], tiny_encoder: Path) -> None:
    params = PARAMS.model_copy(update={"split": "paper"})
    tables = tokenize_corpus(small, movies(CATALOGUE), tiny_encoder, params)
    sizes = [tables["whole", split].num_rows for split in ("train", "validation", "test")]
    assert sizes == [14, 2, 4]
    for split in ("train", "validation", "test"):
        assert set(tables["whole", split]["paper_split"].to_pylist()) == {split}


def test_split_without_examples(tiny_encoder: Path) -> None:
    silent = table([dialogue(1, [(1, "hi")])])
    with pytest.raises(UserError, match="the train split has no example"):
        tokenize_corpus({"train": silent, "test": silent}, movies(CATALOGUE), tiny_encoder, PARAMS)


@pytest.mark.parametrize("protocol", ["corrected", "notebook"])
@pytest.mark.parametrize("split", ["official", "paper"])
def test_dialogues_part_by_part_are_the_same_examples(
    protocol: Any, split: Any, small: dict[str, pa.Table], tiny_encoder: Path
) -> None:
    params = PARAMS.model_copy(update={"protocol": protocol, "split": split})
    at_once = tokenize_corpus(small, movies(CATALOGUE), tiny_encoder, params)
    ids = small["train"]["conversation_id"].to_pylist()
    tokenizer = CorpusTokenizer(ids, movies(CATALOGUE), tiny_encoder, params)
    parts: dict[tuple[str, str], list[pa.Table]] = {made: [] for made in at_once}
    for file, dialogues in small.items():
        for start in range(0, dialogues.num_rows, 7):
            for made, examples in tokenizer.examples(file, dialogues.slice(start, 7)):
                parts[made].append(examples)
    tokenizer.check()
    assert {made: pa.concat_tables(tables) for made, tables in parts.items()} == at_once
