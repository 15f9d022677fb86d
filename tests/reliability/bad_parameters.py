"""Cases: ``params.yaml`` is wrong, and what else is typed."""

import sys
from collections.abc import Callable
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from unittest.mock import patch

from bad_input import REMOVED, Case, Project, main_of

UNKNOWN: list[tuple[str, object]] = [
    ("loss.pos_weigth", 1200),
    ("losses", {}),
    ("encoder.hub.branch", "main"),
]
MISSING = ["loss", "loss.focal.gamma", "encoder.files"]
WRONG_TYPE: list[tuple[str, object]] = [
    ("training.head_learning_rate", "2e-05"),
    ("training.epochs", "20"),
    ("training.epochs", True),
    ("training.epochs", 20.0),
    ("training.epochs", None),
    ("training.weight_decay", False),
    ("model.mentions.reads_padding", "no"),
    ("model.mentions.reads_padding", 1),
    ("compute.device", 0),
    ("loss.pos_weight", "automatic"),
    ("training.trainable_layers", "some"),
    ("training.trainable_layers", True),
    ("sample", 3),
    ("sample", None),
    ("loss.focal", [1.0]),
    ("models", ["a"]),
    ("models.original-rnn", "rnn"),
    ("evaluation.readings", "turn"),
    ("encoder.files", ["config.json"]),
    ("encoder.package", {"a": 1}),
]
OUT_OF_RANGE: list[tuple[str, object]] = [
    ("training.epochs", 0),
    ("training.head_learning_rate", 0.0),
    ("training.head_learning_rate", float("nan")),
    ("loss.tag_weight", float("inf")),
    ("loss.pos_weight", -1),
    ("training.trainable_layers", 0),
    ("model.dropout", 1.0),
    ("model.dropout", float("nan")),
    ("dialogues.validation_fraction", 0),
    ("dialogues.max_tokens", 513),
    ("movie_map.fuzzy_threshold", 100.5),
    ("sample.seed", 2**32),
    ("sample.movies", 3),
    ("dialogues.protocol", "correct"),
    ("evaluation.readings", ["turn", "whole"]),
    ("compute.device", "tpu"),
    ("redial.hub.revision", "main"),
    ("redial.zip.sha256", "abc"),
    ("encoder.files", []),
    ("models", {}),
    ("models.original-rnn.watches", ["training"]),
]


def _cases(area: str, values: list[tuple[str, object]]) -> list[Case]:
    def setting(key: str, value: object) -> Callable[[Project], None]:
        return lambda project: project.set(key, value)

    # any stage reads all parameters before it begins
    return [
        Case(area, f"{key}: {value!r}", "tokenize_tags", setting(key, value))
        for key, value in values
    ]


def text(content: str | bytes) -> Callable[[Project], None]:
    """Write ``params.yaml`` as it is given."""
    whole = content.encode() if isinstance(content, str) else content
    return lambda _: Path("params.yaml").write_bytes(whole) and None


def model_under_another_name(project: Project) -> None:
    project.set("models.my-model", project.params["models"]["original-rnn"])


def no_folder_for_the_encoder(project: Project) -> None:
    project.set("encoder.folder", None)


def too_many_layers(project: Project) -> None:
    project.set("training.trainable_layers", 7)


def without_file(_: Project) -> None:
    Path("params.yaml").unlink()


def folder_in_its_place(_: Project) -> None:
    Path("params.yaml").unlink()
    Path("params.yaml").mkdir()


def asked(*words: str) -> Callable[[Project], object]:
    """Type other words behind the command."""
    return lambda project: project.during(patch.object(sys, "argv", list(words)))


def workspace(*words: str) -> Callable[[Project], object]:
    """Type words behind the command that runs all in a workspace."""

    def spoil(project: Project) -> None:
        Path("presets").mkdir()
        Path("presets/sample.yaml").write_text("redial:\n  source: sample\n", encoding="utf-8")
        asked("workspace", *words)(project)

    return spoil


GATE: dict[str, object] = {
    "titles.max_tokens": 64,
    "titles.max_turn_tokens": 64,
    "titles.max_movie_tokens": 64,
    "gate.hidden_size": 12,
    "gate.batch": 64,
    "gate.movie_batch": 16,
    "gate.epochs": 1,
    "gate.repeats": 1,
}


