"""The training loop: one for all trainers and variants."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice, repeat
from typing import Any, NoReturn

import torch
from torch import Tensor
from tqdm import tqdm

from stages.recommender.errors import UserError
from stages.recommender.evaluation import metrics
from stages.recommender.modeling.encoder import SentenceEncoder
from stages.recommender.modeling.losses import Objective, tag_loss
from stages.recommender.modeling.ragged import multi_hot
from stages.recommender.modeling.variants import RecommenderNetwork
from stages.recommender.params import Training
from stages.recommender.training import processes
from stages.recommender.training.batches import (
    DialogueExamples,
    TagExamples,
    batches_of,
    share_of,
    tag_batches,
)
from stages.recommender.training.checkpoints import Checkpoints, EpochRecord, Progress
from stages.recommender.training.determinism import Machine, derived_seed, within_memory
from stages.recommender.training.graphs import TextEncoder
from stages.recommender.training.names import Names
from stages.recommender.training.scoring import score, sentence_vectors

CHECKPOINT_SECONDS = 60.0
"""Between two checkpoints within an epoch; one is written after every epoch as well."""
SELECTS_AT = 10
"""The cutoff of the validation's nDCG and recall."""
TIMED_STEPS = 4
"""Steps, after the first, that foretell the time of the whole training."""


@dataclass
class Trainee:
    """What a training changes and reads.

    Attributes:
        model: The recommender.
        encoder: The sentence encoder; ``None`` where the examples carry vectors.
        dialogue_encoder: The same as it encodes the dialogues of a training step.
        tag_encoder: The same as it encodes the tags of a training step.
        train: What it learns from.
        validation: What selects the epoch.
        tags: The auxiliary task's examples; ``None`` for a variant without.
        objective: The loss.
        evaluation_batch: Examples scored at once.
        rules: How the names of the model's parameters begin that learn at a rate of their own,
            without weight decay.
        rule_learning_rate: That rate.
        names: What messages call the parameters that it was made with.
    """

    model: RecommenderNetwork
    encoder: SentenceEncoder | None
    dialogue_encoder: TextEncoder | None
    tag_encoder: TextEncoder | None
    train: DialogueExamples
    validation: DialogueExamples
    tags: TagExamples | None
    objective: Objective
    evaluation_batch: int
    rules: tuple[str, ...] = ()
    rule_learning_rate: float = 0.0
    names: Names = field(default_factory=Names)

    def learning_parameters(self) -> dict[str, torch.nn.Parameter]:
        """All parameters that learn, by name; the encoder's begin with ``encoder.``."""
        named = dict(self.model.named_parameters(prefix="model"))
        if self.encoder is not None:
            named |= dict(self.encoder.named_parameters(prefix="encoder"))
        return {name: p for name, p in named.items() if p.requires_grad}


def fit(
    trainee: Trainee,
    params: Training,
    machine: Machine,
    checkpoints: Checkpoints,
    foretell: Callable[[float], None] | None = None,
) -> Progress:
    """Train, going on where a killed run of the same training stopped.

    Afterwards the weights are those of the epoch with the best validation nDCG@10.

    Args:
        trainee: Model, examples and loss, on the machine's device.
        params: The optimisation.
        machine: What it computes on.
        checkpoints: Where its state is kept.
        foretell: Told once, after the first steps of this process, how many seconds the whole
            training takes from its beginning; not where an epoch has fewer steps.

    Returns:
        The history and the selected epoch.

    Raises:
        UserError: The loss is no longer a finite number.
    """
    processes.begin_alike(trainee.model)
    optimizer = _optimizer(trainee, params)
    steps_an_epoch = math.ceil(trainee.train.an_epoch() / params.dialogue_batch)
    total_steps = params.epochs * steps_an_epoch
    with checkpoints.alone():
        progress = checkpoints.restore(optimizer)
        bar = tqdm(total=total_steps, initial=progress.step, unit="step", dynamic_ncols=True)
        with bar:
            while progress.step < total_steps:
                _train_epoch(
                    trainee, params, machine, checkpoints, optimizer, progress, bar, foretell
                )
                foretell = None
                _check_weights(trainee, machine, progress, bar)
                _finish_epoch(trainee, machine, checkpoints, progress, steps_an_epoch, bar)
                checkpoints.save(optimizer, progress)
        checkpoints.restore_best()
    return progress


def _optimizer(trainee: Trainee, params: Training) -> torch.optim.Optimizer:
    encoder: list[torch.nn.Parameter] = []
    heads: list[torch.nn.Parameter] = []
    rules: list[torch.nn.Parameter] = []
    for name, parameter in trainee.learning_parameters().items():
        if name.removeprefix("model.").startswith(trainee.rules):
            rules.append(parameter)
        else:
            (encoder if name.startswith("encoder.") else heads).append(parameter)
    groups: list[dict[str, Any]] = [
        {"params": heads, "lr": params.head_learning_rate},
        {"params": encoder, "lr": params.encoder_learning_rate},
        {"params": rules, "lr": trainee.rule_learning_rate, "weight_decay": 0.0},
    ]
    groups = [group | {"rate": group["lr"]} for group in groups if group["params"]]
    return torch.optim.AdamW(groups, weight_decay=params.weight_decay, fused=True)


