import hashlib
import json
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from local_server import QUICK, Server, content, free_port
from one_sentence import one_sentence

from stages.recommender.corpora.encoder_files import gather_encoder
from stages.recommender.corpora.encoder_manifest import check_encoder
from stages.recommender.errors import UserError
from stages.recommender.params import Encoder

REVISION = "c9745ed1d9f207416be6d2e6f8de32d1f16199bf"
FILES = {
    "config.json": b'{"hidden_size": 384}',
    "model.safetensors": b"weights" * 1000,
    "tokenizer.json": b"{}",
}
SHA256 = {name: hashlib.sha256(body).hexdigest() for name, body in FILES.items()}


def encoder(sha256: Mapping[str, str | None] = SHA256, **changes: Any) -> Encoder:
    return Encoder.model_validate(
        {
            "source": "folder",
            "hub": {"repository": "a/b", "revision": REVISION},
            "package": "encoder_package",
            "folder": "nowhere",
            "files": [{"name": name, "sha256": checksum} for name, checksum in sha256.items()],
            **changes,
        }
    )


def put(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name, body in FILES.items():
        (folder / name).write_bytes(body)
    (folder / "pytorch_model.bin").write_bytes(b"a pickle")
    (folder / "README.md").write_bytes(b"words")
    return folder


def gather(wanted: Encoder, tmp_path: Path) -> Path:
    folder = tmp_path / "encoder"
    folder.mkdir()
    gather_encoder(wanted, folder, cache=tmp_path / "cache", patience=QUICK)
    return folder


sentence = partial(one_sentence, gather)


def assert_whole(folder: Path) -> None:
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert json.loads(found.pop("manifest.json")) == SHA256
    assert found == FILES
    check_encoder(folder)


def test_a_folder_is_copied_but_for_what_is_not_named(tmp_path: Path) -> None:
    assert_whole(gather(encoder(folder=str(put(tmp_path / "ä b"))), tmp_path))


def test_a_package_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "site" / "encoder_package" / "model")
    (tmp_path / "site" / "encoder_package" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert_whole(gather(encoder(source="package"), tmp_path))
    del sys.modules["encoder_package"]


def test_the_hub_is_copied(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", server.base)
    for name, body in FILES.items():
        server.serve(f"/a/b/resolve/{REVISION}/{name}", content(body))
    assert_whole(gather(encoder(source="hub"), tmp_path))


def test_files_of_the_hub_that_are_here_need_no_network(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test_the_hub_is_copied(server, tmp_path, monkeypatch)
    (tmp_path / "encoder").rename(tmp_path / "first")
    server.routes.clear()
    assert_whole(gather(encoder(source="hub"), tmp_path))


def test_the_hub_out_of_reach_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    message = sentence(encoder(source="hub"), tmp_path)
    assert f"/a/b/resolve/{REVISION}/config.json could not be reached" in message
    assert "`make run` (the sample corpus) and `make test` work" in message


def test_a_file_that_the_hub_has_not_is_said(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", server.base)
    assert "config.json answered HTTP 404 (Not Found); mend encoder.hub" in sentence(
        encoder(source="hub"), tmp_path
    )


def test_a_file_without_checksum_is_taken_and_recorded(tmp_path: Path) -> None:
    unchecked = encoder(folder=str(put(tmp_path / "a")), sha256=dict.fromkeys(FILES))
    assert_whole(gather(unchecked, tmp_path))


@pytest.mark.parametrize("source", ["folder", "hub"])
def test_a_wrong_checksum_is_said(
    tmp_path: Path, source: str, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", server.base)
    for name, body in FILES.items():
        server.serve(f"/a/b/resolve/{REVISION}/{name}", content(body))
    wrong = SHA256 | {"model.safetensors": "0" * 64}
    local = put(tmp_path / "a")
    message = sentence(encoder(source=source, folder=str(local), sha256=wrong), tmp_path)
    assert f"model.safetensors has the sha256 {SHA256['model.safetensors']}, not 000" in message
    assert "or change the sha256 of model.safetensors in encoder.files if you trust it" in message


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    local = put(tmp_path / "a")
    (local / "tokenizer.json").unlink()
    assert (
        f"the folder {local} has no tokenizer.json; change encoder.folder or encoder.files"
        == sentence(encoder(folder=str(local)), tmp_path)
    )


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    assert "the folder nowhere has no config.json" in sentence(encoder(), tmp_path)


@pytest.mark.parametrize("package", ["not_installed", "not-installed", "not.installed", "json"])
def test_a_missing_package_is_said(tmp_path: Path, package: str) -> None:
    message = sentence(encoder(source="package", package=package), tmp_path)
    assert message.startswith(
        "the package json has no config.json" if package == "json" else f"no package {package}"
    )


@pytest.mark.parametrize(
    "name", ["pytorch_model.bin", "../config.json", "/etc/x.json", "a/b.json", "manifest.json", "x"]
)
def test_other_files_are_not_taken(tmp_path: Path, name: str) -> None:
    message = sentence(encoder(sha256=SHA256 | {name: None}), tmp_path)
    assert f"encoder.files names {name}, but only plain names" in message


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_what_is_needed_must_be_named(tmp_path: Path, name: str) -> None:
    fewer = {each: checksum for each, checksum in SHA256.items() if each != name}
    assert f"does not name {name}, which is needed" in sentence(encoder(sha256=fewer), tmp_path)


def test_a_name_that_stands_twice_is_said(tmp_path: Path) -> None:
    twice = [{"name": name, "sha256": None} for name in [*FILES, "tokenizer.json"]]
    assert "names tokenizer.json more than once" in sentence(encoder(files=twice), tmp_path)


def test_a_gathered_folder_is_checked(tmp_path: Path) -> None:
    folder = gather(encoder(folder=str(put(tmp_path / "a"))), tmp_path)
    (folder / "model.safetensors").write_bytes(b"other weights")
    with pytest.raises(UserError, match=r"model.safetensors is not the file that manifest.json"):
        check_encoder(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"model.safetensors is missing; make the folder again"):
        check_encoder(folder)
    (folder / "manifest.json").unlink()
    with pytest.raises(UserError, match=r"manifest.json is missing"):
        check_encoder(folder)
