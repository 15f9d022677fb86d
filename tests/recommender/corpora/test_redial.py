import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redial_tables import whole

from stages.recommender.artifacts import DIALOGUE_SCHEMA, read_table, write_table
from stages.recommender.corpora import redial
from stages.recommender.errors import UserError

DIALOGUE: dict[str, Any] = {
    "movieMentions": {"111776": "Super Troopers (2001)", "78": "The Shining  (1980)", "9": None},
    "respondentQuestions": {"111776": {"suggested": 0, "seen": 1, "liked": 2}},
    "messages": [
        {"timeOffset": 0, "text": "Like @111776", "senderWorkerId": 956, "messageId": 204171},
        {"timeOffset": None, "text": "", "senderWorkerId": 957, "messageId": None},
    ],
    "conversationId": "20001",
    "respondentWorkerId": 957,
    "initiatorWorkerId": 956,
    "initiatorQuestions": [],
}
ROW = {
    "conversation_id": 20001,
    "initiator_id": 956,
    "respondent_id": 957,
    "messages": [{"sender_id": 956, "text": "Like @111776"}, {"sender_id": 957, "text": ""}],
    "movies": [
        {"movie_id": 111776, "name": "Super Troopers (2001)"},
        {"movie_id": 78, "name": "The Shining  (1980)"},
        {"movie_id": 9, "name": None},
    ],
    "initiator_answers": [],
    "respondent_answers": [{"movie_id": 111776, "suggested": 0, "seen": 1, "liked": 2}],
}


def pack(path: Path, train: bytes, test: bytes = b"") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("train_data.jsonl", train)
        archive.writestr("test_data.jsonl", test)
    return path


def line(**changes: Any) -> bytes:
    return json.dumps({**DIALOGUE, **changes}).encode() + b"\n"


def read(folder: Path, train: bytes) -> list[dict[str, Any]]:
    table = whole(redial.read_archive(pack(folder / "a.zip", train)))["train"]
    assert table.schema.equals(DIALOGUE_SCHEMA)
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def test_a_dialogue_becomes_a_row(tmp_path: Path) -> None:
    assert read(tmp_path, line()) == [ROW]


def test_the_table_can_be_written(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.zip", line(conversationId="1"), line())
    table = whole(redial.read_archive(archive))["test"]
    write_table(tmp_path / "a.parquet", table, DIALOGUE_SCHEMA)
    assert read_table(tmp_path / "a.parquet", DIALOGUE_SCHEMA, "x").to_pylist() == [ROW]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        # as the hub writes them
        (
            {"movieMentions": [{"movieId": "78", "movieName": "The Shining  (1980)"}]},
            {"movies": [{"movie_id": 78, "name": "The Shining  (1980)"}]},
        ),
        (
            {"initiatorQuestions": [{"movieId": "78", "suggested": 1, "seen": 0, "liked": 1}]},
            {"initiator_answers": [{"movie_id": 78, "suggested": 1, "seen": 0, "liked": 1}]},
        ),
        ({"movieMentions": []}, {"movies": []}),
        ({"movieMentions": {}}, {"movies": []}),
        ({"conversationId": 20001}, {}),
        ({"conversationId": "-3"}, {"conversation_id": -3}),
        ({"messages": []}, {"messages": []}),
        (
            {
                "initiatorWorkerId": "-1",
                "respondentWorkerId": -2,
                "messages": [{"text": "a", "senderWorkerId": -1}],
            },
            {
                "initiator_id": -1,
                "respondent_id": -2,
                "messages": [{"sender_id": -1, "text": "a"}],
            },
        ),
        (
            {"initiatorQuestions": {"78": {"suggested": None, "seen": None, "liked": 1}, "9": {}}},
            {
                "initiator_answers": [
                    {"movie_id": 78, "suggested": None, "seen": None, "liked": 1},
                    {"movie_id": 9, "suggested": None, "seen": None, "liked": None},
                ]
            },
        ),
        ({"something": "new"}, {}),
    ],
)
def test_every_way_to_write_it_is_read(
    tmp_path: Path, changes: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert read(tmp_path, line(**changes)) == [{**ROW, **expected}]


def test_blank_lines_and_a_byte_order_mark_are_passed_over(tmp_path: Path) -> None:
    content = b"\xef\xbb\xbf" + line(conversationId=1) + b"\n  \r\n" + line(conversationId=2)
    assert [row["conversation_id"] for row in read(tmp_path, content)] == [1, 2]


def test_more_rows_than_a_batch_keep_their_order(tmp_path: Path) -> None:
    content = b"".join(line(conversationId=3000 - number) for number in range(2500))
    assert [row["conversation_id"] for row in read(tmp_path, content)] == [*range(3000, 500, -1)]


texts = st.text(st.sampled_from("a1-@ \0\n\u00e9\ud800\U0001f600"), max_size=4)
keys = texts | st.sampled_from(
    ["movieId", "movieName", "text", "senderWorkerId", "suggested", "seen", "liked"]
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=6,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    changes=st.dictionaries(st.sampled_from(sorted(DIALOGUE)), json_values, max_size=3),
    cut=st.integers(0, 2000),
)
def test_any_line_gives_rows_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, changes: dict[str, Any], cut: int
) -> None:
    path = tmp_path_factory.mktemp("any") / "a.zip"
    try:
        whole(redial.read_archive(pack(path, line(**changes)[:cut])))
    except UserError as error:
        assert str(path) in str(error)


def swapped(row: dict[str, Any]) -> dict[str, Any]:
    """A row as the corpus would have written it."""
    answers = {
        "initiatorQuestions": "initiator_answers",
        "respondentQuestions": "respondent_answers",
    }
    return {
        "conversationId": str(row["conversation_id"]),
        "initiatorWorkerId": row["initiator_id"],
        "respondentWorkerId": row["respondent_id"],
        "messages": [
            {"senderWorkerId": each["sender_id"], "text": each["text"]} for each in row["messages"]
        ],
        "movieMentions": {str(each["movie_id"]): each["name"] for each in row["movies"]},
        **{
            key: {
                str(each["movie_id"]): {name: each[name] for name in ("suggested", "seen", "liked")}
                for each in row[column]
            }
            for key, column in answers.items()
        },
    }


def kept(dialogue: dict[str, Any]) -> dict[str, Any]:
    """What a dialogue of the corpus says, apart from times and message numbers."""
    maps = ("movieMentions", "initiatorQuestions", "respondentQuestions")
    return {
        **dialogue,
        "messages": [
            {"senderWorkerId": each["senderWorkerId"], "text": each["text"]}
            for each in dialogue["messages"]
        ],
        **{key: dialogue[key] or {} for key in maps},
    }


def test_the_real_corpus_is_read_whole(corpora: Path) -> None:
    path = corpora / "redial_dataset.zip"
    tables = whole(redial.read_archive(path))
    assert {split: table.num_rows for split, table in tables.items()} == {
        "train": 10_006,
        "test": 1_342,
    }
    with zipfile.ZipFile(path) as archive:
        lines = archive.read("test_data.jsonl").splitlines()
    assert [swapped(row) for row in tables["test"].to_pylist()] == [
        kept(json.loads(each)) for each in lines
    ]


def test_the_hash_of_the_same_input_is_the_same(tmp_path: Path) -> None:
    content = b"".join(line(conversationId=number) for number in range(50))
    digests = set()
    for name in ("a.parquet", "b.parquet"):
        table = whole(redial.read_archive(pack(tmp_path / "a.zip", content)))["train"]
        write_table(tmp_path / name, table, DIALOGUE_SCHEMA)
        digests.add(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert len(digests) == 1
