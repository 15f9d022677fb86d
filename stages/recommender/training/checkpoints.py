"""The state of a training on disk, so that a kill at any moment loses minutes at most.

A checkpoint is one safetensors file (tensors, and the rest as JSON in its metadata): it is whole
or not there, and reading it runs no code.
"""

import hashlib
import json
import sys
from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import Tensor, nn

from stages.recommender.artifacts import atomic_file
from stages.recommender.training import leftovers, processes

_STEP, _MOMENTS = "step", ("exp_avg", "exp_avg_sq")
"""What AdamW keeps of a parameter: a number, and tensors of its shape."""


@dataclass(frozen=True)
class EpochRecord:
    """A finished epoch: means over its steps, and what the validation split says."""

    epoch: int
    """From 1."""
    train_loss: float
    train_dialogue_loss: float
    train_tag_loss: float | None
    """Unweighted; ``None`` for a variant without tags."""
    eval_loss: float
    """The dialogues' loss."""
    eval_ndcg_at_10: float
    eval_recall_at_10: float


@dataclass
class Progress:
    """How far a training is.

    Attributes:
        step: Optimizer steps done, over all epochs.
        history: The finished epochs.
        best_epoch: Of the kept weights, from 1; 0 before the first evaluation.
        best_score: Its validation nDCG@10.
        sums: Of this epoch's steps so far: the dialogues' loss and the tags' loss.
    """

    step: int = 0
    history: list[EpochRecord] = field(default_factory=list)
    best_epoch: int = 0
    best_score: float = -1.0
    sums: list[float] = field(default_factory=lambda: [0.0, 0.0])


class Checkpoints:
    """The folder of one training, named after all that its result depends on.

    Args:
        folder: Of this training alone.
        parameters: The tensors that learn, by name.
    """

    def __init__(self, folder: Path, parameters: dict[str, nn.Parameter]) -> None:
        self.folder = folder
        self.parameters = parameters
        self._state = folder / "state.safetensors"
        self._best = folder / "best.safetensors"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keeps out another run of the same training, whose epochs would mix with these."""
        if not processes.is_first():
            yield
            return
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder.with_name(f"{self.folder.name}.lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            print("waiting for another process that trains the same model", file=sys.stderr)
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def save(self, optimizer: torch.optim.Optimizer, progress: Progress) -> None:
        """Keep weights, optimizer and progress, in the place of what was kept before."""
        tensors = {f"weight.{name}": p.detach() for name, p in self.parameters.items()}
        for name, parameter in self.parameters.items():
            for key, value in optimizer.state[parameter].items():
                tensors[f"optimizer.{key}.{name}"] = value
        content = asdict(progress)
        history = content.pop("history")
        _save(
            self._state,
            tensors,
            {"progress": json.dumps(content), "history": json.dumps(history)},
        )

    def restore(self, optimizer: torch.optim.Optimizer) -> Progress:
        """Put back what :meth:`save` kept.

        Returns:
            A new :class:`Progress` where nothing is kept; where not all of it is, or not of these
            parameters, it says so.
        """
        kept = self._kept_state()
        if kept is None:
            if self._state.exists() or self._best.exists():
                print(
                    f"{self.folder} holds no whole state of this training, which begins anew",
                    file=sys.stderr,
                )
            return Progress()
        tensors, progress = kept
        self._set_weights(tensors, "weight.")
        for key, value in tensors.items():
            kind, _, rest = key.partition(".")
            if kind == "optimizer":
                entry, _, name = rest.partition(".")
                parameter = self.parameters[name]
                optimizer.state[parameter][entry] = value.to(parameter.device)
        return progress

    def save_best(self) -> None:
        """Keep the weights as the best so far."""
        _save(self._best, {name: p.detach() for name, p in self.parameters.items()}, {})

    def restore_best(self) -> None:
        """Put the best weights back.

        Raises:
            FileNotFoundError: None were kept.
        """
        best = self._kept_best()
        if best is None:
            raise FileNotFoundError(self._best)
        self._set_weights(best, "")

    def finish(self) -> None:
        """Tell that the results of this training are written; it is kept while DVC needs it."""
        if processes.is_first():
            with self.alone():
                leftovers.finish(self.folder)

    def remove(self) -> None:
        """Forget this training."""
        if processes.is_first():
            with self.alone():
                leftovers.remove(self.folder)

    def _kept_state(self) -> tuple[dict[str, Tensor], Progress] | None:
        kept = _load(self._state)
        if kept is None:
            return None
        tensors, metadata = kept
        shapes = {key: tensor.shape for key, tensor in tensors.items()}
        if shapes != self._shapes("weight.") | self._optimizer_shapes(shapes):
            return None
        progress = _read_progress(metadata)
        if progress is None or (progress.best_epoch and self._kept_best() is None):
            return None
        return tensors, progress

    def _kept_best(self) -> dict[str, Tensor] | None:
        kept = _load(self._best)
        if kept is None:
            return None
        shapes = {key: tensor.shape for key, tensor in kept[0].items()}
        return kept[0] if shapes == self._shapes("") else None

    def _shapes(self, prefix: str) -> dict[str, torch.Size]:
        """Of a tensor for each parameter, under its name behind a prefix."""
        return {prefix + name: parameter.shape for name, parameter in self.parameters.items()}

    def _optimizer_shapes(self, kept: Container[str]) -> dict[str, torch.Size]:
        """Of all that the optimizer keeps of each parameter that has taken a step."""
        found: dict[str, torch.Size] = {}
        for name, parameter in self.parameters.items():
            if f"optimizer.{_STEP}.{name}" in kept:
                found[f"optimizer.{_STEP}.{name}"] = torch.Size()
                found |= {f"optimizer.{entry}.{name}": parameter.shape for entry in _MOMENTS}
        return found

    def _set_weights(self, tensors: dict[str, Tensor], prefix: str) -> None:
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(tensors[prefix + name])


def code_digest() -> str:
    """Of the library's modules that this process runs.

    Code that has changed since a training was killed must not go on with it.
    """
    digest = hashlib.sha256()
    for name, module in sorted(sys.modules.items()):
        if name.startswith("stages.recommender.") and module.__file__:
            digest.update(name.encode() + b"\0" + _source(module.__file__) + b"\0")
    return digest.hexdigest()


@cache
def _source(file: str) -> bytes:
    """Of a module, as it was first read: what is edited meanwhile is not what runs."""
    return Path(file).read_bytes()


def _read_progress(metadata: dict[str, Any]) -> Progress | None:
    try:
        progress = Progress(**json.loads(metadata["progress"]))
        records = json.loads(metadata["history"])
        progress.history = [EpochRecord(**record) for record in records]
    except (KeyError, TypeError, ValueError):  # another program's file
        return None
    return progress


def _save(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    if not processes.is_first():
        return
    with atomic_file(path) as partial:
        save_file({key: t.cpu().contiguous() for key, t in tensors.items()}, partial, metadata)


def _load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    content = processes.of_first(lambda: path.read_bytes() if path.is_file() else b"")
    try:
        tensors = load(content)
    except SafetensorError:
        return None
    # a header in JSON, its length in eight bytes before it
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return tensors, header.get("__metadata__", {})