def of_the_gate(spoil: Callable[[Project], object]) -> Callable[[Project], None]:
    """Have the gate trained, on texts that are made for it."""

    def both(project: Project) -> None:
        entry = {**project.params["models"]["original-rnn"], "trainer": "softmax"}
        project.set("models.softmax-gate", {**entry, "variant": "gate"})
        for key, value in GATE.items():
            project.set(key, value)
        with redirect_stderr(StringIO()):
            main_of("tokenize_titles")()
        asked("train", "softmax-gate")(project)
        spoil(project)

    return both


def too_many_layers_of_the_gate(project: Project) -> None:
    project.set("gate.trainable_layers", 7)


FILE = "parameters: the file"
TYPED = "parameters: what is typed"
CONTRADICTORY = "parameters: contradictory"
CASES = [
    *_cases("parameters: unknown", UNKNOWN),
    *(
        Case("parameters: missing", key, "tokenize_tags", lambda p, key=key: p.set(key, REMOVED))
        for key in MISSING
    ),
    *_cases("parameters: missing", [("encoder.files", [{"name": "config.json"}])]),
    *_cases("parameters: wrong type", WRONG_TYPE),
    *_cases("parameters: out of range", OUT_OF_RANGE),
    *_cases(
        CONTRADICTORY,
        [("evaluation.readings", ["turn", "before", "turn"])],
    ),
    Case(CONTRADICTORY, "a folder without a name", "tokenize_tags", no_folder_for_the_encoder),
    Case(
        CONTRADICTORY,
        "a model not named after its parts",
        "tokenize_tags",
        model_under_another_name,
    ),
    Case(CONTRADICTORY, "more layers to train than there are", "train", too_many_layers),
    Case(
        CONTRADICTORY,
        "more layers to train for the gate than there are",
        "train",
        of_the_gate(too_many_layers_of_the_gate),
        [".cache/*"],
    ),
    Case(FILE, "not here", "tokenize_tags", without_file),
    Case(FILE, "a folder", "tokenize_tags", folder_in_its_place),
    Case(FILE, "empty", "tokenize_tags", text("")),
    Case(FILE, "a list", "tokenize_tags", text("- loss\n- training\n")),
    Case(FILE, "a tabulator", "tokenize_tags", text("loss:\n\tpos_weight: 1\n")),
    Case(FILE, "an open bracket", "tokenize_tags", text("a: [turn\nb: 1\n")),
    Case(FILE, "a key twice", "tokenize_tags", text("a: 1\nb: 2\na: 3\n")),
    Case(FILE, "code in a tag", "tokenize_tags", text("a: !!python/object/apply:os.system [ls]\n")),
    Case(FILE, "of another encoding", "tokenize_tags", text("titel: Amélie".encode("latin-1"))),
    Case(FILE, "a thousand brackets", "tokenize_tags", text("a: " + "[" * 1000)),
    Case(TYPED, "no model", "train", asked("train")),
    Case(TYPED, "a model that is not there", "train", asked("train", "original-lstm")),
    Case(TYPED, "two models", "train", asked("train", "original-rnn", "weighted-rnn")),
    Case(TYPED, "a path for a workspace", "recommender.workspace", workspace("../elsewhere")),
    Case(
        TYPED,
        "an unknown preset",
        "recommender.workspace",
        workspace("a", "--preset", "tiny"),
        ["runs"],
    ),
    Case(
        TYPED,
        "a value of no parameter",
        "recommender.workspace",
        workspace("a", "--set", "loss.weight=3"),
        ["runs"],
    ),
    Case(
        TYPED,
        "a value out of range",
        "recommender.workspace",
        workspace("a", "--set", "training.epochs=0"),
        ["runs"],
    ),
    Case(
        TYPED,
        "a value that is no YAML",
        "recommender.workspace",
        workspace("a", "--set", "training.epochs=[1"),
        ["runs"],
    ),
    Case(
        TYPED,
        "a URL with a password",
        "recommender.workspace",
        workspace("a", "--set", "redial.zip.location=https://me:secret@127.0.0.1/a.zip"),
        ["runs"],
    ),
    Case(TYPED, "no preset", "recommender.presets", asked("presets")),
    Case(TYPED, "an unknown preset to print", "recommender.presets", asked("presets", "tiny")),
]