def schedule(step: int, total: int, warmup_fraction: float) -> float:
    """Factor of the learning rate at a step: linear warm-up from 0 to 1, then linear to 0."""
    warmup = int(warmup_fraction * total)
    if step < warmup:
        return step / warmup
    return (total - step) / max(1, total - warmup)


def _train_epoch(
    trainee: Trainee,
    params: Training,
    machine: Machine,
    checkpoints: Checkpoints,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
    bar: "tqdm[NoReturn]",
    foretell: Callable[[float], None] | None,
) -> None:
    steps_an_epoch = math.ceil(trainee.train.an_epoch() / params.dialogue_batch)
    epoch, done = divmod(progress.step, steps_an_epoch)
    rows = trainee.train.batches(params.dialogue_batch, params.seed, epoch)[done:]
    batches = batches_of(trainee.train, rows)
    tag_batches_too: Iterator[TagExamples | None] = repeat(None, len(rows))
    if trainee.tags:
        tag_rows = tag_batches(len(trainee.tags), params.tag_batch, params.seed, progress.step)
        tag_batches_too = batches_of(trainee.tags, list(islice(tag_rows, len(rows))))
    trainee.model.train()
    if trainee.encoder is not None:
        trainee.encoder.train()
    losses = _Losses(trainee, machine, progress)
    less = trainee.names.of_memory(trainee.encoder is not None, trainee.tags is not None)
    tags_name = trainee.names.tags if trainee.tags is not None else None
    every = steps_between_looks(machine.device)
    saved = time.monotonic()
    for position, batch, tags in zip(
        range(done, steps_an_epoch), batches, tag_batches_too, strict=True
    ):
        factor = schedule(progress.step, params.epochs * steps_an_epoch, params.warmup_fraction)
        for group in optimizer.param_groups:
            group["lr"] = group["rate"] * factor
        machine.seed(derived_seed(params.seed, progress.step, processes.number()))
        with within_memory(less):
            losses.add(_step(trainee, batch, tags, params, machine, optimizer))
        progress.step += 1
        bar.update()
        if progress.step % every == 0 or position + 1 == steps_an_epoch:
            losses.look(bar)
            _show(progress, position + 1, epoch, params.epochs, bar, tags_name)
        if position == done:
            started = time.monotonic()  # the first step warms up
        elif foretell and position == done + TIMED_STEPS:
            pace = (time.monotonic() - started) / TIMED_STEPS
            foretell(pace * steps_an_epoch * params.epochs)
        if time.monotonic() - saved > CHECKPOINT_SECONDS and position + 1 < steps_an_epoch:
            losses.look(bar)
            _check_weights(trainee, machine, progress, bar)
            checkpoints.save(optimizer, progress)
            saved = time.monotonic()


def steps_between_looks(device: torch.device) -> int:
    """After how many steps the losses are looked at: on a GPU, that waits for the device."""
    return 1 if device.type == "cpu" else 20


class _Losses:
    """The losses of an epoch's steps, added up on the device.

    Args:
        trainee: Whose losses they are.
        machine: What it computes on.
        progress: Told the sums at each look.
    """

    def __init__(self, trainee: Trainee, machine: Machine, progress: Progress) -> None:
        self._trainee = trainee
        self._machine = machine
        self._progress = progress
        self._sums = torch.tensor(progress.sums, dtype=torch.float64, device=machine.device)
        self._unseen: list[Tensor] = []

    def add(self, losses: Tensor) -> None:
        """Take a step's losses, without waiting for them."""
        self._sums += losses
        self._unseen.append(losses)

    def look(self, bar: "tqdm[NoReturn]") -> None:
        """Wait for the losses of all steps so far.

        Raises:
            UserError: One is no finite number; it names the first such step.
        """
        self._progress.sums = self._sums.tolist()
        if not all(math.isfinite(total) for total in self._progress.sums):
            finite = torch.stack(self._unseen).isfinite().all(dim=1).tolist()
            step = self._progress.step - len(finite) + 1 + finite.index(False)
            raise _not_finite(self._trainee, self._machine, step, bar)
        self._unseen.clear()


