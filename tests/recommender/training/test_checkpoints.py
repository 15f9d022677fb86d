import itertools
import math
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from stages.recommender.training import checkpoints as checkpoints_module
from stages.recommender.training.checkpoints import (
    Checkpoints,
    EpochRecord,
    Progress,
    code_digest,
)

RECORD = EpochRecord(
    epoch=1,
    train_loss=0.1 + 0.2,  # not 0.3
    train_dialogue_loss=1 / 3,
    train_tag_loss=None,
    eval_loss=5e-324,
    eval_ndcg_at_10=math.nextafter(0.1, 1),
    eval_recall_at_10=0.0,
)
PROGRESS = Progress(
    step=7, history=[RECORD], best_epoch=1, best_score=math.pi / 10, sums=[2 / 3, 1e300]
)


class Training:
    """A network, its optimizer and their checkpoints."""

    def __init__(self, folder: Path, seed: int) -> None:
        torch.manual_seed(seed)
        self.network = nn.Linear(3, 2)
        self.unused = nn.Parameter(torch.rand(2))
        parameters = {**dict(self.network.named_parameters(prefix="net")), "unused": self.unused}
        self.optimizer = torch.optim.AdamW(parameters.values(), lr=0.1, fused=True)
        self.checkpoints = Checkpoints(folder / "training", parameters)

    def step(self) -> None:
        self.optimizer.zero_grad()
        self.network(torch.ones(1, 3)).pow(2).sum().backward()
        self.optimizer.step()

    def weights(self) -> list[float]:
        return [value for p in self.checkpoints.parameters.values() for value in p.ravel().tolist()]

    def restore(self) -> Progress:
        return self.checkpoints.restore(self.optimizer)


@pytest.fixture
def kept(tmp_path: Path) -> Training:
    training = Training(tmp_path, 0)
    training.step()
    training.checkpoints.save_best()
    training.step()
    training.checkpoints.save(training.optimizer, PROGRESS)
    return training


def test_what_is_kept_is_put_back_exactly(kept: Training, tmp_path: Path) -> None:
    other = Training(tmp_path, 1)
    assert other.weights() != kept.weights()
    assert other.restore() == PROGRESS
    assert other.weights() == kept.weights()
    # the optimizer too: both go on in the same way
    for training in (kept, other):
        training.step()
    assert other.weights() == kept.weights()
    assert other.optimizer.state[other.unused] == {}


def test_the_best_weights_are_put_back(kept: Training, tmp_path: Path) -> None:
    best = Training(tmp_path, 0)
    best.step()
    other = Training(tmp_path, 1)
    other.checkpoints.restore_best()
    assert other.weights() == best.weights()


def test_without_checkpoints_training_begins_anew(tmp_path: Path) -> None:
    training = Training(tmp_path, 0)
    weights = training.weights()
    assert training.restore() == Progress()
    assert training.weights() == weights
    with pytest.raises(FileNotFoundError):
        training.checkpoints.restore_best()


