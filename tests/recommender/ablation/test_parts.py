import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from stages.recommender.ablation.parts import PARTS, Part, lessons_of
from stages.recommender.ablation.run import AblatedRun, Shared, fraction_of, number_of
from stages.recommender.modeling.gate import READINGS, GatedRecommender
from stages.recommender.modeling.ragged import Ragged
from stages.recommender.params import Params
from stages.recommender.training.gate_run import gate_of
from stages.recommender.training.loop import Trainee
from stages.recommender.training.run import Inputs

BY_NAME = {part.name: part for part in PARTS}


@pytest.fixture
def trainee_without(params: Params, inputs: Inputs) -> Callable[[str | None], Trainee]:
    """A trainee before its first step, its parameters moved about as training would."""
    shared = Shared()

    def make(name: str | None) -> Trainee:
        part = BY_NAME[name] if name else None
        run = AblatedRun(params, inputs, 0, part, 1.0, shared)
        lessons = run._lessons(run._dialogues("whole", "train"))
        trainee = run._trainee(lessons, run._dialogues("whole", "validation"))
        torch.manual_seed(3)
        with torch.no_grad():
            for parameter in trainee.learning_parameters().values():
                parameter.add_(0.3 * torch.randn_like(parameter))
        return trainee

    return make


def logits(trainee: Trainee, sentences: Tensor | None = None) -> Tensor:
    """Of the validation requests, in evaluation mode."""
    examples = trainee.validation
    assert examples.vectors is not None
    vectors = examples.vectors if sentences is None else sentences
    with torch.inference_mode():
        scored: Tensor = trainee.model.eval()(vectors, *examples.inputs())
    assert torch.isfinite(scored).all()
    return scored


def other_counts(trainee: Trainee) -> None:
    gate_of(trainee).cooccurrence.counts.mul_(7)


def other_neighbours(trainee: Trainee) -> None:
    neighbours = gate_of(trainee).neighbours
    neighbours.movies.copy_(neighbours.movies.flip(0))


def other_texts(trainee: Trainee) -> None:
    gate_of(trainee).text_query.weight.data.mul_(-3)


def other_vectors(trainee: Trainee) -> None:
    trainee.validation = trainee.validation.with_vectors(
        torch.randn(trainee.validation.vectors.shape)  # type: ignore[union-attr]
    )


def without_mentions(trainee: Trainee) -> None:
    """The terms of the mentions alone; both lifts are switched off on both sides."""
    trainee.validation = replace(
        trainee.validation,
        mentions=Ragged(torch.zeros(0, dtype=torch.int64), torch.zeros(8, dtype=torch.int64)),
    )


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("co-occurrence", other_counts),
        ("the neighbours", other_neighbours),
        ("the movies' own texts", other_texts),
        ("the request's text", other_vectors),
    ],
)
def test_what_is_removed_changes_no_logit_any_more(
    trainee_without: Callable[[str | None], Trainee],
    name: str,
    change: Callable[[Trainee], None],
) -> None:
    full, ablated = trainee_without(None), trainee_without(name)
    before = [logits(trainee) for trainee in (full, ablated)]
    for trainee in (full, ablated):
        change(trainee)
    assert not torch.allclose(before[0], logits(full))
    assert torch.equal(before[1], logits(ablated))


def test_without_the_repeat_term_only_the_lifts_know_the_mentions(
    trainee_without: Callable[[str | None], Trainee],
) -> None:
    differences = []
    for trainee in (trainee_without(None), trainee_without("the repeat term")):
        gate_of(trainee).lift.bias.data.fill_(-math.inf)
        gate_of(trainee).near.bias.data.fill_(-math.inf)
        with_mentions = logits(trainee)
        without_mentions(trainee)
        differences.append((with_mentions - logits(trainee)).abs().max())
    assert differences[0] > 0.1
    assert differences[1] == 0


def test_what_is_fixed_does_not_learn(
    trainee_without: Callable[[str | None], Trainee],
) -> None:
    expected = {
        "co-occurrence": {"lift.weight", "lift.bias"},
        "the neighbours": {"near.weight", "near.bias"},
        "the repeat term": {
            *("repeat.weight", "repeat.bias", "repeat_said.weight"),
            *("from_start", "from_end", "by_number"),
        },
        "the words around a mention": {"repeat_said.weight"},
    }
    fixed = {}
    every = set(trainee_without(None).learning_parameters())
    for name in BY_NAME:
        left = every - set(trainee_without(name).learning_parameters())
        if left:
            fixed[name] = {each.removeprefix("model.") for each in left}
    assert fixed == expected


