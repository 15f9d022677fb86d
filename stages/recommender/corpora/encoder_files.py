"""The sentence encoder's files, from the hub, an installed package or a local folder.

The folder they are gathered in holds exactly the files that ``encoder.files`` names and a
``manifest.json`` of {file: sha256}; training reads nothing else and checks it first. Weights are
safetensors, never pickle, since reading a pickle runs what it says.
"""

import importlib.resources
import shutil
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath

from stages.recommender.artifacts import write_json
from stages.recommender.corpora.checksums import check_sha256, sha256_of
from stages.recommender.corpora.encoder_manifest import MANIFEST
from stages.recommender.corpora.fetching import DOWNLOADS
from stages.recommender.corpora.hub import hub_file
from stages.recommender.corpora.patience import PATIENCE, Patience
from stages.recommender.errors import UserError
from stages.recommender.params import Encoder, local_path

PACKAGE_FOLDER = "model"
"""The folder of a package that has the files."""

_NEEDED = ("config.json", "model.safetensors")
_SUFFIXES = frozenset({".json", ".safetensors", ".txt"})


def gather_encoder(
    encoder: Encoder,
    folder: Path,
    *,
    cache: Path = DOWNLOADS,
    patience: Patience = PATIENCE,
) -> None:
    """Put the encoder's files and their manifest into a folder.

    Args:
        encoder: Which files, and where they come from.
        folder: An empty folder.
        cache: Where downloads are kept.
        patience: How long to bear with the hub.

    Raises:
        UserError: A file is missing, has a wrong checksum, or is of a kind that is not taken.
    """
    _check_names(encoder)
    manifest = {}
    for name, sha256 in encoder.sha256.items():
        target = folder / name
        origin = _find(encoder, name, cache, patience)
        with origin.open("rb") as source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy)
        check_sha256(target, sha256, _checksum_setting(name), str(origin))
        manifest[name] = sha256_of(target)
    write_json(folder / MANIFEST, manifest)


def _checksum_setting(name: str) -> str:
    return f"the sha256 of {name} in encoder.files"


def _check_names(encoder: Encoder) -> None:
    names = [file.name for file in encoder.files]
    for name in names:
        path = PurePosixPath(name)
        if path.name != name or path.suffix not in _SUFFIXES or name == MANIFEST:
            raise UserError(
                f"encoder.files names {name}, but only plain names that end in "
                f"{', '.join(sorted(_SUFFIXES))} are taken (no {MANIFEST}, no pickles); remove it"
            )
        if names.count(name) > 1:
            raise UserError(f"encoder.files names {name} more than once; leave one of them")
    for name in _NEEDED:
        if name not in names:
            raise UserError(f"encoder.files does not name {name}, which is needed; add it")


def _find(encoder: Encoder, name: str, cache: Path, patience: Patience) -> Traversable:
    place: Traversable
    match encoder.source:
        case "hub":
            return hub_file(
                encoder.hub,
                "model",
                name,
                "encoder.hub",
                encoder.sha256[name],
                _checksum_setting(name),
                cache=cache,
                patience=patience,
            )
        case "package":
            place = _package_folder(encoder.package)
            shown, setting = f"the package {encoder.package}", "encoder.package"
        case "folder":
            place = local_path(encoder.folder or "")
            shown, setting = f"the folder {place}", "encoder.folder"
    file = place.joinpath(name)
    if not file.is_file():
        raise UserError(f"{shown} has no {name}; change {setting} or encoder.files")
    return file


def _package_folder(package: str) -> Traversable:
    try:
        return importlib.resources.files(package).joinpath(PACKAGE_FOLDER)
    except (ModuleNotFoundError, TypeError, ValueError):
        raise UserError(
            f"no package {package} is installed; install it, or change encoder.package or "
            "encoder.source"
        ) from None