def damage(file: Path, how: str) -> None:
    content = file.read_bytes()
    match how:
        case "empty":
            file.write_bytes(b"")
        case "half":
            file.write_bytes(content[: len(content) // 2])
        case "last byte lost":
            file.write_bytes(content[:-1])
        case "zeros":
            file.write_bytes(bytes(len(content)))
        case "text":
            file.write_text("not a checkpoint at all", encoding="utf-8")
        case "gone":
            file.unlink()
        case "other tensors":
            save_file({"weight.other": torch.zeros(1)}, file)
        case "other shapes":
            rewrite(file, {name: torch.zeros(9) for name in load_file(file)})
        case "more tensors":
            rewrite(file, load_file(file) | {"weight.layer": torch.zeros(2)})
        case "a learning layer more":
            entries = {f"optimizer.{name}.layer": torch.zeros(2) for name in MOMENTS}
            rewrite(file, load_file(file) | entries)
        case "moments of another shape":
            rewrite(file, load_file(file) | {"optimizer.exp_avg.net.bias": torch.zeros(9)})
        case "a moment is missing":
            tensors = load_file(file)
            del tensors["optimizer.exp_avg_sq.net.bias"]
            rewrite(file, tensors)
        case "no progress":
            save_file(load_file(file), file)
        case "other progress":
            save_file(load_file(file), file, {"progress": '{"steps": 1}', "history": "[]"})


def rewrite(file: Path, tensors: dict[str, torch.Tensor]) -> None:
    """Put other tensors in the place of a file's own; what else it says stays."""
    with safe_open(file, "pt") as kept:
        metadata = kept.metadata()
    save_file(tensors, file, metadata)


MOMENTS = ["exp_avg", "exp_avg_sq", "step"]
DAMAGES = ["empty", "half", "last byte lost", "zeros", "text", "gone"]
FOREIGN = ["other tensors", "other shapes", "more tensors"]


@pytest.mark.parametrize(
    ("name", "how"),
    [
        *itertools.product(["state", "best"], [*DAMAGES, *FOREIGN]),
        ("state", "a learning layer more"),
        ("state", "moments of another shape"),
        ("state", "a moment is missing"),
        ("state", "no progress"),
        ("state", "other progress"),
    ],
)
def test_damaged_and_foreign_files_let_training_begin_anew(
    kept: Training, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, how: str
) -> None:
    damage(kept.checkpoints.folder / f"{name}.safetensors", how)
    training = Training(tmp_path, 1)
    weights = training.weights()
    assert training.restore() == Progress()
    assert training.weights() == weights
    assert not training.optimizer.state
    told = f"{training.checkpoints.folder} holds no whole state of this training, which begins anew"
    assert capsys.readouterr().err == f"{told}\n"


def test_before_the_first_epoch_ends_there_is_no_best(tmp_path: Path) -> None:
    training = Training(tmp_path, 0)
    training.step()
    training.checkpoints.save(training.optimizer, Progress(step=1, sums=[0.25, 0.0]))
    assert Training(tmp_path, 1).restore() == Progress(step=1, sums=[0.25, 0.0])


def test_a_save_that_fails_leaves_what_was_there(
    kept: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(tensors: object, path: Path, metadata: object) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(checkpoints_module, "save_file", half)
    kept.step()
    for save in (
        kept.checkpoints.save_best,
        lambda: kept.checkpoints.save(kept.optimizer, Progress(step=8)),
    ):
        with pytest.raises(OSError, match="No space"):
            save()
    assert sorted(path.name for path in kept.checkpoints.folder.iterdir()) == [
        "best.safetensors",
        "state.safetensors",
    ]
    assert Training(tmp_path, 1).restore() == PROGRESS


def test_a_training_is_forgotten(kept: Training) -> None:
    kept.checkpoints.remove()
    assert not kept.checkpoints.folder.exists()
    kept.checkpoints.remove()


def _append(folder: Path, name: str) -> None:
    with Checkpoints(folder / "training", {}).alone():
        for _ in range(3):
            with (folder / "order.txt").open("a", encoding="utf-8") as file:
                file.write(name)
            time.sleep(0.05)


def test_two_processes_of_one_training_take_turns(tmp_path: Path) -> None:
    context = get_context("fork")  # nothing here computes
    processes = [context.Process(target=_append, args=(tmp_path, name)) for name in "ab"]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    assert (tmp_path / "order.txt").read_text(encoding="utf-8") in {"aaabbb", "bbbaaa"}


def test_other_code_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = code_digest()
    assert before == code_digest()
    changed = tmp_path / "loop.py"
    original: Callable[[], str] = checkpoints_module.code_digest
    changed.write_text("# changed", encoding="utf-8")
    monkeypatch.setattr(checkpoints_module, "__file__", str(changed))
    told = original()
    assert told != before
    # what is edited while it runs is not the code that runs
    changed.write_text("# changed once more", encoding="utf-8")
    assert original() == told
