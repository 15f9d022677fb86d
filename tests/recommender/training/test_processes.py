import hashlib
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import small_project
import torch
from hypothesis import given
from hypothesis import strategies as st
from killed_training import Trainings, environment, said, steps_of, trainings
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure

from stages.recommender.errors import UserError
from stages.recommender.params import Compute
from stages.recommender.training import determinism, processes
from stages.recommender.training.batches import TagExamples, share_of

MODEL, GATE = "weighted-rnn-multitask", "softmax-gate"
SMALL: dict[str, Any] = {"evaluation": {"readings": []}}
TOLERANCE = 1e-6
"""Relative, of the losses of 12 steps, whose gradients are sums of other roundings."""


@pytest.fixture(scope="module")
def server(tiny_encoder: Path) -> Iterator[Trainings]:
    with trainings(tiny_encoder) as running:
        yield running


@pytest.fixture(scope="module", autouse=True)
def started(
    tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, "subprocess.Popen[str]"]]:
    """The stage's own command, which imports for long: it runs beside the first tests."""
    root = tmp_path_factory.mktemp("undisturbed")
    small_project.write_project(root, tiny_encoder, SMALL, {"compute": {"processes": 2}})
    with subprocess.Popen(
        [sys.executable, "-m", "stages.train", MODEL],
        cwd=root,
        env=environment(hash_seed=0),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as command:
        yield root, command


def files(root: Path, *folders: str) -> dict[str, str]:
    """The sha256 of every file in folders, but for what the processes say."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in folders
        for path in sorted((root / folder).rglob("*"))
        if path.is_file() and path.suffix != ".log" and ".partial" not in str(path)
    }


def outputs(root: Path) -> dict[str, str]:
    return files(root, "models", "metrics", "data/rankings")


# --- the loss curve -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def without_dropout(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("still") / "encoder"
    shutil.copytree(tiny_encoder, folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize(
    ("name", "layers", "count"), [(MODEL, "all", 2), (MODEL, "none", 3), (GATE, "none", 2)]
)
def test_the_loss_curve_is_that_of_one_process(
    server: Trainings, without_dropout: Path, tmp_path: Path, name: str, layers: str, count: int
) -> None:
    # of 26 examples, or 104 that the gate reads, 20 tags and 30 movies, batches of one are left
    # over, fewer than processes
    still: dict[str, Any] = {
        "model": {"dropout": 0.0},
        "training": {
            "trainable_layers": layers,
            "epochs": 2,
            "dialogue_batch": 5,
            "tag_batch": 19,
        },
        "gate": {
            "dropout": 0.0,
            "sentence_dropout": 0.0,
            "epochs": 2,
            "batch": 103,
            "movie_batch": 29,
        },
    }
    curves = []
    for together in (1, count):
        root = tmp_path / str(together)
        root.mkdir()
        small_project.write_project(root, without_dropout, SMALL, still)
        assert server.run_together([root] * together, name) == [0] * together
        curves.append(pd.read_csv(root / "metrics" / "history" / f"{name}.csv"))
    one, several = curves
    assert len(one) == 2
    losses = [column for column in one.columns if column.endswith("loss")]
    assert len(losses) == 4
    pd.testing.assert_frame_equal(several[losses], one[losses], rtol=TOLERANCE, atol=0)
    # a movie may change places with one that scores the same but for rounding
    scores = ["eval_ndcg_at_10", "eval_recall_at_10"]
    pd.testing.assert_frame_equal(several[scores], one[scores], rtol=0, atol=0.05)
    assert one["train_loss"].iloc[-1] < one["train_loss"].iloc[0]


# --- killed, one writes -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def undisturbed(started: tuple[Path, "subprocess.Popen[str]"]) -> dict[str, str]:
    """What the stage's own command writes, which starts two processes itself."""
    root, command = started
    told, _ = command.communicate()
    assert command.returncode == 0
    # one of them tells
    assert [told.count(f"epoch {epoch:3d} ") for epoch in (1, 2, 3)] == [1, 1, 1]
    return outputs(root)


def test_two_that_are_killed_end_in_the_same_bytes(
    undisturbed: dict[str, str], server: Trainings, tiny_encoder: Path, tmp_path: Path
) -> None:
    small_project.write_project(tmp_path, tiny_encoder, SMALL)
    both = [tmp_path, tmp_path]
    killed = -signal.SIGKILL
    assert server.run_together(both, MODEL, {0: "step", 1: "step"}, 7) == [killed, killed]
    assert steps_of(tmp_path) == 6
    # one alone: the other ends by itself, and says how to go on
    assert server.run_together(both, MODEL, {1: "step"}, 2) == [1, killed]
    assert said(tmp_path).splitlines()[-1].startswith("error: a process of this training does not")
    assert said(tmp_path).count("run the same command again") == 1
    assert server.run_together(both, MODEL, {0: "checkpoint half written"}, 2)[0] == killed
    assert 0 < steps_of(tmp_path) < 6
    assert server.run_together(both, MODEL) == [0, 0]
    assert 0 < steps_of(tmp_path) < 6
    assert outputs(tmp_path) == undisturbed


def test_one_writes_and_sends_the_other_what_its_machine_has_not(
    undisturbed: dict[str, str], server: Trainings, tiny_encoder: Path, tmp_path: Path
) -> None:
    machines = [tmp_path / name for name in ("first", "second")]
    for machine in machines:
        machine.mkdir()
        small_project.write_project(machine, tiny_encoder, SMALL)
    given = files(machines[1], ".")
    assert server.run_together(machines, MODEL, {0: "step", 1: "step"}, 6) == [-signal.SIGKILL] * 2
    assert server.run_together(machines, MODEL) == [0, 0]
    assert outputs(machines[0]) == undisturbed
    assert files(machines[1], ".") == given
    assert said(machines[1], 1) == ""


# --- what goes wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        # half of the steps warm up, so that the first are good
        (
            [{"training": {"head_learning_rate": 1e30, "warmup_fraction": 0.5}}] * 2,
            "the loss is no finite number at step 3",
        ),
        ([{}, {"training": {"seed": 1}}], "has not the model and parameters of the first"),
        ([{"compute": {"processes": 3}}] * 2, "compute.processes is 3, but torchrun has started 2"),
    ],
)
def test_a_mistake_is_told_once(
    server: Trainings,
    tiny_encoder: Path,
    tmp_path: Path,
    changes: list[Mapping[str, Any]],
    told: str,
) -> None:
    folders = [tmp_path / str(number) for number in range(2)]
    for folder, change in zip(folders, changes, strict=True):
        folder.mkdir()
        small_project.write_project(folder, tiny_encoder, SMALL, change)
    assert server.run_together(folders, MODEL) == [1, 1]
    lines = [line for n in range(2) for line in said(folders[n], n).splitlines()]
    assert [told in line for line in lines if line.startswith("error: ")] == [True]
    assert not any("Traceback" in line for line in lines)
    assert outputs(folders[0]) == {}


