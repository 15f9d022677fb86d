import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest
import small_project
import torch
from killed_training import ROOT, STDERR, Trainings, environment, said, steps_of, trainings
from safetensors.torch import load_file

from stages import train
from stages.recommender import artifacts
from stages.recommender.errors import run_stage
from stages.recommender.presets import load_preset

MODEL = "weighted-rnn-multitask"
GATE = "softmax-gate"
STEPS, PAPER_STEPS = 12, 9
"""Of the training on the official split, and of that on the paper's."""
FROZEN = {"training": {"trainable_layers": "none"}}
OUTPUTS = ("models", "metrics", "data/rankings")


def outputs(root: Path) -> dict[str, str]:
    """The sha256 of every file that the stage writes."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in OUTPUTS
        for path in sorted((root / folder).rglob("*"))
        if path.is_file() and ".partial" not in str(path)
    }


WRITTEN = {
    f"data/rankings/{MODEL}.parquet",
    f"metrics/{MODEL}.json",
    f"metrics/history/{MODEL}.csv",
    f"models/{MODEL}/config.json",
    f"models/{MODEL}/encoder/config.json",
    f"models/{MODEL}/encoder/model.safetensors",
    f"models/{MODEL}/encoder/tokenizer.json",
    f"models/{MODEL}/movies.parquet",
    f"models/{MODEL}/recommender.safetensors",
    f"models/{MODEL}/requests.parquet",
    f"models/{MODEL}/tags.parquet",
    f"models/{MODEL}/title_usage.parquet",
}


def training_folders(root: Path) -> list[Path]:
    return [path for path in (root / ".cache" / "training").iterdir() if path.is_dir()]


@pytest.fixture(scope="module")
def server(tiny_encoder: Path) -> Iterator[Trainings]:
    with trainings(tiny_encoder) as running:
        yield running


@pytest.fixture(scope="module")
def undisturbed(
    server: Trainings, tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """What the stage's own command writes."""
    root = tmp_path_factory.mktemp("undisturbed")
    small_project.write_project(root, tiny_encoder)
    command = [sys.executable, "-m", "stages.train", MODEL]
    subprocess.run(command, cwd=root, env=environment(hash_seed=0), check=True, capture_output=True)
    assert training_folders(root) == []
    return outputs(root)


def test_two_processes_write_the_same_bytes(
    undisturbed: dict[str, str], server: Trainings, tiny_encoder: Path, tmp_path: Path
) -> None:
    small_project.write_project(tmp_path, tiny_encoder)
    assert server.run(tmp_path, MODEL) == 0
    assert steps_of(tmp_path) == STEPS + PAPER_STEPS
    assert outputs(tmp_path).keys() == WRITTEN
    assert outputs(tmp_path) == undisturbed


@pytest.mark.parametrize(("preset", "pooling"), [("paper", "cls"), ("notebook", "mean")])
def test_a_preset_of_what_is_repaired_here_trains(
    preset: str, pooling: str, server: Trainings, tiny_encoder: Path, tmp_path: Path
) -> None:
    once = {"training": {"epochs": 1}}
    changes = load_preset(preset, ROOT / "presets")
    small_project.write_project(tmp_path, tiny_encoder, changes, once)
    assert server.run(tmp_path, MODEL) == 0, said(tmp_path)
    assert steps_of(tmp_path) == 4  # of 26 examples in batches of 8
    assert outputs(tmp_path).keys() == WRITTEN
    config = json.loads((tmp_path / "models" / MODEL / "config.json").read_text(encoding="utf-8"))
    assert config["model"]["pooling"] == pooling


