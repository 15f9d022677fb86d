"""SHA-256 checksums of files."""

import hashlib
from pathlib import Path

from stages.recommender.errors import UserError


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_sha256(path: Path, sha256: str | None, setting: str, name: str | None = None) -> None:
    """Compare a file with its checksum.

    Args:
        path: The file.
        sha256: What it must have; ``None``: nothing is compared.
        setting: The key of ``params.yaml`` that holds it.
        name: What to call the file; ``None``: its path.

    Raises:
        UserError: It has another one.
    """
    if sha256 is not None and (found := sha256_of(path)) != sha256:
        raise UserError(
            f"{name or path} has the sha256 {found}, not {sha256}: it is damaged or another "
            f"edition; get it again, or change {setting} if you trust it"
        )
