import copy
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import small_project
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional
from transformers import get_linear_schedule_with_warmup

from stages.recommender.errors import UserError
from stages.recommender.modeling import encoder as encoder_module
from stages.recommender.modeling.encoder import SentenceEncoder
from stages.recommender.modeling.losses import Objective, binary_cross_entropy
from stages.recommender.modeling.variants import VARIANTS, OneShotRecommender
from stages.recommender.params import Mentions, Model, Training
from stages.recommender.training import loop
from stages.recommender.training.batches import DialogueExamples, TagExamples, dialogue_batches
from stages.recommender.training.checkpoints import Checkpoints
from stages.recommender.training.determinism import Machine
from stages.recommender.training.loop import Trainee, fit, schedule
from stages.recommender.training.names import Names

CPU = Machine(torch.device("cpu"), 1, torch.float32)
MODEL = Model(
    pooling="mean",
    hidden_size=6,
    dropout=0.0,
    mentions=Mentions(max=4, embedding_size=3, hidden_size=2, reads_padding=False),
)
TRAINING = Training(
    trainable_layers="all",
    encoder_learning_rate=2e-3,
    head_learning_rate=3e-2,
    epochs=2,
    dialogue_batch=8,
    tag_batch=8,
    warmup_fraction=0.0,
    weight_decay=0.1,
    max_gradient_norm=0.05,
    seed=42,
    repeats=1,
)
OBJECTIVE = Objective(partial(binary_cross_entropy, pos_weight=7.0), tag_weight=0.3)


def changed(**values: Any) -> Training:
    return TRAINING.model_copy(update=values)


# --- schedule ----------------------------------------------------------------------------------


def test_schedule_by_hand() -> None:
    assert [schedule(step, 10, 0.2) for step in range(10)] == [
        0,
        0.5,
        *(left / 8 for left in (8, 7, 6, 5, 4, 3, 2, 1)),
    ]
    assert [schedule(step, 4, 0.0) for step in range(4)] == [1, 0.75, 0.5, 0.25]


@given(st.integers(1, 300), st.floats(0, 1, exclude_max=True))
def test_schedule_is_that_of_transformers(total: int, fraction: float) -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = get_linear_schedule_with_warmup(optimizer, int(fraction * total), total).lr_lambdas[0]
    steps = range(total)
    assert [schedule(step, total, fraction) for step in steps] == [theirs(step) for step in steps]


# --- one step ----------------------------------------------------------------------------------


@dataclass
class Given:
    """A trainee and where its checkpoints go."""

    trainee: Trainee
    folder: Path

    def checkpoints(self) -> Checkpoints:
        return Checkpoints(self.folder / "training", self.trainee.learning_parameters())

    def fit(self, params: Training) -> Any:
        return fit(self.trainee, params, CPU, self.checkpoints())


@pytest.fixture
def given_trainee(tmp_path: Path, tiny_encoder: Path) -> Given:
    """Multi-task with mentions, without dropout: the same at any number of random draws."""
    torch.manual_seed(0)
    encoder = SentenceEncoder(tiny_encoder, "mean", "all")
    for module in encoder.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        if hasattr(module, "dropout_prob"):
            module.dropout_prob = 0.0
    trainee = Trainee(
        model=OneShotRecommender(
            VARIANTS["rnn-multitask"], encoder.width, small_project.MOVIES, MODEL
        ),
        encoder=encoder,
        dialogue_encoder=encoder,
        tag_encoder=encoder,
        train=DialogueExamples.from_table(small_project.examples(14, 1, [None])),
        validation=DialogueExamples.from_table(small_project.examples(6, 2, [None])),
        tags=TagExamples.from_table(small_project.tags(20, 3)),
        objective=OBJECTIVE,
        evaluation_batch=4,
    )
    return Given(trainee, tmp_path)