def halve(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def test_a_training_that_is_killed_again_and_again_ends_in_the_same_bytes(
    undisturbed: dict[str, str], server: Trainings, tiny_encoder: Path, tmp_path: Path
) -> None:
    small_project.write_project(tmp_path, tiny_encoder)

    def killed(moment: str, call: int = 1) -> int:
        """The steps that were done until then."""
        assert server.run(tmp_path, MODEL, moment, call) == -signal.SIGKILL
        return steps_of(tmp_path)

    assert killed("step") == 0
    assert killed("checkpoint half written", 3) == 3  # two are kept
    [folder] = training_folders(tmp_path)
    halve(folder / "state.safetensors")  # all is lost
    # four steps an epoch, a checkpoint after each
    assert killed("step", 3) == 2
    assert killed("best kept, state not") == 2  # the epoch's last step is not kept
    assert killed("step", 3) == 2  # that one, and the second epoch's first: five are kept
    assert killed("step", 6) == 5  # the third epoch's second: ten are kept
    assert killed("step", 4) == 3  # the last two, and one on the paper's split
    assert killed("model half written") == PAPER_STEPS - 1
    assert killed("model written, rankings not") == 0
    assert killed("results written") == 0
    assert len(training_folders(tmp_path)) == 2
    assert server.run(tmp_path, MODEL) == 0
    assert steps_of(tmp_path) == 0
    assert outputs(tmp_path) == undisturbed
    assert training_folders(tmp_path) == []


def test_a_frozen_training_that_is_killed_ends_in_the_same_bytes(
    server: Trainings, tiny_encoder: Path, tmp_path: Path
) -> None:
    roots = [tmp_path / name for name in ("undisturbed", "killed")]
    for root in roots:
        root.mkdir()
        small_project.write_project(root, tiny_encoder, FROZEN)
    undisturbed, root = roots
    assert server.run(undisturbed, MODEL) == 0
    assert steps_of(undisturbed) == STEPS + PAPER_STEPS
    made, vectors = (folder / ".cache" / "vectors" for folder in roots)

    def killed(moment: str, call: int = 1) -> int:
        assert server.run(root, MODEL, moment, call) == -signal.SIGKILL
        return steps_of(root)

    assert killed("vectors half written", 8) == 0
    # as many as there are cores are written at once: how many were done, only they know
    kept = {path.name: path.read_bytes() for path in vectors.glob("*.safetensors")}
    whole = {path.name: path.read_bytes() for path in made.glob("*.safetensors")}
    assert 0 < len(kept) < len(whole)
    assert kept.items() <= whole.items()
    halve(vectors / max(kept))
    assert killed("step", 7) == 6
    assert killed("checkpoint half written", 4) in (3, 4)  # one of the four may be the best
    assert killed("model written, rankings not") > PAPER_STEPS
    assert server.run(root, MODEL) == 0
    assert steps_of(root) == 0
    assert outputs(root).keys() == WRITTEN | {f"models/{MODEL}/encoder/manifest.json"}
    assert outputs(root) == outputs(undisturbed)
    # the vectors too, which other models will read
    assert {path.name: path.read_bytes() for path in vectors.glob("*.safetensors")} == whole


def test_the_gate_that_is_killed_ends_in_the_same_bytes(
    server: Trainings, tiny_encoder: Path, tmp_path: Path
) -> None:
    roots = [tmp_path / name for name in ("undisturbed", "killed")]
    for root in roots:
        root.mkdir()
        small_project.write_project(root, tiny_encoder, {"evaluation": {"readings": ["before"]}})
    undisturbed, root = roots
    assert server.run(undisturbed, GATE) == 0
    steps = steps_of(undisturbed)
    assert server.run(root, GATE, "step", 7) == -signal.SIGKILL
    assert server.run(root, GATE, "model half written") == -signal.SIGKILL
    assert steps_of(root) < steps
    assert server.run(root, GATE) == 0
    assert steps_of(root) == 0
    written = {name.replace(MODEL, GATE) for name in WRITTEN}
    assert outputs(root).keys() == written | {f"models/{GATE}/encoder/manifest.json"}
    assert outputs(root) == outputs(undisturbed)


def test_a_training_that_goes_astray_is_one_sentence_and_keeps_its_last_good_state(
    server: Trainings, tiny_encoder: Path, tmp_path: Path
) -> None:
    # half of the steps warm up, so that the first are good
    wild = {"head_learning_rate": 1e30, "warmup_fraction": 0.5}
    small_project.write_project(tmp_path, tiny_encoder, {"training": wild})
    assert server.run(tmp_path, MODEL) == 1
    told = (tmp_path / STDERR).read_text(encoding="utf-8").splitlines()
    assert told[-1].startswith("error: the loss is no finite number at step 3; lower training.")
    assert not any("Traceback" in line for line in told)
    [folder] = training_folders(tmp_path)
    kept = load_file(folder / "state.safetensors")
    assert all(bool(torch.isfinite(tensor).all()) for tensor in kept.values())
    assert outputs(tmp_path) == {}


# --- what is told ------------------------------------------------------------------------------


@pytest.fixture
def project(here: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_project.write_project(here, tiny_encoder)
    monkeypatch.setattr(sys, "argv", ["train", MODEL])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["original-lstm"], "original-lstm is not in params.yaml; name one that params.yaml has: "),
        ([], "no single model is named; name one that params.yaml has: original-baseline, "),
        ([MODEL, MODEL], "no single model is named"),
    ],
)
def test_a_model_that_is_not_there_is_told(
    project: None, monkeypatch: pytest.MonkeyPatch, words: list[str], told: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["train", *words])
    with pytest.raises(SystemExit, match=f"^error: {told}"):
        run_stage(train.main)


