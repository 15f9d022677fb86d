"""Training and evaluation against the notebook's way, in one run on one machine.

Run as ``python -m tests.benchmarks.speed [--device cpu|cuda]`` where ``data/`` holds the real
corpus' examples and the encoder. First both have to give the same loss on the same examples.
"""

import argparse
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from stages.recommender.evaluation import metrics
from stages.recommender.modeling.encoder import SentenceEncoder
from stages.recommender.modeling.losses import tag_loss
from stages.recommender.modeling.ragged import Ragged, multi_hot
from stages.recommender.modeling.variants import VARIANTS, OneShotRecommender
from stages.recommender.params import Compute
from stages.recommender.training import loop
from stages.recommender.training.batches import (
    DialogueExamples,
    TagExamples,
    batches_of,
    dialogue_batches,
)
from stages.recommender.training.determinism import prepare
from stages.recommender.training.graphs import training_encoder
from stages.recommender.training.scoring import best_movies, score
from tests.benchmarks import common
from tests.benchmarks.notebook import NotebookTraining, evaluate

ENCODER = common.DATA / "encoder"
STEPS = {"cpu": (2, 12), "cuda": (20, 300)}
"""Steps that are timed: the notebook's and ours."""
TEXT_VARIANTS = tuple(name for name, parts in VARIANTS.items() if not parts.gates_repeats)
FINE_TUNED = ("baseline", "rnn-multitask")
"""The least and the most to compute."""


def _machine(device: str, precision: str = "auto") -> Any:
    return prepare(Compute(device=device, threads=2, precision=precision))


