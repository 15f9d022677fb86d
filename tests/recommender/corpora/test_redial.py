import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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
    table = redial.read_archive(pack(folder / "a.zip", train))["train"]
    assert table.schema.equals(DIALOGUE_SCHEMA)
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def test_a_dialogue_becomes_a_row(tmp_path: Path) -> None:
    assert read(tmp_path, line()) == [ROW]


def test_the_table_can_be_written(tmp_path: Path) -> None:
    table = redial.read_archive(pack(tmp_path / "a.zip", line(), line()))["test"]
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


def message(text: Any = "a", sender: Any = 956) -> dict[str, Any]:
    return {"messages": [{"text": text, "senderWorkerId": sender}]}


def without(key: str) -> bytes:
    return json.dumps({name: value for name, value in DIALOGUE.items() if name != key}).encode()


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        (line()[:200], "is no whole JSON (EOF while parsing"),
        (b"{}{}", "is no whole JSON (trailing characters at byte 3)"),
        (b"\xff", "is no whole JSON"),
        (line().replace(b"Like", b"L\xffke"), "is no whole JSON (invalid unicode code point"),
        (line().decode().encode("utf-16"), "is no whole JSON"),
        (b"[" * 100_000, "is no whole JSON (recursion limit exceeded"),
        (line(**message("\ud800")), "is no whole JSON (half of a surrogate pair in a text)"),
        (line(**message("a\udc00b")), "is no whole JSON (half of a surrogate pair in a text)"),
        (line().replace(b'"20001"', b"9" * 5000), "is no whole JSON (number out of range"),
        (b"[]", "should be an object"),
        (b"3", "should be an object"),
        (b"{}", "has no conversationId"),
        (without("messages"), "has no messages"),
        (without("movieMentions"), "has no movieMentions"),
        (without("initiatorWorkerId"), "has no initiatorWorkerId"),
        (without("respondentQuestions"), "has no respondentQuestions"),
        (line(conversationId=None), "has conversationId None, but it should be a valid integer"),
        (line(conversationId="x1"), "has conversationId 'x1', but it should be a valid integer"),
        (line(conversationId="٣"), "has conversationId '٣', but it should be a valid integer"),
        (line(conversationId=True), "has conversationId True, but it should be a valid integer"),
        (line(conversationId=1.0), "has conversationId 1.0, but it should be a valid integer"),
        (line(conversationId=float("nan")), "has conversationId nan"),
        (line(conversationId=2**63), "has conversationId 9223372036854775808, but it should be"),
        (line(messages={}), "has messages {}, but it should be a valid array"),
        (line(messages=["a"]), "has messages[0] 'a', but it should be an object"),
        (line(messages=[{"text": "a"}]), "has no messages[0].senderWorkerId"),
        (line(messages=[{"senderWorkerId": 956}]), "has no messages[0].text"),
        (line(**message(None)), "has messages[0].text None, but it should be a valid string"),
        (line(**message(3)), "has messages[0].text 3, but it should be a valid string"),
        (line(**message("a\0b")), "has messages[0].text that holds a NUL character"),
        (line(**message("a" * 10_001)), "should have at most 10000 characters"),
        (line(**message(sender=958)), "has messages[0] from worker 958, who is neither"),
        (line(**message(sender="me")), "has messages[0].senderWorkerId 'me'"),
        (line(movieMentions=None), "has movieMentions None, but it should be a valid array"),
        (line(movieMentions="a"), "has movieMentions 'a', but it should be a valid array"),
        (line(movieMentions={"a": "b"}), "has movieMentions[0].movieId 'a'"),
        (line(movieMentions={"1": 2}), "has movieMentions[0].movieName 2"),
        (line(movieMentions={"1": "a\0"}), "movieMentions[0].movieName that holds a NUL"),
        (line(movieMentions={"1": "a" * 1001}), "should have at most 1000 characters"),
        (line(movieMentions=[{"movieId": 1}]), "has no movieMentions[0].movieName"),
        (line(initiatorQuestions={"1": 2}), "has initiatorQuestions[0] 2, but it should be"),
        (line(initiatorQuestions={"1": {"liked": "1"}}), "has initiatorQuestions[0].liked '1'"),
        (line(initiatorQuestions={"1": {"seen": 300}}), "initiatorQuestions[0].seen 300"),
        (line(conversationId=7), "has the conversationId 7 again, which stands already at"),
        (line(**message("a" * (1 << 20))), "is longer than 1048576 bytes"),
    ],
)
def test_a_bad_line_is_said_plainly(tmp_path: Path, bad: bytes, expected: str) -> None:
    with pytest.raises(UserError) as caught:
        read(tmp_path, line(conversationId=7) + bad)
    sentence = str(caught.value)
    assert sentence.startswith(f"{tmp_path / 'a.zip'}: train_data.jsonl, line 2 ")
    assert expected in sentence
    assert "\n" not in sentence
    assert len(sentence) < 400 + len(str(tmp_path)) * 2


def test_an_archive_without_a_split_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("train_data.jsonl", line())
    with pytest.raises(UserError, match=r"has no test_data.jsonl, only train_data.jsonl"):
        redial.read_archive(path)


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
        redial.read_archive(pack(path, line(**changes)[:cut]))
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
    tables = redial.read_archive(path)
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
        table = redial.read_archive(pack(tmp_path / "a.zip", content))["train"]
        write_table(tmp_path / name, table, DIALOGUE_SCHEMA)
        digests.add(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert len(digests) == 1
