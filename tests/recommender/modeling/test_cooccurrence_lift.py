"""Worked out by hand: movies 0 to 3; three dialogues, of which 0 names {0, 1, 2} and recommends
{1, 2}, 1 names {0, 1} and recommends {1}, 2 names {0, 3} and recommends {0, 3}."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from ragged_rows import ragged

from stages.recommender.modeling.cooccurrence import FLOOR, Cooccurrence

MOVIES = 4
NAMED = [[0, 1, 2], [0, 1], [0, 3]]
RECOMMENDED = [[1, 2], [1], [0, 3]]
SHARE = [1 / 3, 2 / 3, 1 / 3, 1 / 3]
SHRINKAGE = 2.0


def counts(named: list[list[int]], recommended: list[list[int]]) -> Cooccurrence:
    return Cooccurrence.count(ragged(named), ragged(recommended), MOVIES, SHRINKAGE)


def lift(rates: list[float]) -> list[float]:
    return [
        math.log(rate + FLOOR) - math.log(share + FLOOR)
        for rate, share in zip(rates, SHARE, strict=True)
    ]


def test_the_lift_is_that_of_the_mean_shrunken_rate() -> None:
    # all three dialogues name 0, beside which 1 is recommended twice, 2 and 3 once
    beside_0 = [(0 + 2 / 3) / 5, (2 + 4 / 3) / 5, (1 + 2 / 3) / 5, (1 + 2 / 3) / 5]
    # two dialogues name 1, beside which 2 is recommended once
    beside_1 = [(0 + 2 / 3) / 4, (0 + 4 / 3) / 4, (1 + 2 / 3) / 4, (0 + 2 / 3) / 4]
    both = [(one + other) / 2 for one, other in zip(beside_0, beside_1, strict=True)]
    found = counts(NAMED, RECOMMENDED)(ragged([[0], [0, 1]]))
    assert found[0].tolist() == pytest.approx(lift(beside_0), abs=1e-5)
    assert found[1].tolist() == pytest.approx(lift(both), abs=1e-5)


def test_nothing_is_lifted_where_nothing_is_mentioned() -> None:
    assert counts(NAMED, RECOMMENDED)(ragged([[], [2], []]))[[0, 2]].tolist() == [[0.0] * 4] * 2


def test_a_movie_in_no_dialogue_lifts_nothing_and_is_not_lifted() -> None:
    known = counts(NAMED, RECOMMENDED)
    mentions = ragged([[0, 1], [2], []])
    more = known.with_uncounted(2)
    found = more(mentions)
    torch.testing.assert_close(found[:, :MOVIES], known(mentions))
    assert found[:, MOVIES:].tolist() == [[0.0] * 2] * 3
    assert more(ragged([[MOVIES]]))[0].tolist() == pytest.approx([0.0] * (MOVIES + 2), abs=1e-6)


def test_an_example_does_not_see_its_own_dialogue() -> None:
    # without dialogue 0, two name 0, beside which 1 and 3 are recommended once each; none has 2
    # beside 0, and none names 1 but the one that names 0
    beside_0 = [(0 + 2 / 3) / 4, (1 + 4 / 3) / 4, (0 + 2 / 3) / 4, (1 + 2 / 3) / 4]
    beside_1 = [(0 + 2 / 3) / 3, (0 + 4 / 3) / 3, (0 + 2 / 3) / 3, (0 + 2 / 3) / 3]
    both = [(one + other) / 2 for one, other in zip(beside_0, beside_1, strict=True)]
    found = counts(NAMED, RECOMMENDED)(ragged([[0, 1], [0, 1]]), ragged([[1, 2], []]))
    assert found[0].tolist() == pytest.approx(lift(both), abs=1e-5)
    seen = counts(NAMED, RECOMMENDED)(ragged([[0, 1]]))
    assert found[1].tolist() == seen[0].tolist()


movies = st.sets(st.integers(0, MOVIES - 1))
dialogues = st.lists(st.tuples(movies, movies.filter(bool)), min_size=2, max_size=6)


@settings(deadline=None, max_examples=40)
@given(dialogues, st.data())
def test_leaving_out_is_counting_without(
    made: list[tuple[set[int], set[int]]], data: st.DataObject
) -> None:
    named = [sorted(seeker | recommender) for seeker, recommender in made]
    recommended = [sorted(recommender) for _, recommender in made]
    mentions = sorted(data.draw(st.sets(st.sampled_from(named[0]))))
    all_counted = counts(named, recommended)
    found = all_counted(ragged([mentions]), ragged([recommended[0]]))
    without = counts(named[1:], recommended[1:])
    without.share.copy_(all_counted.share)  # popularity is that of all dialogues
    # a rate of almost nothing has few digits left once something was taken off it
    torch.testing.assert_close(found, without(ragged([mentions])), atol=2e-3, rtol=1e-4)