@pytest.mark.parametrize(("code", "told"), [(-9, "process 1 of 2 was ended by SIGKILL"), (1, "1")])
def test_a_killed_process_is_told_by_what_started_it(
    monkeypatch: pytest.MonkeyPatch, code: int, told: str
) -> None:
    def run(arguments: Any) -> None:
        assert (arguments.nproc_per_node, arguments.training_script) == ("2", "stages.train")
        assert arguments.training_script_args == [MODEL]
        raise ChildFailedError("train", {1: ProcessFailure(1, 7, code, "")})

    monkeypatch.setattr("torch.distributed.run.run", run)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    compute = Compute(device="cpu", threads=3, precision="auto", processes=2)
    with pytest.raises((UserError, SystemExit), match=told):
        processes.launch(compute, "stages.train", MODEL)
    assert os.environ["OMP_NUM_THREADS"] == "3"
    logging.disable(logging.NOTSET)


# --- shares -------------------------------------------------------------------------------------


def as_process(patch: pytest.MonkeyPatch, number: int, count: int) -> None:
    patch.setattr(processes, "number", lambda: number)
    patch.setattr(processes, "count", lambda: count)


@given(st.integers(0, 50), st.integers(1, 9))
def test_shares_are_all_rows_in_order_and_alike_in_size(size: int, count: int) -> None:
    rows: list[int] = []
    sizes = []
    with pytest.MonkeyPatch.context() as patch:
        for number in range(count):
            as_process(patch, number, count)
            start, end = processes.bounds(size)
            rows += range(start, end)
            sizes.append(end - start)
    assert rows == list(range(size))
    assert max(sizes) - min(sizes) <= 1


def test_a_process_without_an_example_of_its_own_reads_one_that_weighs_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tags = TagExamples.from_table(small_project.tags(2, 3))
    found = []
    for number in range(3):
        as_process(monkeypatch, number, 3)
        share, weight = share_of(tags)
        found.append((share.movies.tolist(), weight))
    first, second = tags.movies.tolist()
    assert found == [([first], 0.5), ([second], 0.5), ([first], 0.0)]


def test_alone_everything_stays_as_it_is() -> None:
    with processes.together():
        assert (processes.count(), processes.number(), processes.is_first()) == (1, 0, True)
    tags = TagExamples.from_table(small_project.tags(2, 3))
    assert share_of(tags) == (tags, 1.0)
    rows = torch.ones(2, 3)
    assert processes.whole(rows, 2) is rows
    assert processes.summed(rows) is rows
    assert processes.tensor_of_first(lambda: rows) is rows
    assert determinism.derived_seed(42, 7, 0) == determinism.derived_seed(42, 7)
    assert determinism.derived_seed(42, 7, 1) != determinism.derived_seed(42, 7)


@pytest.mark.parametrize(
    ("device", "gpus", "found"),
    [
        ("auto", 2, "cuda:1"),
        ("cuda", 4, "cuda:1"),
        ("cpu", 2, "cpu"),
        ("auto", 0, "cpu"),
        ("auto", 1, "this machine has 1 GPUs that torch can use, too few"),
        ("cuda:1", 2, "compute.device is cuda:1, one GPU for several processes"),
    ],
)
def test_each_process_has_a_gpu_of_its_own(
    monkeypatch: pytest.MonkeyPatch, device: str, gpus: int, found: str
) -> None:
    as_process(monkeypatch, 5, 8)
    monkeypatch.setenv("LOCAL_RANK", "1")
    chosen: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    compute = Compute(device=device, threads=1, precision="auto", processes=8)
    if " " in found:
        with pytest.raises(UserError, match=found):
            determinism.prepare(compute)
    else:
        device_found = determinism.prepare(compute).device
        assert device_found == torch.device(found)
        assert chosen == [device_found] * (device_found.type == "cuda")