def _rows(steps: int) -> list[torch.Tensor]:
    count = common.examples("train").num_rows
    batches = dialogue_batches(count, 32, seed=42, epoch=0)
    return (batches * (1 + steps // len(batches)))[:steps]


def _table(steps: int) -> pa.Table:
    return common.examples("train").take(pa.array(torch.cat(_rows(steps)).numpy()))


def _tags(steps: int) -> pa.Table:
    return pq.read_table(common.DATA / "tags" / "train.parquet").slice(0, 64 * steps)


def _notebook(variant: str, steps: int, device: torch.device) -> NotebookTraining:
    parts = VARIANTS[variant]
    return NotebookTraining(
        _table(steps),
        _tags(steps) if parts.learns_tags else None,
        ENCODER,
        common.movies(),
        device,
        parts.reads_mentions,
        common.POS_WEIGHT,
        common.OBJECTIVE.tag_weight,
    )


def same_loss(device: str) -> dict[str, Any]:
    """The loss of one batch with the same weights in both, without dropout, in float32."""
    machine = _machine(device, "float32")
    movies = common.movies()
    found = {}
    for variant in TEXT_VARIANTS:
        notebook = _notebook(variant, 1, machine.device)
        params = common.MODEL.mentions.model_copy(update={"reads_padding": True})
        sizes = common.MODEL.model_copy(update={"mentions": params})
        model = OneShotRecommender(VARIANTS[variant], 384, movies, sizes).to(machine.device)
        model.head.load_state_dict(notebook.model.head.state_dict())
        if model.tag_head is not None:
            model.tag_head.load_state_dict(notebook.model.tag_head.state_dict())
        if model.mention_network is not None:
            model.mention_network.embedding.load_state_dict(notebook.model.embedding.state_dict())
            model.mention_network.gru.load_state_dict(notebook.model.gru.state_dict())
        encoder = SentenceEncoder(ENCODER, "mean", "all").to(machine.device)
        batch = DialogueExamples.from_table(_table(1)).to(machine.device)
        with torch.no_grad():
            theirs = notebook.model.eval() and notebook.loss_of_next()
            logits = model.eval()(encoder.eval()(batch.tokens), batch.mentions)
            ours = common.OBJECTIVE.dialogue_loss(logits, multi_hot(batch.labels, movies))
            if model.tag_head is not None:
                tags = TagExamples.from_table(_tags(1)).to(machine.device)
                of_tags = tag_loss(model.tag_logits(encoder(tags.tokens)), tags.movies)
                ours = ours + common.OBJECTIVE.tag_weight * of_tags
        found[variant] = {"notebook": theirs.item(), "ours": ours.item()}
        if abs(theirs.item() - ours.item()) > 1e-4 * theirs.item():
            raise SystemExit(f"the losses differ, so that times mean nothing: {found}")
    return found


def notebook_training(device: str, variant: str) -> dict[str, Any]:
    """Dialogues a second, the notebook's way."""
    torch.set_num_threads(2)  # and nothing else that the stages set
    steps, there = STEPS[device][0], torch.device(device)
    training = _notebook(variant, steps + 1, there)
    seconds = common.median_seconds(training.step, steps, there)
    return {"dialogues_a_second": 32 / seconds, "step_seconds": seconds} | _gpu_memory(device)


def our_training(device: str, variant: str, precision: str = "auto") -> dict[str, Any]:
    """Dialogues a second in full fine-tuning, and the memory of steps and scoring."""
    machine = _machine(device, precision)
    steps, movies = STEPS[device][1], common.movies()
    torch.manual_seed(42)
    encoder = SentenceEncoder(ENCODER, "mean", "all").to(machine.device).train()
    train = DialogueExamples.from_table(common.examples("train")).to(machine.device)
    validation = DialogueExamples.from_table(common.examples("validation").slice(0, 128))
    tags = None
    if VARIANTS[variant].learns_tags:
        tags = TagExamples.from_table(_tags(steps + 64)).to(machine.device)
    trainee = loop.Trainee(
        OneShotRecommender(VARIANTS[variant], 384, movies, common.MODEL).to(machine.device),
        encoder,
        training_encoder(encoder, 32, machine),
        training_encoder(encoder, 64, machine),
        train,
        validation,
        tags,
        common.OBJECTIVE,
        64,
    )
    optimizer = loop._optimizer(trainee, common.TRAINING)
    warm = 2 if device == "cpu" else 60  # a GPU captures a graph for each width first
    batches = list(batches_of(train, _rows(warm + steps)))
    trainee.model.train()

    tag_batches: list[Any] = [None] * len(batches)
    if tags is not None:
        tag_rows = loop.tag_batches(len(tags), 64, 42, 0)
        tag_batches = list(batches_of(tags, [next(tag_rows) for _ in batches]))

    def steps_of(some: list[DialogueExamples]) -> None:
        for batch, beside in zip(some, tag_batches, strict=False):
            loop._step(trainee, batch, beside, common.TRAINING, machine, optimizer)

    steps_of(batches[:warm])
    seconds = common.median_seconds(lambda: steps_of(batches[warm:]), 1, machine.device, 0) / steps
    # what takes most memory: the epoch's batch with the most tokens, and scoring
    epoch = dialogue_batches(len(train), 32, seed=42, epoch=0)
    largest = max(epoch, key=lambda rows: int(train.tokens.lengths[rows].sum()))
    steps_of(list(batches_of(train, [largest])))
    score(trainee.model, encoder, validation, trainee.objective.dialogue_loss, 64, machine)
    return {"dialogues_a_second": 32 / seconds, "step_seconds": seconds} | _gpu_memory(device)


def head_epoch() -> dict[str, Any]:
    """Seconds of one epoch of each text variant's head on cached vectors, on the CPU."""
    machine = _machine("cpu")
    found = {}
    for variant in TEXT_VARIANTS:
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
            tags = list(batches_of(self.trainee.tags, [next(tag_rows) for _ in rows]))
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
    losses = common.in_own_process(same_loss, device)
    theirs = {v: common.in_own_process(notebook_training, device, v) for v in _references(device)}
    ours = {v: common.in_own_process(our_training, device, v) for v in FINE_TUNED}
    scored = common.in_own_process(evaluation, device)
    content = {
        "machine": common.machine_name(device),
        "losses": {k: v for k, v in losses.items() if k != "memory_gib"},
        "notebook": theirs,
        "ours": ours,
        "evaluation": scored,
    }
    rows = _compared("fine-tuning, {}, dialogues a second", theirs, ours, "dialogues_a_second")
    if device == "cpu" and common.computes_in_bfloat16():
        quick = {v: common.in_own_process(our_training, device, v, "bfloat16") for v in FINE_TUNED}
        content["ours_in_bfloat16"] = quick
        what = "the same in bfloat16 here, {}"
        rows += _compared(what, theirs, quick, "dialogues_a_second")
    rows.append(
        {
            "what": "evaluation of the test split, seconds",
            "notebook": f"{scored['notebook_seconds']:.3f}",
            "here": f"{scored['seconds']:.4f}",
            "times": f"{scored['notebook_seconds'] / scored['seconds']:.0f}",
        }
    )
    rows += _compared("memory of fine-tuning, {}, GiB", theirs, ours, "memory_gib")
    if device == "cuda":
        rows += _compared("GPU memory of fine-tuning, {}, GiB", theirs, ours, "gpu_gib")
    else:
        # a frozen encoder is for machines without a GPU
        content["head"] = head = common.in_own_process(head_epoch)
        rows += _head_rows(head["seconds"], theirs)
    common.write(f"speed-{device}", content, rows)


def _references(device: str) -> tuple[str, ...]:
    """The variants whose steps are timed the notebook's way; on a CPU, all heads' epochs too."""
    return TEXT_VARIANTS if device == "cpu" else FINE_TUNED


def _head_rows(
    seconds: dict[str, float], theirs: dict[str, dict[str, Any]]
) -> list[dict[str, Any]]:
    steps = -(-common.examples("train").num_rows // 32)
    return [
        {
            "what": f"epoch of a head on cached vectors, {variant}, seconds",
            "notebook": f"{steps * theirs[variant]['step_seconds']:.0f}",
            "here": f"{epoch:.2f}",
            "times": f"{steps * theirs[variant]['step_seconds'] / epoch:.0f}",
        }
        for variant, epoch in seconds.items()
    ]


def _compared(
    what: str, theirs: dict[str, dict[str, Any]], ours: dict[str, dict[str, Any]], key: str
) -> list[dict[str, Any]]:
    """A row for each variant, with how many times better ours is."""
    rows = []
    for variant, found in ours.items():
        here, notebook = found[key], theirs[variant][key]
        ratio = here / notebook if key == "dialogues_a_second" else notebook / here
        rows.append(
            {
                "what": what.format(variant),
                "notebook": f"{notebook:.2f}",
                "here": f"{here:.2f}",
                "times": f"{ratio:.1f}",
            }
        )
    return rows


if __name__ == "__main__":
    main()
