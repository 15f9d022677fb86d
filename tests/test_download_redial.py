import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from params_file import HERE, write_params

from stages import download_redial
from stages.recommender.artifacts import DIALOGUE_SCHEMA, REDIAL, read_table
from stages.recommender.errors import run_stage

LINE = (
    b'{"conversationId": "%d", "initiatorWorkerId": -1, "respondentWorkerId": -2, "messages": '
    b'[{"senderWorkerId": -1, "text": "Hi"}], "movieMentions": {}, "initiatorQuestions": [], '
    b'"respondentQuestions": {}}\n'
)


def set_archive(path: Path, sha256: str | None = None) -> None:
    archive = {"location": str(path), "sha256": sha256}
    write_params(HERE, {"redial": {"source": "zip", "zip": archive}})


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "ein Ordner mit ä"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def pack(train: bytes) -> Path:
    path = Path("redial.zip")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("train_data.jsonl", train)
        archive.writestr("test_data.jsonl", LINE % 3)
    return path


def test_an_archive_becomes_two_tables(capsys: pytest.CaptureFixture[str]) -> None:
    set_archive(pack(LINE % 1 + LINE % 2))
    download_redial.main()
    tables = {
        path.name: read_table(path, DIALOGUE_SCHEMA, "x")["conversation_id"].to_pylist()
        for path in REDIAL.iterdir()
    }
    assert tables == {"train.parquet": [1, 2], "test.parquet": [3]}
    assert capsys.readouterr().out == "2 train dialogues, 1 test dialogues\n"


def test_the_sample_takes_the_same_path() -> None:
    sizes = {"train_dialogues": 60, "test_dialogues": 20}
    write_params(HERE, {"redial": {"source": "sample"}, "sample": sizes})
    download_redial.main()
    first = (REDIAL / "train.parquet").read_bytes()
    assert pq.read_table(REDIAL / "train.parquet").num_rows == 60
    assert pq.read_table(REDIAL / "test.parquet").num_rows == 20
    download_redial.main()
    assert (REDIAL / "train.parquet").read_bytes() == first


def test_a_failure_is_one_sentence_and_spoils_nothing() -> None:
    set_archive(pack(LINE % 1))
    download_redial.main()
    before = {path: path.read_bytes() for path in REDIAL.iterdir()}
    set_archive(pack(LINE % 1 + b'{"cut'))
    with pytest.raises(SystemExit) as caught:
        run_stage(download_redial.main)
    assert str(caught.value).startswith(
        "error: redial.zip: train_data.jsonl, line 2 is no whole JSON (EOF"
    )
    assert {path: path.read_bytes() for path in REDIAL.iterdir()} == before
    assert [path.name for path in REDIAL.parent.iterdir()] == ["redial"]


def test_a_wrong_checksum_names_the_parameter() -> None:
    set_archive(pack(LINE % 1), "0" * 64)
    with pytest.raises(SystemExit, match=r"or change redial\.zip\.sha256 if you trust it"):
        run_stage(download_redial.main)
    assert not REDIAL.exists()


def test_a_missing_archive_names_the_parameter() -> None:
    set_archive(Path("nowhere.zip"))
    with pytest.raises(SystemExit, match=r"nowhere\.zip is not there; .* redial\.zip\.location"):
        run_stage(download_redial.main)
