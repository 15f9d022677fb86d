"""Cases: what passes between stages, the encoder's folder, and what a training keeps."""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq
from bad_input import ENCODER, Case, Project, main_of

from stages.recommender import artifacts
from stages.recommender.corpora.checksums import sha256_of

Spoil = Callable[[Project], object]
EXAMPLES = artifacts.EXAMPLES / "whole" / "train.parquet"
BEFORE = artifacts.EXAMPLES / "before" / "test.parquet"
TAGS = artifacts.MOVIELENS_TAGS
DIALOGUES = artifacts.REDIAL / "train.parquet"
TRAINING_KEEPS = (".cache/*",)
"""What a training leaves when it is ended before its results are written."""
TRAINING_SPENDS = (".cache/training/*",)
"""What a training had to go on with, gone once its results are written."""


def gone(path: Path) -> Spoil:
    return lambda _: path.unlink()


def content(path: Path, change: Callable[[bytes], bytes]) -> Spoil:
    return lambda _: path.write_bytes(change(path.read_bytes()))


def half(whole: bytes) -> bytes:
    return whole[: len(whole) // 2]


def zeros_inside(whole: bytes) -> bytes:
    # from the first page's header on: further in, what is hit depends on what the rows are
    return whole[:4] + bytes(200) + whole[204:]


def folder_instead(path: Path) -> Spoil:
    def spoil(_: Project) -> None:
        path.unlink()
        path.mkdir()

    return spoil


def table(path: Path, change: Callable[[pa.Table], pa.Table]) -> Spoil:
    """Write a table anew, changed."""
    return lambda _: pq.write_table(change(pq.read_table(path)), path)


def schema_named(name: bytes | None) -> Callable[[pa.Table], pa.Table]:
    metadata = {} if name is None else {b"recommender.schema": name}
    return lambda rows: rows.replace_schema_metadata(metadata)


def as_text(column: str) -> Callable[[pa.Table], pa.Table]:
    def change(rows: pa.Table) -> pa.Table:
        texts = pa.array([str(value) for value in rows[column].to_pylist()])
        return rows.set_column(rows.column_names.index(column), column, texts)

    return change


def of_another_stage(_: Project) -> None:
    shutil.copy(artifacts.MOVIES, TAGS)


def mention_of_many_digits(rows: pa.Table) -> pa.Table:
    messages = rows["messages"].to_pylist()
    messages[3][0]["text"] = f"Like @{'9' * 20}"
    column = rows.schema.get_field_index("messages")
    return rows.set_column(column, "messages", pa.array(messages, rows.schema.field(column).type))


PARQUET = "Parquet between stages"
TABLES: list[tuple[str, str, Spoil]] = [
    ("dialogues are missing", "build_movie_map", gone(DIALOGUES)),
    ("dialogues are cut", "build_movie_map", content(DIALOGUES, half)),
    ("dialogues of no rows", "tokenize_dialogues", table(DIALOGUES, lambda rows: rows.slice(0, 0))),
    ("a mention of twenty digits", "build_movie_map", table(DIALOGUES, mention_of_many_digits)),
    ("MovieLens' tags are missing", "tokenize_tags", gone(TAGS)),
    ("MovieLens' tags are empty", "tokenize_tags", content(TAGS, lambda whole: b"")),
    ("MovieLens' tags are text", "tokenize_tags", content(TAGS, lambda whole: b"movieId,tag\n")),
    ("MovieLens' tags are a folder", "tokenize_tags", folder_instead(TAGS)),
    ("MovieLens' tags have a text as id", "tokenize_tags", table(TAGS, as_text("movie_id"))),
    ("MovieLens' tags are another table", "tokenize_tags", of_another_stage),
    ("MovieLens' tags have no rows", "tokenize_tags", table(TAGS, lambda rows: rows.slice(0, 0))),
    ("the map is missing", "tokenize_dialogues", gone(artifacts.MOVIES)),
    (
        "the map lacks a column",
        "tokenize_dialogues",
        table(artifacts.MOVIES, lambda rows: rows.drop_columns(["redial_id"])),
    ),
    (
        "the map is of an older version",
        "tokenize_tags",
        table(artifacts.MOVIES, schema_named(b"movies/0")),
    ),
    ("the map is of no version", "tokenize_tags", table(artifacts.MOVIES, schema_named(None))),
    ("examples are missing", "train", gone(BEFORE)),
    ("examples are cut", "train", content(EXAMPLES, half)),
    ("examples are damaged inside", "train", content(EXAMPLES, zeros_inside)),
    (
        "examples lack a column",
        "train",
        table(EXAMPLES, lambda rows: rows.drop_columns(["labels"])),
    ),
    ("examples have texts as labels", "train", table(EXAMPLES, as_text("labels"))),
    ("examples are of a newer version", "train", table(EXAMPLES, schema_named(b"examples/9"))),
    ("examples of no rows", "train", table(BEFORE, lambda rows: rows.slice(0, 0))),
    ("tag examples are missing", "train", gone(artifacts.TAGS / "held_out.parquet")),
]

# --- the encoder's folder ------------------------------------------------------------------------

SOURCE = Path(ENCODER)
GATHERED = artifacts.ENCODER


def files(change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> Spoil:
    """Name other files in ``encoder.files``."""
    return lambda project: project.set("encoder.files", change(project.params["encoder"]["files"]))


def named_too(name: str) -> Spoil:
    return files(lambda listed: [*listed, {"name": name, "sha256": None}])


def settings(**values: object) -> Spoil:
    """Set parameters of the section ``encoder``."""

    def spoil(project: Project) -> None:
        for key, value in values.items():
            project.set(f"encoder.{key}", value)

    return spoil


def record(*names: str) -> None:
    """Have the manifest of the gathered encoder say that these files are what they should be."""
    path = GATHERED / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest |= {name: sha256_of(GATHERED / name) for name in names}
    path.write_text(json.dumps(manifest), encoding="utf-8")


def config(values: Mapping[str, object]) -> Spoil:
    """Give the gathered encoder other sizes than its weights have."""

    def spoil(_: Project) -> None:
        path = GATHERED / "config.json"
        whole = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps({**whole, **values}), encoding="utf-8")
        record("config.json")

    return spoil


def recorded(name: str, change: Callable[[bytes], bytes]) -> Spoil:
    """Change a file of the gathered encoder, and its record with it."""

    def spoil(_: Project) -> None:
        (GATHERED / name).write_bytes(change((GATHERED / name).read_bytes()))
        record(name)

    return spoil


def weights(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Spoil:
    """Change the gathered encoder's tensors, and the record of their file."""

    def spoil(_: Project) -> None:
        from safetensors.torch import load_file, save_file

        path = GATHERED / "model.safetensors"
        save_file(change(load_file(path)), path, {"format": "pt"})
        record(path.name)

    return spoil


def without_a_layer(tensors: dict[str, Any]) -> dict[str, Any]:
    return {name: tensor for name, tensor in tensors.items() if "layer.1." not in name}


def not_a_number(tensors: dict[str, Any]) -> dict[str, Any]:
    return {name: tensor * float("nan") for name, tensor in tensors.items()}


def flipped(whole: bytes) -> bytes:
    return whole[:-1] + bytes([whole[-1] ^ 1])


FOLDER = "encoder's folder"
FILES: list[tuple[str, str, Spoil]] = [
    ("not there", "download_encoder", settings(folder="nirgendwo é")),
    ("a file is missing", "download_encoder", gone(SOURCE / "tokenizer.json")),
    (
        "another checksum",
        "download_encoder",
        files(lambda listed: [{**each, "sha256": "0" * 64} for each in listed]),
    ),
    ("a pickle is named", "download_encoder", named_too("pytorch_model.bin")),
    ("a path that leads up is named", "download_encoder", named_too("../config.json")),
    ("the record is named", "download_encoder", named_too("manifest.json")),
    ("a file is named twice", "download_encoder", named_too("tokenizer.json")),
    (
        "no weights are named",
        "download_encoder",
        files(lambda listed: [each for each in listed if each["name"] != "model.safetensors"]),
    ),
    ("no such package", "download_encoder", settings(source="package", package="not_installed")),
    ("a package without files", "download_encoder", settings(source="package", package="json")),
    ("gathered: no record, baselines", "fit_baselines", gone(GATHERED / "manifest.json")),
    ("gathered: short, baselines", "fit_baselines", config({"max_position_embeddings": 9})),
    ("gathered: no record", "train", gone(GATHERED / "manifest.json")),
    ("gathered: the record is cut", "train", content(GATHERED / "manifest.json", half)),
    ("gathered: a file is missing", "train", gone(GATHERED / "model.safetensors")),
    ("gathered: a bit is flipped", "train", content(GATHERED / "model.safetensors", flipped)),
    ("gathered: no configuration", "train", recorded("config.json", half)),
    ("gathered: an unknown kind", "train", config({"model_type": "oracle"})),
    ("gathered: another width", "train", config({"hidden_size": 32})),
    ("gathered: another depth", "train", weights(without_a_layer)),
    ("gathered: fewer positions", "train", config({"max_position_embeddings": 9})),
    ("gathered: a smaller vocabulary", "train", config({"vocab_size": 20})),
    ("gathered: the weights are cut", "train", recorded("model.safetensors", half)),
    ("gathered: the tokenizer is cut", "tokenize_tags", recorded("tokenizer.json", half)),
    ("gathered: no tokenizer", "tokenize_dialogues", gone(GATHERED / "tokenizer.json")),
]

# --- checkpoints ---------------------------------------------------------------------------------


def trained_before(project: Project) -> Path:
    """Train, as DVC does, so that what the training keeps is still there; its folder."""
    with patch.dict(os.environ, {"DVC_STAGE": "train"}), redirect_stderr(StringIO()):
        main_of("train")()
    [folder] = [path for path in (artifacts.CACHE / "training").iterdir() if path.is_dir()]
    project.call(folder.name, "<training>")
    return folder


def kept(name: str, change: Callable[[bytes], bytes]) -> Spoil:
    """Change a file of a training that can be gone on with."""

    def spoil(project: Project) -> None:
        path = trained_before(project) / name
        path.write_bytes(change(path.read_bytes()))

    return spoil


def of_other_parameters(project: Project) -> None:
    import torch
    from safetensors.torch import save_file

    path = trained_before(project) / "state.safetensors"
    save_file({"weight.other": torch.zeros(3)}, path)


def state_with(*names: str) -> Spoil:
    """Give the kept state tensors of these names too, of three numbers each."""

    def spoil(project: Project) -> None:
        import torch
        from safetensors import safe_open
        from safetensors.torch import load_file, save_file

        path = trained_before(project) / "state.safetensors"
        with safe_open(path, "pt") as state:
            metadata = state.metadata()
        others = {name: torch.zeros(3) for name in names}
        save_file(load_file(path) | others, path, metadata)

    return spoil


def best_is_gone(project: Project) -> None:
    (trained_before(project) / "best.safetensors").unlink()


def whole(project: Project) -> None:
    trained_before(project)


CHECKPOINT = "checkpoint"
CHECKPOINTS: list[tuple[str, Spoil]] = [
    ("whole", whole),
    ("cut", kept("state.safetensors", half)),
    ("empty", kept("state.safetensors", lambda whole: b"")),
    ("zeros", kept("state.safetensors", lambda whole: bytes(len(whole)))),
    ("a pickle", kept("state.safetensors", lambda whole: b"\x80\x04cos\nsystem\n")),
    ("of other parameters", of_other_parameters),
    ("of more layers than learn", state_with("weight.layer", "optimizer.step.layer")),
    ("of moments of another shape", state_with("optimizer.exp_avg.model.head.1.bias")),
    ("the best weights are cut", kept("best.safetensors", half)),
    ("the best weights are missing", best_is_gone),
]
CASES = [
    *(Case(PARQUET, name, stage, spoil) for name, stage, spoil in TABLES),
    *(Case(FOLDER, name, stage, spoil) for name, stage, spoil in FILES),
    *(
        Case(CHECKPOINT, name, "train", spoil, TRAINING_KEEPS, TRAINING_SPENDS)
        for name, spoil in CHECKPOINTS
    ),
]
