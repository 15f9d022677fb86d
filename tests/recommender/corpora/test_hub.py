import hashlib
import io
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from local_server import QUICK, Server, answer, answer_json, content, drop, free_port
from one_sentence import one_sentence
from redial_tables import whole

from stages.recommender.artifacts import DIALOGUE_SCHEMA
from stages.recommender.corpora import redial
from stages.recommender.corpora.hub import hub_file
from stages.recommender.errors import UserError
from stages.recommender.params import Hub

REVISION = "eb588549012bdebd7283d5cb0ca86057f62d6832"
HUB = Hub(repository="community-datasets/re_dial", revision=REVISION)
API = f"/api/datasets/{HUB.repository}/revision/{REVISION}"
FILES = f"/datasets/{HUB.repository}/resolve/{REVISION}"
ROOT = Path(__file__).parents[3]

# the hub's own schema of the dataset
QUESTIONS = pa.list_(
    pa.struct(
        [
            ("movieId", pa.string()),
            ("suggested", pa.int32()),
            ("seen", pa.int32()),
            ("liked", pa.int32()),
        ]
    )
)
HUB_SCHEMA = pa.schema(
    [
        (
            "movieMentions",
            pa.list_(pa.struct([("movieId", pa.string()), ("movieName", pa.string())])),
        ),
        ("respondentQuestions", QUESTIONS),
        (
            "messages",
            pa.list_(
                pa.struct(
                    [
                        ("timeOffset", pa.int32()),
                        ("text", pa.string()),
                        ("senderWorkerId", pa.int32()),
                        ("messageId", pa.int32()),
                    ]
                )
            ),
        ),
        ("conversationId", pa.int32()),
        ("respondentWorkerId", pa.int32()),
        ("initiatorWorkerId", pa.int32()),
        ("initiatorQuestions", QUESTIONS),
    ]
)


def hub_row(conversation: int) -> dict[str, Any]:
    return {
        "movieMentions": [{"movieId": "111776", "movieName": "Super Troopers (2001)"}],
        "respondentQuestions": [{"movieId": "111776", "suggested": 0, "seen": 1, "liked": 1}],
        "messages": [
            {"timeOffset": 0, "text": "Like @111776", "senderWorkerId": 956, "messageId": 204171},
            {"timeOffset": 48, "text": "Yes", "senderWorkerId": 957, "messageId": 204172},
        ],
        "conversationId": conversation,
        "respondentWorkerId": 957,
        "initiatorWorkerId": 956,
        "initiatorQuestions": [],
    }


def parquet(rows: list[dict[str, Any]], schema: pa.Schema = HUB_SCHEMA) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema), buffer)
    return buffer.getvalue()


def publish(server: Server, files: dict[str, bytes]) -> None:
    """Serve files as the hub does: a list of them, and each behind a redirect to its storage."""
    listed: list[dict[str, Any]] = [{"rfilename": "README.md"}]
    for name, body in files.items():
        checksum = hashlib.sha256(body).hexdigest()
        listed.append(
            {"rfilename": name, "lfs": {"sha256": checksum, "size": len(body), "pointerSize": 131}}
        )
        server.serve(f"/storage/{checksum}", content(body, etag=f'"{checksum}"'))
        server.serve(
            f"{FILES}/{name}", answer(302, Location=server.url(f"/storage/{checksum}?signed=1"))
        )
    server.serve(API, answer_json({"id": HUB.repository, "sha": REVISION, "siblings": listed}))


def dataset() -> dict[str, bytes]:
    return {
        "data/test-00000-of-00001.parquet": parquet([hub_row(20001)]),
        "data/train-00001-of-00002.parquet": parquet([hub_row(3)]),
        "data/train-00000-of-00002.parquet": parquet([hub_row(2), hub_row(1)]),
    }


