"""The parts of the gate, and how a training goes without each.

A new part is one entry in :data:`PARTS`. It is taken away from what is about to be trained, its
model, its lessons or its loss; the gate's own code knows nothing of it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from stages.recommender.modeling.gate import READINGS
from stages.recommender.modeling.ragged import Ragged
from stages.recommender.training.gate_examples import GateExamples
from stages.recommender.training.gate_run import gate_of
from stages.recommender.training.loop import Trainee


@dataclass(frozen=True)
class Part:
    """Something that the gate has, and a training without it.

    Attributes:
        name: What it is, in a few words.
        note: One sentence on what the model is without it.
        remove: Takes it away from a trainee with its new model, before the first step.
        seed: Added to the seed of the training.
    """

    name: str
    note: str
    remove: Callable[[Trainee], Trainee]
    seed: int = 0


def _nothing(trainee: Trainee) -> Trainee:
    return trainee


def _cooccurrence(trainee: Trainee) -> Trainee:
    lift = gate_of(trainee).lift
    _fix(lift.weight, 0.0)
    _fix(lift.bias, -math.inf)  # the factor of the lift is its softplus: 0
    return trainee


def _neighbours(trainee: Trainee) -> Trainee:
    near = gate_of(trainee).near
    _fix(near.weight, 0.0)
    _fix(near.bias, -math.inf)  # as above
    return trainee


def _repeat(trainee: Trainee) -> Trainee:
    gate = gate_of(trainee)
    biases = (gate.from_start, gate.from_end, gate.by_number)
    for parameter in (*gate.repeat.parameters(), gate.repeat_said.weight, *biases):
        _fix(parameter, 0.0)
    return trainee


def _movie_texts(trainee: Trainee) -> Trainee:
    gate_of(trainee).movie_texts.zero_()
    return _movie_text_loss(trainee)


def _movie_text_loss(trainee: Trainee) -> Trainee:
    return replace(trainee, tags=None)


def _request_text(trainee: Trainee) -> Trainee:
    # a movie's own text is read as a request is: nothing is left of it to learn from
    gate_of(trainee).deviation.fill_(math.inf)
    gate_of(trainee).neighbours.keys.zero_()
    return _movie_text_loss(trainee)


def _popularity(trainee: Trainee) -> Trainee:
    with torch.no_grad():
        gate_of(trainee).bias.zero_()
    return trainee


def _taking_out(trainee: Trainee) -> Trainee:
    lessons = lessons_of(trainee)
    own = lessons.own
    nothing = Ragged(own.values[:0], torch.zeros_like(own.lengths))
    unknown = torch.full_like(lessons.remembered, -1)
    return replace(trainee, train=replace(lessons, own=nothing, remembered=unknown))


def _other_readings(trainee: Trainee) -> Trainee:
    lessons = lessons_of(trainee)
    [whole] = torch.where(lessons.readings == READINGS.index("whole"))
    return replace(trainee, train=lessons.take(whole.cpu()))


def _contexts(trainee: Trainee) -> Trainee:
    _fix(gate_of(trainee).repeat_said.weight, 0.0)
    return trainee


def _dropout(trainee: Trainee) -> Trainee:
    for module in gate_of(trainee).modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return trainee


PARTS = (
    Part(
        "nothing, other seeds",
        "The whole model trained once more: what chance alone changes.",
        _nothing,
        seed=1_000,
    ),
    Part(
        "co-occurrence",
        "Which movies are recommended beside the mentioned ones is not looked up in the counts.",
        _cooccurrence,
    ),
    Part(
        "the neighbours",
        "The training dialogues most like a request do not vote for the movies that they name.",
        _neighbours,
    ),
    Part(
        "the repeat term",
        "A mentioned movie gets no bias: nothing decides between repeating and exploring.",
        _repeat,
    ),
    Part(
        "the words around a mention",
        "Whether a mention is repeated is told from the request as a whole, places and numbers.",
        _contexts,
    ),
    Part(
        "the request's text",
        "All requests have the same sentence vector, dialogues are like a request by what both "
        "name alone, and nothing is learnt from movies' texts; the words around a mention are "
        "still read.",
        _request_text,
    ),
    Part(
        "the movies' own texts",
        "No product with the vectors of the movies' texts, nor a loss on them.",
        _movie_texts,
    ),
    Part(
        "the loss on movies' texts",
        "The model is not trained to find a movie by its own text.",
        _movie_text_loss,
    ),
    Part(
        "the start from popularity",
        "The biases of the movies start at 0.",
        _popularity,
    ),
    Part(
        "taking out the own dialogue",
        "In training, counts and neighbours know the dialogue whose labels are to be predicted.",
        _taking_out,
    ),
    Part(
        "training on other readings",
        "It learns from whole dialogues alone, in fewer steps, and is scored on every reading.",
        _other_readings,
    ),
    Part(
        "dropout",
        "Nothing is dropped from the sentence vector or the hidden layer in training.",
        _dropout,
    ),
)
"""In the order in which they are trained without."""


def lessons_of(trainee: Trainee) -> GateExamples:
    """What the trainee learns from."""
    if not isinstance(trainee.train, GateExamples):
        raise TypeError("the gate trains on examples of all readings")
    return trainee.train


def _fix(parameter: Tensor, value: float) -> None:
    """Set a parameter once and for all."""
    with torch.no_grad():
        parameter.fill_(value)
    parameter.requires_grad_(False)
