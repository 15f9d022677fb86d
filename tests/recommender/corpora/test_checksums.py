from pathlib import Path

import pytest

from stages.recommender.corpora.checksums import check_sha256, sha256_of
from stages.recommender.errors import UserError

# NIST's example for SHA-256
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_the_checksum_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    assert sha256_of(path) == ABC
    check_sha256(path, ABC, "x")
    check_sha256(path, None, "x")


def test_another_checksum_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    with pytest.raises(UserError, match=f"the file has the sha256 {ABC}, not 0000.*change x if"):
        check_sha256(path, "0" * 64, "x", "the file")