def by_hand(
    trainee: Trainee, batch: DialogueExamples, tags: TagExamples, params: Training
) -> tuple[Tensor, Tensor]:
    """One step in plain torch: AdamW with two rates, the gradient's norm clipped."""
    encoder, model = trainee.encoder, trainee.model
    assert encoder is not None
    groups = [
        {"params": list(encoder.parameters()), "lr": params.encoder_learning_rate},
        {"params": list(model.parameters()), "lr": params.head_learning_rate},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=params.weight_decay, foreach=False)

    def encoded(rows: list[Tensor]) -> Tensor:
        # each text alone, so that nothing is padded
        states = [encoder.transformer(row[None]).last_hidden_state[0].mean(0) for row in rows]
        return torch.stack(states)

    def texts(examples: DialogueExamples | TagExamples) -> list[Tensor]:
        return list(torch.split(examples.tokens.values, examples.tokens.lengths.tolist()))

    targets = torch.zeros(len(batch), small_project.MOVIES)
    labels = torch.split(batch.labels.values, batch.labels.lengths.tolist())
    for row, movies in enumerate(labels):
        targets[row, movies] = 1
    dialogue_loss = functional.binary_cross_entropy_with_logits(
        model(encoded(texts(batch)), batch.mentions), targets, pos_weight=torch.tensor(7.0)
    )
    tag_loss = functional.cross_entropy(model.tag_logits(encoded(texts(tags))), tags.movies)
    (dialogue_loss + 0.3 * tag_loss).backward()
    learning = [p for group in groups for p in group["params"] if p.grad is not None]
    norm = torch.stack([p.grad.pow(2).sum() for p in learning]).sum().sqrt()
    assert norm > params.max_gradient_norm  # or nothing would be clipped
    for parameter in learning:
        parameter.grad *= params.max_gradient_norm / (norm + 1e-6)
    optimizer.step()
    return dialogue_loss, tag_loss


def test_a_step_is_what_plain_torch_does(given_trainee: Given) -> None:
    trainee, params = given_trainee.trainee, changed(epochs=1, dialogue_batch=14)
    plain = copy.deepcopy(trainee)
    progress = given_trainee.fit(params)
    assert plain.tags is not None
    tag_rows = next(loop.tag_batches(20, 8, 42, 0))
    losses = by_hand(plain, plain.train, plain.tags.take(tag_rows), params)
    [record] = progress.history
    assert record.train_dialogue_loss == pytest.approx(losses[0].item(), rel=1e-5)
    assert record.train_tag_loss == pytest.approx(losses[1].item(), rel=1e-5)
    assert record.train_loss == pytest.approx(losses[0].item() + 0.3 * losses[1].item(), rel=1e-5)
    found, expected = trainee.learning_parameters(), plain.learning_parameters()
    assert list(found) == list(expected)
    for name in found:  # the gradients as clipped
        torch.testing.assert_close(found[name].grad, expected[name].grad, rtol=1e-4, atol=1e-7)
    # Adam's first step has its rate's size whatever the gradient, so that where one is next to
    # nothing it may differ: nearly all are compared closely, all within the greatest step
    close = torch.cat(
        [torch.isclose(found[n], expected[n], rtol=1e-4, atol=1e-6).ravel() for n in found]
    )
    assert close.float().mean() > 0.99
    for name in found:
        rate = 2e-3 if name.startswith("encoder.") else 3e-2
        torch.testing.assert_close(found[name], expected[name], rtol=0, atol=2.1 * rate)


