"""The record of a gathered encoder's files, and whether they are still what it says."""

from pathlib import Path

from stages.recommender.artifacts import read_json
from stages.recommender.corpora.checksums import sha256_of
from stages.recommender.errors import UserError

MANIFEST = "manifest.json"
"""In the encoder's folder: {file: sha256}."""

_STAGE = "download_encoder"


def check_encoder(folder: Path) -> None:
    """Compare the files of a gathered encoder with their manifest.

    Raises:
        UserError: The manifest or a file is missing, or a file is not what it was.
    """
    manifest = read_json(folder / MANIFEST, _STAGE)
    remedy = f"make the folder again with: dvc repro -f -s {_STAGE}"
    for name, sha256 in manifest.items():
        path = folder / name
        if not path.is_file():
            raise UserError(f"{path} is missing; {remedy}")
        if sha256_of(path) != sha256:
            raise UserError(f"{path} is not the file that {MANIFEST} records; {remedy}")
