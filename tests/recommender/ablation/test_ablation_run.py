from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from stages.recommender.ablation.parts import PARTS, Part
from stages.recommender.ablation.run import AblatedRun, Shared
from stages.recommender.params import Params
from stages.recommender.training.run import Inputs


def identity(
    params: Params,
    inputs: Inputs,
    repeat: int = 0,
    part: Part | None = None,
    fraction: float = 1.0,
) -> str:
    return AblatedRun(params, inputs, repeat, part, fraction, Shared()).identity()


def with_values(params: Params, section: str, values: Mapping[str, Any]) -> Params:
    changed = getattr(params, section).model_copy(update=values)
    return params.model_copy(update={section: changed})


def with_column(inputs: Inputs, name: str, change: Callable[[Any], Any]) -> Inputs:
    """The inputs with every value of a column of one table changed."""
    key = ("turn", "train")
    table = inputs.examples[key]
    place = table.column_names.index(name)
    column = pa.array([change(value) for value in table[name].to_pylist()], table[name].type)
    changed = table.set_column(place, name, column)
    return replace(inputs, examples={**inputs.examples, key: changed})


def test_the_same_training_is_known_again(params: Params, inputs: Inputs) -> None:
    assert identity(params, inputs) == identity(params, with_column(inputs, "contexts", list))
    repeats = with_values(params, "ablation", {"repeats": 3})
    assert identity(params, inputs) == identity(repeats, inputs)


@pytest.mark.parametrize("section", ["gate", "ablation"])
def test_other_parameters_are_another_training(
    params: Params, inputs: Inputs, section: str
) -> None:
    other = {"gate": {"dropout": 0.01}, "ablation": {"epochs": 2}}[section]
    assert identity(params, inputs) != identity(with_values(params, section, other), inputs)


@pytest.mark.parametrize(
    ("column", "change"),
    [
        ("contexts", lambda around: [token + 1 for token in around]),
        ("conversation_id", lambda number: number + 1_000_000),
        ("input_ids", lambda ids: [*ids, 3]),
        ("labels", lambda labels: labels[:1]),
    ],
)
def test_other_examples_are_another_training(
    params: Params, inputs: Inputs, column: str, change: Callable[[Any], Any]
) -> None:
    assert identity(params, inputs) != identity(params, with_column(inputs, column, change))


def test_each_part_repeat_and_fraction_is_another_training(params: Params, inputs: Inputs) -> None:
    next_seed = with_values(params, "ablation", {"seed": params.ablation.seed + 1})
    found = [identity(params, inputs, part=part) for part in (None, *PARTS)]
    # a seed's second training and the next seed's first one draw alike, from other dialogues
    found += [
        identity(params, inputs, repeat=1, fraction=0.5),
        identity(next_seed, inputs, repeat=0, fraction=0.5),
        identity(params, inputs, repeat=0, fraction=0.5),
        identity(params, inputs, repeat=0, fraction=0.25),
    ]
    assert len(set(found)) == len(found)
