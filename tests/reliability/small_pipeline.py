"""The whole pipeline at a size that runs in seconds, in a checkout of its own."""

import hashlib
import os
import shutil
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from stages.recommender.presets import override

ROOT = Path(__file__).parents[2]
NAME = "killed"
"""Of the workspace."""
MODELS = ("original-rnn", "weighted-multitask", "softmax-gate")
SHORT_MODELS = MODELS[:2]
"""Those of the shortened pipeline."""
STAGES = (
    "download_redial",
    "download_movielens",
    "download_encoder",
    "build_movie_map",
    "tokenize_dialogues",
    "tokenize_tags",
    "tokenize_titles",
    "fit_baselines",
    "climb_ladder",
    "ablate",
    *(f"train@{model}" for model in MODELS),
    "compare",
)
"""In the order in which they run."""
COPIED = ("dvc.yaml", ".dvcignore", ".dvc/plots", "stages", "presets")
SMALL: dict[str, Any] = {
    "redial": {"source": "sample"},
    "movielens": {"source": "sample"},
    "sample": {"movies": 40, "train_dialogues": 60, "test_dialogues": 20},
    "dialogues": {"max_tokens": 64},
    "titles": {"max_tokens": 64, "max_turn_tokens": 64, "max_movie_tokens": 64},
    "model": {
        "hidden_size": 12,
        "mentions": {"max": 4, "embedding_size": 6, "hidden_size": 5},
    },
    "training": {
        "epochs": 6,
        "dialogue_batch": 4,
        "tag_batch": 8,
        "encoder_learning_rate": 1e-3,
        "head_learning_rate": 1e-2,
    },
    "gate": {
        "hidden_size": 12,
        "epochs": 2,
        "batch": 8,
        "movie_batch": 8,
        "repeats": 1,
    },
    "ladder": {"epochs": 1},
    "ablation": {"epochs": 1},
    "evaluation": {"readings": ["before"]},
    "compute": {"device": "cpu", "threads": 1, "precision": "float32"},
}


SHORT = {
    "stages/climb_ladder.py": """\
from stages.recommender import artifacts

artifacts.write_json(artifacts.LADDER, {})
""",
    "stages/ablate.py": """\
from stages.recommender import artifacts

artifacts.write_json(artifacts.ABLATION, {})
""",
    "stages/compare.py": """\
from stages.recommender import artifacts

with artifacts.atomic_folder(artifacts.REPORT) as folder:
    artifacts.write_text(folder / "models.txt", "")
    artifacts.write_text(folder / "report.html", "")
artifacts.write_json(artifacts.SUMMARY, {"models": {}})
""",
}
"""What stands in for the stages that take longest, where they are not what is tested."""


def make_checkout(
    folder: Path, encoder: Path, short: bool = False, models: Collection[str] | None = None
) -> None:
    """The project's code in a folder, with small parameters and another encoder.

    Args:
        folder: To make.
        encoder: Folder with an encoder's files.
        short: Without ladder, ablation and the comparison's pictures; see :data:`SHORT`.
        models: Those that it trains; by default those of its length.
    """
    for name in COPIED:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    for name, content in SHORT.items() if short else ():
        (folder / name).write_text(content, encoding="utf-8")
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    override(params, SMALL)
    files = [{"name": path.name, "sha256": None} for path in sorted(encoder.iterdir())]
    override(params, {"encoder": {"source": "folder", "folder": str(encoder), "files": files}})
    kept = models or (SHORT_MODELS if short else MODELS)
    for name in set(params["models"]) - set(kept):
        del params["models"][name]
    yaml.dump(params, folder / "params.yaml")


def command(python: Path) -> list[str]:
    """What runs the pipeline in a checkout, and goes on with it."""
    return [str(python), "-m", "stages.recommender.workspace", NAME]


def environment(checkout: Path) -> dict[str, str]:
    """Of the command, with all that it keeps in the checkout."""
    kept = {name: value for name, value in os.environ.items() if name != "DVC_ROOT"}
    return kept | {
        "DVC_SITE_CACHE_DIR": str(checkout / "site-cache"),
        "OMP_WAIT_POLICY": "PASSIVE",
        "PYTHONPATH": "",
    }


def results(checkout: Path) -> dict[str, str]:
    """The sha256 of every file that the pipeline is for, and of the lock; half-written ones too."""
    workspace = checkout / "runs" / NAME
    folders = ("data", "metrics", "models")
    found = [path for folder in folders for path in (workspace / folder).rglob("*")]
    return {
        str(path.relative_to(workspace)): _sha256(path)
        for path in [workspace / "dvc.lock", *sorted(found)]
        if path.is_file()
    }


def half_written(checkout: Path) -> list[str]:
    """The files and folders that bear the name of something half-written."""
    return sorted(
        str(path.relative_to(checkout))
        for path in checkout.rglob("*.partial")
        if ".partial/" not in str(path.relative_to(checkout))
    )


def damaged_objects(checkout: Path) -> list[str]:
    """The objects in DVC's cache that it takes for whole and that are not what their names say.

    It makes an object read-only once it is whole, and checks any other before it uses it.
    """
    objects = checkout / ".dvc" / "cache" / "files" / "md5"
    return [
        str(path)
        for path in objects.glob("??/*")
        if not path.stat().st_mode & 0o222
        and (path.suffix not in {".dir", ""} or _digest(path, hashlib.md5) != _md5_in_name(path))
    ]


def _md5_in_name(path: Path) -> str:
    return path.parent.name + path.name.removesuffix(".dir")


def _sha256(path: Path) -> str:
    return _digest(path, hashlib.sha256)


def _digest(path: Path, kind: Callable[[], Any]) -> str:
    with path.open("rb") as file:
        return str(hashlib.file_digest(file, kind).hexdigest())
