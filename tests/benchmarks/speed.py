"""Training and evaluation against the notebook's way, in one run on one machine.

Run as ``python -m tests.benchmarks.speed [--device cpu|cuda]`` where ``data/`` holds the real
corpus' examples and the encoder. First both have to give the same loss on the same examples.
"""

import argparse
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from stages.recommender.evaluation import metrics
from stages.recommender.modeling.encoder import SentenceEncoder
from stages.recommender.modeling.ragged import Ragged, multi_hot
from stages.recommender.modeling.variants import VARIANTS, OneShotRecommender
from stages.recommender.params import Compute
from stages.recommender.training import loop
from stages.recommender.training.batches import DialogueExamples, batches_of, dialogue_batches
from stages.recommender.training.determinism import prepare
from stages.recommender.training.graphs import training_encoder
from stages.recommender.training.scoring import best_movies, score
from tests.benchmarks import common
from tests.benchmarks.notebook import NotebookTraining, evaluate

ENCODER = common.DATA / "encoder"
STEPS = {"cpu": (2, 12), "cuda": (20, 300)}
"""Steps that are timed: the notebook's and ours."""


def _machine(device: str, precision: str = "auto") -> Any:
    return prepare(Compute(device=device, threads=2, precision=precision))


def _rows(steps: int) -> list[torch.Tensor]:
    count = common.examples("train").num_rows
    batches = dialogue_batches(count, 32, seed=42, epoch=0)
    return (batches * (1 + steps // len(batches)))[:steps]


def _table(steps: int) -> pa.Table:
    return common.examples("train").take(pa.array(torch.cat(_rows(steps)).numpy()))


def same_loss(device: str) -> dict[str, Any]:
    """The loss of one batch with the same weights in both, without dropout, in float32."""
    machine = _machine(device, "float32")
    movies = common.movies()
    found = {}
    for variant, reads_mentions in (("baseline", False), ("rnn", True)):
        notebook = NotebookTraining(
            _table(1), ENCODER, movies, machine.device, reads_mentions, common.POS_WEIGHT
        )
        params = common.MODEL.mentions.model_copy(update={"reads_padding": True})
        sizes = common.MODEL.model_copy(update={"mentions": params})
        model = OneShotRecommender(VARIANTS[variant], 384, movies, sizes).to(machine.device)
        model.head.load_state_dict(notebook.model.head.state_dict())
        if model.mention_network is not None:
            model.mention_network.embedding.load_state_dict(notebook.model.embedding.state_dict())
            model.mention_network.gru.load_state_dict(notebook.model.gru.state_dict())
        encoder = SentenceEncoder(ENCODER, "mean", "all").to(machine.device)
        batch = DialogueExamples.from_table(_table(1)).to(machine.device)
        with torch.no_grad():
            theirs = notebook.model.eval() and notebook.loss_of_next()
            logits = model.eval()(encoder.eval()(batch.tokens), batch.mentions)
            ours = common.OBJECTIVE.dialogue_loss(logits, multi_hot(batch.labels, movies))
        found[variant] = {"notebook": theirs.item(), "ours": ours.item()}
        if abs(theirs.item() - ours.item()) > 1e-4 * theirs.item():
            raise SystemExit(f"the losses differ, so that times mean nothing: {found}")
    return found


def notebook_training(device: str) -> dict[str, Any]:
    """Dialogues a second, the notebook's way."""
    machine = _machine(device, "float32")
    torch.use_deterministic_algorithms(False)
    steps, movies = STEPS[device][0], common.movies()
    training = NotebookTraining(
        _table(steps + 1), ENCODER, movies, machine.device, False, common.POS_WEIGHT
    )
    seconds = common.median_seconds(training.step, steps, machine.device)
    return {"dialogues_a_second": 32 / seconds, "step_seconds": seconds} | _gpu_memory(device)


def our_training(device: str, precision: str = "auto") -> dict[str, Any]:
    """Dialogues a second in full fine-tuning, and the memory of steps and scoring."""
    machine = _machine(device, precision)
    steps, movies = STEPS[device][1], common.movies()
    torch.manual_seed(42)
    encoder = SentenceEncoder(ENCODER, "mean", "all").to(machine.device).train()
    train = DialogueExamples.from_table(common.examples("train")).to(machine.device)
    validation = DialogueExamples.from_table(common.examples("validation").slice(0, 128))
    trainee = loop.Trainee(
        OneShotRecommender(VARIANTS["baseline"], 384, movies, common.MODEL).to(machine.device),
        encoder,
        training_encoder(encoder, 32, machine),
        training_encoder(encoder, 64, machine),
        train,
        validation,
        None,
        common.OBJECTIVE,
        64,
    )
    optimizer = loop._optimizer(trainee, common.TRAINING)
    warm = 2 if device == "cpu" else 60  # a GPU captures a graph for each width first
    batches = batches_of(train, _rows(warm + steps))
    trainee.model.train()

    def steps_of(some: list[DialogueExamples]) -> None:
        for batch in some:
            loop._step(trainee, batch, None, common.TRAINING, machine, optimizer)

    steps_of(batches[:warm])
    seconds = common.median_seconds(lambda: steps_of(batches[warm:]), 1, machine.device, 0) / steps
    # what takes most memory: the epoch's batch with the most tokens, and scoring
    epoch = dialogue_batches(len(train), 32, seed=42, epoch=0)
    largest = max(epoch, key=lambda rows: int(train.tokens.lengths[rows].sum()))
    steps_of(batches_of(train, [largest]))
    score(trainee.model, encoder, validation, trainee.objective.dialogue_loss, 64, machine)
    return {"dialogues_a_second": 32 / seconds, "step_seconds": seconds} | _gpu_memory(device)


def head_epoch() -> dict[str, Any]:
    """Seconds of one epoch of each text variant's head on cached vectors, on the CPU."""
    machine = _machine("cpu")
    found = {}
    for variant in (name for name, parts in VARIANTS.items() if not parts.gates_repeats):
        dialogues = DialogueExamples.from_table(common.examples("train"))
        trainee = common.frozen_trainee(variant, common.movies(), dialogues)
        found[variant] = common.median_seconds(_Epoch(trainee, machine), 1, machine.device, 0)
    return {"seconds": found}


class _Epoch:
    """One epoch's steps, with all that surrounds them in training but checkpoints."""

    def __init__(self, trainee: loop.Trainee, machine: Any) -> None:
        self.trainee, self.machine = trainee, machine
        self.optimizer = loop._optimizer(trainee, common.TRAINING)

    def __call__(self) -> None:
        self.trainee.model.train()
        rows = dialogue_batches(len(self.trainee.train), 32, seed=42, epoch=0)
        batches = batches_of(self.trainee.train, rows)
        tags: list[Any] = [None] * len(rows)
        if self.trainee.tags is not None:
            tag_rows = loop.tag_batches(len(self.trainee.tags), 64, 42, 0)
            tags = batches_of(self.trainee.tags, [next(tag_rows) for _ in rows])
        for step, (batch, tag_batch) in enumerate(zip(batches, tags, strict=True)):
            self.machine.seed(step)
            loop._step(
                self.trainee, batch, tag_batch, common.TRAINING, self.machine, self.optimizer
            )


def evaluation(device: str) -> dict[str, Any]:
    """Seconds to evaluate the test split's logits, both ways, and that both find the same."""
    machine = _machine(device)
    table, movies = common.examples("test"), common.movies()
    labels = Ragged.from_column(table["labels"])
    logits = torch.randn(len(labels), movies, generator=torch.Generator().manual_seed(3))
    logits = (logits + 3 * multi_hot(labels, movies)).to(machine.device)
    dense = multi_hot(labels, movies).numpy()
    lists = metrics.Labels(labels.values.numpy(), labels.lengths.numpy())

    def ours() -> tuple[float, float]:
        rankings = np.concatenate(
            [best_movies(part, 10).cpu().numpy() for part in torch.split(logits, 64)]
        )
        return (
            float(metrics.ndcg(rankings, lists, 10).mean()),
            float(metrics.recall(rankings, lists, 10).mean()),
        )

    def theirs() -> tuple[float, float]:
        return evaluate(logits, dense)

    np.testing.assert_allclose(ours(), theirs(), rtol=1e-6)
    return {
        "notebook_seconds": common.median_seconds(theirs, 1, machine.device, 0),
        "seconds": common.median_seconds(ours, 5, machine.device),
    }


def _gpu_memory(device: str) -> dict[str, Any]:
    return {"gpu_gib": torch.cuda.max_memory_allocated() / 2**30} if device == "cuda" else {}


def main() -> None:
    """Measure, each part in a process of its own, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    device = parser.parse_args().device
    parts = (same_loss, notebook_training, our_training, evaluation)
    losses, theirs, ours, scored = (common.in_own_process(f, device) for f in parts)
    rows = [
        _row("fine-tuning, dialogues a second", theirs, ours, "dialogues_a_second", "{:.2f}"),
        {
            "what": "evaluation of the test split, seconds",
            "notebook": f"{scored['notebook_seconds']:.3f}",
            "here": f"{scored['seconds']:.4f}",
            "times": f"{scored['notebook_seconds'] / scored['seconds']:.0f}",
        },
        _row("memory of fine-tuning, GiB", theirs, ours, "memory_gib", "{:.2f}"),
    ]
    content = {
        "machine": common.machine_name(device),
        "losses": {k: v for k, v in losses.items() if k != "memory_gib"},
        "notebook": theirs,
        "ours": ours,
        "evaluation": scored,
    }
    if device == "cuda":
        rows.append(_row("GPU memory of fine-tuning, GiB", theirs, ours, "gpu_gib", "{:.2f}"))
    else:
        if _computes_in_bfloat16():
            quick = common.in_own_process(our_training, device, "bfloat16")
            what = "fine-tuning in bfloat16 here, dialogues a second"
            rows.insert(1, _row(what, theirs, quick, "dialogues_a_second", "{:.2f}"))
            content["ours_in_bfloat16"] = quick
        # a frozen encoder is for machines without a GPU
        head = common.in_own_process(head_epoch)
        rows += _head_rows(head["seconds"], theirs["step_seconds"])
        content["head"] = head
    common.write(f"speed-{device}", content, rows)


def _computes_in_bfloat16() -> bool:
    """Whether this processor has instructions for it; any can be asked to."""
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def _head_rows(seconds: dict[str, float], reference_step: float) -> list[dict[str, Any]]:
    steps = -(-common.examples("train").num_rows // 32)
    reference = reference_step * steps
    return [
        {
            "what": f"epoch of a head on cached vectors, {variant}, seconds",
            "notebook": f"{reference:.0f}",
            "here": f"{epoch:.2f}",
            "times": f"{reference / epoch:.0f}",
        }
        for variant, epoch in seconds.items()
    ]


def _row(what: str, theirs: Any, ours: Any, key: str, form: str) -> dict[str, Any]:
    ratio = ours[key] / theirs[key] if key == "dialogues_a_second" else theirs[key] / ours[key]
    return {
        "what": what,
        "notebook": form.format(theirs[key]),
        "here": form.format(ours[key]),
        "times": f"{ratio:.1f}",
    }


if __name__ == "__main__":
    main()
