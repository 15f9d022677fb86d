"""Data, models and the run-cache in a bucket of a real S3 API, started here."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from preloaded import preloaded_python
from shared_storage import ROOT, Team, bucket_content, s3_server
from small_pipeline import MODELS, SHORT_MODELS, STAGES

NEEDED = ("boto3", "dvc_s3", "flask_cors", "moto")
HOW = "install what is shared with S3, to run this: pip install -r requirements-s3.lock"


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, Any]]:
    for name in NEEDED:
        pytest.importorskip(name, reason=HOW)
    with s3_server() as running:
        yield running


def test_other_clones_train_nothing_and_have_the_same_bytes(
    server: tuple[str, Any], tiny_encoder: Path, tmp_path: Path
) -> None:
    url, client = server
    with preloaded_python(tmp_path) as python:
        team = Team(tmp_path, python, url, tiny_encoder, short=True)
        left_out = {f"train@{model}" for model in set(MODELS) - set(SHORT_MODELS)}
        assert team.first.repro() == set(STAGES) - left_out
        team.commit()
        team.first.dvc("push", "--run-cache")
        reference = team.first.results()
        assert any(name.endswith("recommender.safetensors") for name in reference)
        keys = [each["Key"] for each in bucket_content(client)]
        assert any("/runs/" in key for key in keys)  # what stages made of what
        assert any("/files/md5/" in key for key in keys)

        second = team.another("second", with_lock=True)
        second.dvc("pull")
        assert second.results() == reference
        assert second.repro() == set()
        assert second.results() == reference

        # a branch where nothing was run: what others ran comes by what it was made of
        third = team.another("third", with_lock=False)
        third.dvc("fetch", "--run-cache")
        # git keeps the comparison's summary, which the bucket has not
        assert third.repro("--pull") <= {"compare"}
        assert third.results() == reference


def test_the_locks_agree() -> None:
    main, more = (
        dict(line.split("==") for line in (ROOT / name).read_text("utf-8").split())
        for name in ("requirements.lock", "requirements-s3.lock")
    )
    assert not main.keys() & more.keys()
    for name in ("dvc-s3", "moto", "boto3"):
        assert name in more