def _step(
    trainee: Trainee,
    batch: DialogueExamples,
    tags: TagExamples | None,
    params: Training,
    machine: Machine,
    optimizer: torch.optim.Optimizer,
) -> Tensor:
    """One optimizer step; the dialogues' and the tags' loss, (2,) float64.

    Each process reads its share of the batch, and weighs it as the part of the batch that it is.
    """
    batch, weight = share_of(batch)
    tags, weight_of_tags = share_of(tags) if tags else (None, 1.0)
    with machine.autocast():
        vectors = sentence_vectors(trainee.dialogue_encoder, batch)
        tag_vectors = sentence_vectors(trainee.tag_encoder, tags) if tags else None
    # not in bfloat16, in which many movies' scores would be the same
    logits = trainee.model(vectors, *batch.inputs())
    tag_logits = None if tag_vectors is None else trainee.model.tag_logits(tag_vectors)
    targets = multi_hot(batch.labels, logits.shape[1])  # (batch, movies)
    dialogue_term = trainee.objective.dialogue_loss(logits, targets)
    tag_term = torch.zeros_like(dialogue_term)
    if tags is not None and tag_logits is not None:
        tag_term = tag_loss(tag_logits, tags.movies)
    if processes.count() > 1:
        dialogue_term, tag_term = weight * dialogue_term, weight_of_tags * tag_term
    loss = dialogue_term + trainee.objective.tag_weight * tag_term
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    losses = torch.stack([dialogue_term.detach(), tag_term.detach()])
    losses = processes.add_up(losses, optimizer)
    _clip(optimizer, params.max_gradient_norm)
    optimizer.step()
    return losses.double()


def _clip(optimizer: torch.optim.Optimizer, most: float) -> None:
    """Have the next step scale the gradients down to a norm of ``most`` where theirs is greater.

    As ``torch.nn.utils.clip_grad_norm_`` does, but a fused optimizer divides by ``grad_scale``
    while it reads the gradients, which saves a pass over all of them.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
    optimizer.grad_scale = ((norm + 1e-6) / most).clamp(min=1.0)  # type: ignore[attr-defined]


def _finish_epoch(
    trainee: Trainee,
    machine: Machine,
    checkpoints: Checkpoints,
    progress: Progress,
    steps_an_epoch: int,
    bar: "tqdm[NoReturn]",
) -> None:
    try:
        with within_memory(trainee.names.evaluation_batch):
            scored = score(
                trainee.model,
                trainee.encoder,
                trainee.validation,
                trainee.objective.dialogue_loss,
                trainee.evaluation_batch,
                machine,
                SELECTS_AT,
            )
    except FloatingPointError:
        raise _not_finite(trainee, machine, progress.step, bar) from None
    labels = metrics.Labels(
        trainee.validation.labels.values.cpu().numpy(), trainee.validation.labels.lengths.numpy()
    )
    dialogue_term, tag_term = (total / steps_an_epoch for total in progress.sums)
    record = EpochRecord(
        epoch=progress.step // steps_an_epoch,
        train_loss=dialogue_term + trainee.objective.tag_weight * tag_term,
        train_dialogue_loss=dialogue_term,
        train_tag_loss=tag_term if trainee.tags else None,
        eval_loss=scored.loss,
        eval_ndcg_at_10=float(metrics.ndcg(scored.rankings, labels, SELECTS_AT).mean()),
        eval_recall_at_10=float(metrics.recall(scored.rankings, labels, SELECTS_AT).mean()),
    )
    if record.eval_ndcg_at_10 > progress.best_score:
        progress.best_score = record.eval_ndcg_at_10
        progress.best_epoch = record.epoch
        checkpoints.save_best()
    progress.history.append(record)
    progress.sums = [0.0, 0.0]
    bar.write(
        f"epoch {record.epoch:3d}  train loss {record.train_loss:.5f}  "
        f"evaluation loss {record.eval_loss:.5f}  nDCG@10 {record.eval_ndcg_at_10:.4f}  "
        f"Recall@10 {record.eval_recall_at_10:.4f}"
    )


def _check_weights(
    trainee: Trainee, machine: Machine, progress: Progress, bar: "tqdm[NoReturn]"
) -> None:
    """Before they are kept: a step's loss is that of the weights before it."""
    if not all(torch.isfinite(p).all() for p in trainee.learning_parameters().values()):
        raise _not_finite(trainee, machine, progress.step, bar)


def _not_finite(trainee: Trainee, machine: Machine, step: int, bar: "tqdm[NoReturn]") -> UserError:
    bar.close()
    lower = trainee.names.of_step(trainee.encoder is not None)
    rounds = machine.precision is torch.bfloat16
    other = ", or set compute.precision to float32" if rounds else ""
    return UserError(f"the loss is no finite number at step {step}; lower {lower}{other}")


def _show(
    progress: Progress,
    steps: int,
    epoch: int,
    epochs: int,
    bar: "tqdm[NoReturn]",
    tags: str | None,
) -> None:
    bar.set_description(f"epoch {epoch + 1}/{epochs}", refresh=False)
    losses = {"dialogues": f"{progress.sums[0] / steps:.5f}"}
    if tags is not None:
        losses[tags] = f"{progress.sums[1] / steps:.4f}"
    bar.set_postfix(losses, refresh=False)