@pytest.fixture
def mirror(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setenv("HF_ENDPOINT", server.base)
    return server


def read(cache: Path) -> dict[str, pa.Table]:
    return whole(redial.read_hub(HUB, cache=cache, patience=QUICK))


sentence = partial(one_sentence, read)


def test_both_splits_are_read(mirror: Server, tmp_path: Path) -> None:
    publish(mirror, dataset())
    tables = read(tmp_path)
    assert {split: table["conversation_id"].to_pylist() for split, table in tables.items()} == {
        "train": [2, 1, 3],
        "test": [20001],
    }
    assert tables["test"].schema.equals(DIALOGUE_SCHEMA)
    assert tables["test"].to_pylist() == [
        {
            "conversation_id": 20001,
            "initiator_id": 956,
            "respondent_id": 957,
            "messages": [
                {"sender_id": 956, "text": "Like @111776"},
                {"sender_id": 957, "text": "Yes"},
            ],
            "movies": [{"movie_id": 111776, "name": "Super Troopers (2001)"}],
            "initiator_answers": [],
            "respondent_answers": [{"movie_id": 111776, "suggested": 0, "seen": 1, "liked": 1}],
        }
    ]


def test_the_stage_reads_a_mirror(server: Server, tmp_path: Path) -> None:
    publish(server, dataset())
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    done = subprocess.run(
        [sys.executable, "-m", "stages.download_redial"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HF_ENDPOINT": server.base, "DVC_ROOT": "."},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "3 train dialogues, 1 test dialogues\n", done.stderr
    assert pq.read_table(tmp_path / "data/raw/redial/train.parquet").num_rows == 3


def test_a_download_that_breaks_goes_on(mirror: Server, tmp_path: Path) -> None:
    files = dataset()
    publish(mirror, files)
    body = files["data/test-00000-of-00001.parquet"]
    checksum = hashlib.sha256(body).hexdigest()
    mirror.serve(f"/storage/{checksum}", drop, answer(503), content(body))
    mirror.serve(API, answer(503), drop, mirror.routes[API])
    assert read(tmp_path)["test"].num_rows == 1


def test_a_file_that_is_not_what_the_hub_lists_is_refused(mirror: Server, tmp_path: Path) -> None:
    publish(mirror, dataset())
    mirror.serve(f"{FILES}/data/test-00000-of-00001.parquet", content(parquet([hub_row(5)])))
    assert "it is damaged or another edition" in sentence(tmp_path)


def test_a_row_that_is_no_dialogue_is_said(mirror: Server, tmp_path: Path) -> None:
    stranger = hub_row(6) | {"initiatorWorkerId": 5}
    publish(
        mirror, dataset() | {"data/test-00000-of-00001.parquet": parquet([hub_row(5), stranger])}
    )
    assert "parquet, row 2 has messages[0] from worker 956, who is neither" in sentence(tmp_path)


def test_other_columns_are_said(mirror: Server, tmp_path: Path) -> None:
    other = parquet([{"text": "a"}], pa.schema([("text", pa.string())]))
    publish(mirror, dataset() | {"data/test-00000-of-00001.parquet": other})
    assert "row 1 has no conversationId; change redial.hub.revision" in sentence(tmp_path)


def test_what_is_no_parquet_is_said(mirror: Server, tmp_path: Path) -> None:
    publish(mirror, dataset() | {"data/test-00000-of-00001.parquet": b"PAR1 or not"})
    assert "is no whole Parquet file" in sentence(tmp_path)


def test_a_repository_without_the_files_is_said(mirror: Server, tmp_path: Path) -> None:
    publish(mirror, {"data/train-00000-of-00001.parquet": parquet([])})
    assert (
        f"community-datasets/re_dial has no data/test-*.parquet at {REVISION}, only README.md, "
        "data/train-00000-of-00001.parquet; change redial.hub"
    ) in sentence(tmp_path)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (404, "RepoNotFound", "shows no dataset community-datasets/re_dial; mend redial.hub.repo"),
        (401, "GatedRepo", "shows no dataset community-datasets/re_dial; mend redial.hub.repo"),
        (404, "RevisionNotFound", f"has no commit {REVISION} of community-datasets/re_dial"),
        (404, "", "answered HTTP 404 for community-datasets/re_dial; mend redial.hub"),
        (418, "", "answered HTTP 418 for community-datasets/re_dial; mend redial.hub"),
        (500, "", "answered HTTP 500, so community-datasets/re_dial cannot be listed; run the"),
        (200, "", "gave no whole answer, so community-datasets/re_dial cannot be listed"),
    ],
)
def test_a_refusal_is_said_plainly(
    mirror: Server, tmp_path: Path, status: int, code: str, expected: str
) -> None:
    mirror.serve(API, answer(status, b"<html>", X_Error_Code=code))
    assert sentence(tmp_path).startswith(f"{mirror.base} {expected}")


def test_no_network_says_what_works_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    message = sentence(tmp_path)
    assert "could not be reached, so community-datasets/re_dial cannot be listed" in message
    assert "with no network, `make run` (the sample corpus) and `make test` work" in message


def test_a_repository_that_cannot_be_one_is_said(mirror: Server, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="shows no dataset a/b/c"):
        hub = Hub(repository="a/b/c", revision=REVISION)
        whole(redial.read_hub(hub, cache=tmp_path, patience=QUICK))


def test_the_token_goes_along(
    mirror: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    mirror.serve(f"/{HUB.repository}/resolve/{REVISION}/config.json", content(b"{}"))
    path = hub_file(HUB, "model", "config.json", "x", None, "y", cache=tmp_path, patience=QUICK)
    assert path.read_bytes() == b"{}"
    assert mirror.sent("Authorization") == ["Bearer hf_secret"]