def test_the_loss_on_movies_texts_goes_alone_or_with_what_needs_it(
    trainee_without: Callable[[str | None], Trainee],
) -> None:
    without = {name for name in BY_NAME if trainee_without(name).tags is None}
    assert without == {
        "the loss on movies' texts",
        "the movies' own texts",
        "the request's text",
    }
    assert gate_of(trainee_without("the loss on movies' texts")).movie_texts.abs().sum() > 0


def test_the_biases_start_at_zero_without_popularity(params: Params, inputs: Inputs) -> None:
    run = AblatedRun(params, inputs, 0, BY_NAME["the start from popularity"], 1.0, Shared())
    lessons = run._lessons(run._dialogues("whole", "train"))
    trainee = run._trainee(lessons, run._dialogues("whole", "validation"))
    assert gate_of(trainee).bias.count_nonzero() == 0
    assert trainee.learning_parameters()["model.bias"].requires_grad


def test_the_lessons_are_those_that_are_left(
    trainee_without: Callable[[str | None], Trainee],
) -> None:
    full = lessons_of(trainee_without(None))
    kept = lessons_of(trainee_without("taking out the own dialogue"))
    assert full.own.lengths.min() > 0
    assert kept.own.lengths.max() == 0
    assert full.remembered.min() == 0
    assert set(kept.remembered.tolist()) == {-1}
    assert len(kept) == len(full)
    whole = lessons_of(trainee_without("training on other readings"))
    assert set(whole.readings.tolist()) == {READINGS.index("whole")}
    # of 26 dialogues an epoch reads the whole twice; before once, two turns
    assert (full.an_epoch(), whole.an_epoch()) == (5 * 26, 2 * 26)


@pytest.mark.parametrize(
    "part",
    # that one chooses by values, which there are none of
    [part for part in PARTS if part.name != "training on other readings"],
    ids=lambda part: part.name,
)
def test_lengths_stay_on_the_cpu_where_the_lessons_are_elsewhere(
    trainee_without: Callable[[str | None], Trainee], part: Part
) -> None:
    # a device without data stands for a GPU
    trainee = trainee_without(None)
    elsewhere = replace(trainee, train=lessons_of(trainee).to(torch.device("meta")))
    lessons = lessons_of(part.remove(elsewhere))
    for ragged in (lessons.mentions, lessons.labels, lessons.own):
        assert (ragged.values.device.type, ragged.sizes.device.type) == ("meta", "meta")
        assert ragged.lengths.device.type == "cpu"


def test_no_dropout_leaves_training_without_chance(
    trainee_without: Callable[[str | None], Trainee],
) -> None:
    alike = []
    for name in (None, "dropout"):
        trainee = trainee_without(name)
        model = trainee.model.train()
        vectors = trainee.validation.vectors
        first, second = (model(vectors, *trainee.validation.inputs()) for _ in range(2))
        alike.append(torch.equal(first, second))
    assert alike == [False, True]


def test_all_but_the_control_start_as_the_full_model_does(params: Params, inputs: Inputs) -> None:
    seeds = {
        part.name: AblatedRun(params, inputs, 2, part, 1.0, Shared()).params.training.seed
        for part in PARTS
    }
    assert seeds.pop("nothing, other seeds") == params.ablation.seed + 1_002
    assert set(seeds.values()) == {params.ablation.seed + 2}


def test_a_fraction_is_of_dialogues_and_a_smaller_is_in_a_greater(
    params: Params, inputs: Inputs
) -> None:
    run = AblatedRun(params, inputs, 0, None, 0.25, Shared())
    every = super(AblatedRun, run)._lessons(run._dialogues("whole", "train"))
    quarter, half = (fraction_of(every, fraction, 5) for fraction in (0.25, 0.5))
    few, more = (set(lessons.dialogues.tolist()) for lessons in (quarter, half))
    # of 26: 6.5 and 13
    assert (len(few), len(more)) == (7, 13) == (number_of(0.25, 26), number_of(0.5, 26))
    assert few < more
    # one example of two readings and two of the third
    assert (len(quarter), len(half)) == (28, 52)
    # as many steps, and nothing is counted of the other dialogues
    assert run.params.training.epochs == 4 * params.ablation.epochs  # type: ignore[operator]
    lessons = run._lessons(run._dialogues("whole", "train"))
    trainee = run._trainee(lessons, run._dialogues("whole", "validation"))
    assert isinstance(trainee.model, GatedRecommender)
    named, _, number = lessons.by_dialogue(inputs.movies.num_rows)
    # none has a vote on itself
    assert lessons_of(trainee).remembered.tolist() == number.tolist()
    assert len(trainee.model.neighbours.keys) == len(named) == 7
    assert trainee.model.cooccurrence.named.sum() == len(named.values)
