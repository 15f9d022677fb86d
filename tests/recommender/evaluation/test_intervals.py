from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.stats import bootstrap, permutation_test

from stages.recommender.evaluation.intervals import Comparison, Dialogues, compare, holm

GENERATOR = np.random.default_rng(1)
VALUES = GENERATOR.beta(1, 3, 200)


def mean(values: np.ndarray, axis: int) -> np.ndarray:
    return np.asarray(values.mean(axis=axis))


def test_a_mean_has_the_interval_that_scipy_gives() -> None:
    ours = Dialogues(np.arange(200)).means(VALUES[:, None])[0]
    theirs = bootstrap((VALUES,), mean, method="percentile", rng=2).confidence_interval
    assert ours.value == pytest.approx(VALUES.mean(), abs=1e-12)
    # both are 9,999 random resamples; their ends differ by about a hundredth of the width
    slack = 0.03 * (theirs.high - theirs.low)
    assert ours.low == pytest.approx(theirs.low, abs=slack)
    assert ours.high == pytest.approx(theirs.high, abs=slack)


def test_a_ratio_has_the_interval_that_scipy_gives() -> None:
    below = GENERATOR.integers(1, 9, 200).astype(float)
    above = GENERATOR.binomial(below.astype(int), 0.3).astype(float)

    def ratio(above: np.ndarray, below: np.ndarray, axis: int) -> np.ndarray:
        return np.asarray(above.sum(axis=axis) / below.sum(axis=axis))

    ours = Dialogues(np.arange(200)).ratios(above[:, None], below[:, None])[0]
    theirs = bootstrap(
        (above, below), ratio, paired=True, method="percentile", rng=2
    ).confidence_interval
    slack = 0.03 * (theirs.high - theirs.low)
    assert ours.value == pytest.approx(above.sum() / below.sum(), abs=1e-12)
    assert ours.low == pytest.approx(theirs.low, abs=slack)
    assert ours.high == pytest.approx(theirs.high, abs=slack)


def test_examples_of_one_dialogue_are_drawn_together() -> None:
    # ten times the same value says nothing new: as wide as with each dialogue once
    once = Dialogues(np.arange(200)).means(VALUES[:, None])[0]
    repeated = Dialogues(np.repeat(np.arange(200), 10)).means(np.repeat(VALUES, 10)[:, None])[0]
    assert_allclose(
        (repeated.value, repeated.low, repeated.high), (once.value, once.low, once.high)
    )


def test_many_figures_get_the_intervals_that_each_gets_alone() -> None:
    columns = np.stack([VALUES, VALUES**2], axis=1)
    dialogues = Dialogues(np.arange(200) // 3, resamples=500)
    alone = [dialogues.means(columns[:, [i]])[0] for i in range(2)]
    assert_allclose(
        [(each.value, each.low, each.high) for each in dialogues.means(columns)],
        [(each.value, each.low, each.high) for each in alone],
    )


def test_the_order_of_dialogues_does_not_matter_to_the_value_and_the_seed_fixes_the_rest() -> None:
    first, again, other = (
        Dialogues(np.arange(200), resamples=300, seed=seed).means(VALUES[:, None])[0]
        for seed in (7, 7, 8)
    )
    assert first == again
    assert (first.low, first.high) != (other.low, other.high)


def test_95_of_100_intervals_hold_the_truth() -> None:
    held = 0
    for _ in range(300):
        drawn = GENERATOR.exponential(1.0, 80)
        interval = Dialogues(np.arange(80), resamples=400).means(drawn[:, None])[0]
        held += interval.low <= 1.0 <= interval.high
    assert 0.88 <= held / 300 <= 0.98


def test_p_values_are_those_that_scipy_gives() -> None:
    differences = GENERATOR.normal(0.1, 1.0, (60, 3))
    ours = Dialogues(np.arange(60)).sign_flip_p_values(differences)
    for column, found in zip(differences.T, ours, strict=True):
        theirs = permutation_test(
            (column,), mean, permutation_type="samples", vectorized=True, n_resamples=9_999, rng=3
        ).pvalue
        assert found == pytest.approx(theirs, abs=0.02)


def test_p_value_of_few_dialogues_by_hand() -> None:
    differences = np.array([3.0, 1.0, -0.5, 2.0])
    sums = [abs(np.dot(signs, differences)) for signs in product((-1, 1), repeat=4)]
    exact = np.mean([each >= differences.sum() for each in sums])  # 4 of 16
    found = Dialogues(np.arange(4)).sign_flip_p_values(differences[:, None])[0]
    assert found == pytest.approx(exact, abs=0.02)


def test_equal_models_differ_by_chance_alone() -> None:
    found = compare({"a": VALUES, "b": VALUES}, Dialogues(np.arange(200), resamples=99))
    assert len(found) == 1
    assert found[0].p_value == 1
    difference = found[0].difference
    assert (difference.value, difference.low, difference.high) == (0, 0, 0)


def test_dialogues_and_not_examples_are_tested() -> None:
    # one dialogue of a hundred turns is one observation
    differences = np.ones((100, 1))
    assert Dialogues(np.zeros(100, dtype=np.int64)).sign_flip_p_values(differences)[0] == 1
    assert Dialogues(np.arange(100)).sign_flip_p_values(differences)[0] == 1 / 10_000


def test_compares_every_two_models_or_the_pairs_it_is_given() -> None:
    values = {"a": VALUES, "b": VALUES + 0.1, "c": VALUES[::-1]}
    dialogues = Dialogues(np.arange(200), resamples=199)
    every = compare(values, dialogues)
    assert [(each.first, each.second) for each in every] == [("a", "b"), ("a", "c"), ("b", "c")]
    one: Comparison = compare(values, dialogues, [("b", "a")])[0]
    assert one.difference.value == pytest.approx(0.1)
    assert one.adjusted_p_value == one.p_value == 1 / 200
    assert every[0].adjusted_p_value == pytest.approx(3 / 200)
    assert compare(values, dialogues, []) == []


def test_holm_by_hand() -> None:
    found = holm(np.array([0.01, 0.04, 0.03, 0.005, 0.5]))
    assert_allclose(found, [0.04, 0.09, 0.09, 0.025, 0.5])
    assert holm(np.array([0.9, 0.8])).tolist() == [1, 1]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
@settings(deadline=None)
def test_holm_is_between_no_correction_and_bonferroni(p_values: list[float]) -> None:
    given_values = np.array(p_values)
    adjusted = holm(given_values)
    assert (adjusted >= given_values).all()
    assert (adjusted <= np.minimum(given_values * len(p_values), 1)).all()
    assert (np.diff(adjusted[np.argsort(given_values, kind="stable")]) >= 0).all()
    assert adjusted.min() == pytest.approx(min(1, given_values.min() * len(p_values)))


def test_refuses_no_examples_and_other_lengths() -> None:
    with pytest.raises(ValueError, match="no examples"):
        Dialogues(np.array([], dtype=np.int64))
    with pytest.raises(ValueError, match="3 values for 2 examples"):
        Dialogues(np.arange(2)).means(np.zeros((3, 1)))