def test_the_second_step_of_the_second_epoch_reads_its_own_batches(
    given_trainee: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[tuple[list[int], list[int], list[float]]] = []

    def step(trainee: Any, batch: Any, tags: Any, params: Any, machine: Any, opt: Any) -> Tensor:
        rates = [group["lr"] for group in opt.param_groups]
        steps.append((batch.labels.values.tolist(), tags.movies.tolist(), rates))
        return torch.tensor([1.0, 2.0], dtype=torch.float64)

    monkeypatch.setattr(loop, "_step", step)
    progress = given_trainee.fit(changed(warmup_fraction=0.5))
    trainee = given_trainee.trainee
    rows = dialogue_batches(14, 8, 42, 1)[1]
    assert len(steps) == 4
    labels, movies, rates = steps[3]
    assert labels == trainee.train.take(rows).labels.values.tolist()
    assert trainee.tags is not None
    assert movies == trainee.tags.take(next(loop.tag_batches(20, 8, 42, 3))).movies.tolist()
    # of 4 steps the first 2 warm up: 0, 1/2, 1, 1/2; heads first, then the encoder
    assert rates == pytest.approx([3e-2 / 2, 2e-3 / 2])
    assert [rate[0] for *_, rate in steps] == pytest.approx([0, 1.5e-2, 3e-2, 1.5e-2])
    assert [record.train_loss for record in progress.history] == pytest.approx([1.6, 1.6])


@pytest.mark.parametrize("chunk_tokens", [1, 40, 10_000])
def test_chunks_of_the_encoder_change_neither_loss_nor_gradient(
    given_trainee: Given, chunk_tokens: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainee = given_trainee.trainee
    assert trainee.encoder is not None

    def loss_and_gradient() -> tuple[Tensor, Tensor]:
        trainee.encoder.zero_grad()
        vectors = trainee.encoder(trainee.train.tokens)
        targets = loop.multi_hot(trainee.train.labels, small_project.MOVIES)
        loss = OBJECTIVE.dialogue_loss(trainee.model(vectors, trainee.train.mentions), targets)
        loss.backward()
        embeddings = trainee.encoder.transformer.embeddings.word_embeddings
        return loss.detach(), embeddings.weight.grad.clone()

    whole = loss_and_gradient()
    monkeypatch.setattr(encoder_module, "CHUNK_TOKENS", chunk_tokens)
    torch.testing.assert_close(loss_and_gradient(), whole)


# --- epochs ------------------------------------------------------------------------------------


def test_the_epoch_with_the_best_validation_score_is_kept(
    given_trainee: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([0.1, 0.3, 0.3, 0.2])
    weights: list[dict[str, Tensor]] = []

    def ndcg(*_: object) -> Tensor:
        parameters = given_trainee.trainee.learning_parameters()
        weights.append({name: p.detach().clone() for name, p in parameters.items()})
        return torch.tensor([next(scores)], dtype=torch.float64)

    monkeypatch.setattr(loop.metrics, "ndcg", ndcg)
    progress = given_trainee.fit(changed(epochs=4))
    # of equal ones, the first
    assert (progress.best_epoch, progress.best_score) == (2, pytest.approx(0.3))
    for name, parameter in given_trainee.trainee.learning_parameters().items():
        assert torch.equal(parameter, weights[1][name])
    assert [record.epoch for record in progress.history] == [1, 2, 3, 4]


def test_a_variant_without_tags_has_no_tag_loss(given_trainee: Given) -> None:
    trainee = given_trainee.trainee
    given_trainee.trainee = replace(trainee, tags=None)
    [record] = given_trainee.fit(changed(epochs=1)).history
    assert record.train_tag_loss is None
    assert record.train_loss == record.train_dialogue_loss


def test_the_time_of_the_whole_training_is_foretold_once(
    given_trainee: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(10_000))
    monkeypatch.setattr(loop.time, "monotonic", lambda: float(next(clock)))
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 1e9)
    told: list[float] = []
    params = changed(dialogue_batch=2, epochs=3)
    fit(given_trainee.trainee, params, CPU, given_trainee.checkpoints(), told.append)
    # the clock is read when the first step ends, then once a step, and once to foretell:
    # five times in four steps, of 7 steps in each of 3 epochs
    assert told == [5 / 4 * 7 * 3]


# --- a training that goes astray -----------------------------------------------------------------


def poisoned(step: Callable[..., Tensor], at: int, part: str) -> Callable[..., Tensor]:
    """A step that leaves no number in a part of the model when it is called the ``at``-th time."""
    calls = iter(range(1, 1_000))

    def poisoned_step(trainee: Trainee, *rest: Any) -> Tensor:
        losses = step(trainee, *rest)
        if next(calls) == at:
            with torch.no_grad():
                trainee.model.get_submodule(part).weight.fill_(math.nan)
        return losses

    return poisoned_step


@pytest.mark.parametrize(
    ("at", "told", "part"),
    [(3, 4, "head.4"), (2, 2, "head.4"), (4, 4, "head.4"), (4, 4, "tag_head.1")],
    ids=["within an epoch", "at an epoch's end", "at the very end", "tags at the very end"],
)
def test_a_loss_that_is_no_number_is_told_with_its_step(
    given_trainee: Given, monkeypatch: pytest.MonkeyPatch, at: int, told: int, part: str
) -> None:
    monkeypatch.setattr(loop, "_step", poisoned(loop._step, at, part))
    with pytest.raises(UserError, match=rf"no finite number at step {told}; lower training\."):
        given_trainee.fit(TRAINING)


@pytest.mark.parametrize("steps", [1, 20])
def test_the_first_such_step_is_told_however_seldom_losses_are_looked_at(
    given_trainee: Given, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    monkeypatch.setattr(loop, "steps_between_looks", lambda _: steps)
    monkeypatch.setattr(loop, "_step", poisoned(loop._step, 3, "head.4"))
    with pytest.raises(UserError, match="no finite number at step 4;"):
        given_trainee.fit(changed(dialogue_batch=2))


def test_losses_seldom_looked_at_are_the_same(
    given_trainee: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = copy.deepcopy(given_trainee.trainee)
    history = given_trainee.fit(changed(dialogue_batch=2)).history
    monkeypatch.setattr(loop, "steps_between_looks", lambda _: 20)
    again = Given(before, given_trainee.folder / "again")
    assert again.fit(changed(dialogue_batch=2)).history == history


@pytest.mark.parametrize("rate", [1e20, 1e38])
def test_a_rate_that_is_far_too_high_is_told(given_trainee: Given, rate: float) -> None:
    with pytest.raises(UserError, match=r"no finite number at step [12]; lower training"):
        given_trainee.fit(changed(head_learning_rate=rate))


@pytest.mark.parametrize(
    ("precision", "told"),
    [
        (torch.float32, "a.rate or b.rate$"),
        (torch.bfloat16, "a.rate or b.rate, or set compute.precision to float32$"),
    ],
)
def test_a_training_that_goes_astray_names_its_own_rates(
    given_trainee: Given, precision: torch.dtype, told: str
) -> None:
    names = Names(encoder_rate="a.rate", rates=("b.rate",))
    trainee = replace(given_trainee.trainee, names=names)
    machine = Machine(torch.device("cpu"), 1, precision)
    with pytest.raises(UserError, match=f"; lower {told}"):
        fit(trainee, changed(head_learning_rate=1e38), machine, given_trainee.checkpoints())


def test_want_of_memory_names_the_sizes_of_this_training(
    given_trainee: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raising(*_: object) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(loop, "_step", raising)
    names = Names(request_batch="a.batch", tag_batch="b.batch")
    given_trainee.trainee = replace(given_trainee.trainee, names=names)
    told = "lower a.batch, b.batch, dialogues.max_tokens or tags.max_tokens, end"
    with pytest.raises(UserError, match=told):
        given_trainee.fit(TRAINING)
    given_trainee.trainee = replace(given_trainee.trainee, tags=None)
    with pytest.raises(UserError, match=r"lower a\.batch or dialogues\.max_tokens, end"):
        given_trainee.fit(TRAINING)


def test_a_frozen_encoder_is_not_among_what_could_be_lowered() -> None:
    assert Names().of_step(encoder_learns=False) == "training.head_learning_rate"
    assert Names().of_memory(encoder_learns=False, with_tags=False) == "training.dialogue_batch"


def test_the_bar_names_the_losses(given_trainee: Given, capsys: pytest.CaptureFixture[str]) -> None:
    for tags in "tags", "texts":
        trainee = replace(given_trainee.trainee, names=Names(tags=tags))
        Given(trainee, given_trainee.folder / tags).fit(changed(epochs=1))
        assert re.search(rf"dialogues=\d\.\d+, {tags}=\d\.\d+", capsys.readouterr().err)


@pytest.mark.parametrize("part", ["head.4", "tag_head.1"])
def test_weights_that_are_no_numbers_are_never_the_best(
    given_trainee: Given, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    # at the end of the first epoch, whose losses are those of the weights before
    monkeypatch.setattr(loop, "_step", poisoned(loop._step, 2, part))
    with pytest.raises(UserError, match="no finite number at step 2;"):
        given_trainee.fit(TRAINING)
    assert not list(given_trainee.folder.rglob("*.safetensors"))


@pytest.mark.parametrize("steps", [1, 20])
@pytest.mark.parametrize(("at", "kept"), [(3, 2), (2, 1)])
def test_the_last_good_checkpoint_stays(
    given_trainee: Given, monkeypatch: pytest.MonkeyPatch, at: int, kept: int, steps: int
) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0)
    monkeypatch.setattr(loop, "steps_between_looks", lambda _: steps)
    good = loop._step
    monkeypatch.setattr(loop, "_step", poisoned(good, at, "head.4"))
    with pytest.raises(UserError, match="no finite number"):
        given_trainee.fit(TRAINING)
    checkpoints = given_trainee.checkpoints()
    optimizer = loop._optimizer(given_trainee.trainee, TRAINING)
    assert checkpoints.restore(optimizer).step == kept
    parameters = given_trainee.trainee.learning_parameters().values()
    assert all(torch.isfinite(parameter).all() for parameter in parameters)
    # from there, training ends well
    monkeypatch.setattr(loop, "_step", good)
    assert len(given_trainee.fit(TRAINING).history) == 2