def unlink(path: Path) -> Callable[[], None]:
    return path.unlink


def flip_a_bit(path: Path) -> Callable[[], None]:
    def flipped() -> None:
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)

    return flipped


def another_encoder(**config: int) -> Callable[[], None]:
    """The encoder made anew with other sizes, as the stage download_encoder would."""

    def replaced() -> None:
        from transformers import BertConfig, BertModel

        folder = artifacts.ENCODER
        own = BertConfig.from_pretrained(folder)
        own.update(config)
        BertModel(own, add_pooling_layer=False).save_pretrained("other")
        shutil.copy(folder / "tokenizer.json", "other")
        shutil.rmtree(folder)
        small_project.write_encoder(Path("other"), folder)

    return replaced


def empty(path: Path, schema: pa.Schema = artifacts.EXAMPLE_SCHEMA) -> Callable[[], None]:
    def emptied() -> None:
        table = artifacts.read_table(path, schema, "its stage")
        artifacts.write_table(path, table.slice(0, 0), schema)

    return emptied


REMAKE = "dvc repro -f -s download_encoder"


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (unlink(artifacts.ENCODER / "manifest.json"), "dvc repro download_encoder"),
        (unlink(artifacts.ENCODER / "model.safetensors"), f"is missing; .*{REMAKE}"),
        (flip_a_bit(artifacts.ENCODER / "model.safetensors"), f"is not the file .*{REMAKE}"),
        (flip_a_bit(artifacts.ENCODER / "config.json"), f"is not the file .*{REMAKE}"),
        (
            another_encoder(max_position_embeddings=9),
            r"has a text of \d+ tokens, .* reads 9 at most; lower dialogues.max_tokens to 9",
        ),
        (
            another_encoder(vocab_size=20),
            "has the token 39, .* knows 20; .*dvc repro -f -s tokenize_dialogues",
        ),
        (unlink(artifacts.EXAMPLES / "turn" / "test.parquet"), "dvc repro tokenize_dialogues"),
        (
            empty(artifacts.EXAMPLES / "before" / "test.parquet"),
            "before/test.parquet has no example; .* leave its reading out of evaluation.readings",
        ),
        (
            empty(artifacts.EXAMPLES / "whole" / "validation.parquet"),
            "whole/validation.parquet has no example; use more dialogues",
        ),
        (
            empty(artifacts.TAGS / "train.parquet", artifacts.TAG_EXAMPLE_SCHEMA),
            "tags/train.parquet has no example; .* or a lower tags.min_characters",
        ),
        (unlink(artifacts.TAGS / "held_out.parquet"), "dvc repro tokenize_tags"),
        (unlink(artifacts.MOVIES), "dvc repro build_movie_map"),
    ],
)
def test_a_wrong_input_is_told_before_anything_is_trained(
    project: None, tmp_path: Path, spoil: Callable[[], None], told: str
) -> None:
    spoil()
    with pytest.raises(SystemExit, match=rf"^error: .*{told}$"):
        run_stage(train.main)
    assert not (tmp_path / ".cache").exists()
    assert outputs(tmp_path) == {}


@pytest.mark.parametrize("reading", ["whole", "before", "turn"])
def test_the_gate_is_told_no_way_to_do_without_a_reading(
    project: None, monkeypatch: pytest.MonkeyPatch, reading: str
) -> None:
    file = artifacts.TITLES / reading / "test.parquet"
    empty(file, artifacts.TITLE_EXAMPLE_SCHEMA)()
    monkeypatch.setattr(sys, "argv", ["train", GATE])
    with pytest.raises(SystemExit, match=f"^error: {file} has no example; use more dialogues$"):
        run_stage(train.main)
