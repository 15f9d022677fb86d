"""Worked out by hand: movies 0 to 3; three dialogues, of which 0 names {0, 1}, 1 names {1, 2} and
2 names {1}. Movie 1 weighs log(4 / 4) = 0, movies 0 and 2 weigh log(4 / 2), 3 weighs log(4 / 1)."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from ragged_rows import ragged
from served_models import GATE
from sklearn.metrics.pairwise import cosine_similarity

from stages.recommender.modeling.neighbours import FLOOR, Nearest, Neighbours
from stages.recommender.modeling.ragged import Ragged

MOVIES, WIDTH = 4, 2
NAMED = [[0, 1], [1, 2], [1]]
SHARE = [1 / 3, 3 / 3, 1 / 3, 0.0]
KEYS = torch.tensor([[2.0, 0.0], [0.0, 5.0], [3.0, 4.0]])
"""Of lengths 2, 5 and 5: the cosines with (1, 0) are 1, 0 and 0.6."""
AHEAD = torch.tensor([[1.0, 0.0]])


def neighbours(
    nearest: int = 3, sharpness: float = 2.0, mentions: float = 0.5, keys: torch.Tensor = KEYS
) -> Neighbours:
    params = GATE.model_copy(
        update={
            "neighbours": nearest,
            "neighbour_sharpness": sharpness,
            "neighbour_mentions": mentions,
        }
    )
    return Neighbours(3, 5, MOVIES, WIDTH, params).remember(keys, ragged(NAMED))


def asked(
    model: Neighbours,
    sentences: torch.Tensor,
    mentions: Ragged,
    said_in: torch.Tensor | None = None,
    own: torch.Tensor | None = None,
) -> torch.Tensor:
    found: torch.Tensor = model(model.nearest_to(sentences, mentions, said_in, own))
    return found


def lift(votes: list[float]) -> list[float]:
    return [
        math.log(vote + FLOOR) - math.log(share + FLOOR)
        for vote, share in zip(votes, SHARE, strict=True)
    ]


def voted(similarities: list[float], sharpness: float = 2.0) -> list[float]:
    """What dialogues of these similarities vote for; ``-inf``: none."""
    weights = np.exp(sharpness * np.array(similarities))
    first, second, third = weights / weights.sum()
    return [first, first + second + third, second, 0.0]


def test_dialogues_vote_by_the_cosine_of_their_vectors() -> None:
    found = asked(neighbours(), AHEAD, ragged([[]]))
    assert found[0].tolist() == pytest.approx(lift(voted([1.0, 0.0, 0.6])), abs=1e-5)


def test_what_both_name_makes_a_dialogue_more_alike_by_its_rarity() -> None:
    # the request's weights: log 2 of movie 2, log 4 = 2 log 2 of movie 3, none of movie 1; those
    # of dialogue 1: log 2 of movie 2
    cosine = 1 / math.sqrt(1 + 4)
    found = asked(neighbours(), AHEAD, ragged([[2, 3, 1]]))
    expected = lift(voted([1.0, 0.5 * cosine, 0.6]))
    assert found[0].tolist() == pytest.approx(expected, abs=1e-5)


def test_the_nearest_alone_vote() -> None:
    found = asked(neighbours(nearest=2), AHEAD, ragged([[]]))
    assert found[0].tolist() == pytest.approx(lift(voted([1.0, -math.inf, 0.6])), abs=1e-5)
    found = asked(neighbours(nearest=50), AHEAD, ragged([[]]))
    assert found[0].tolist() == pytest.approx(lift(voted([1.0, 0.0, 0.6])), abs=1e-5)


def test_a_request_does_not_see_its_own_dialogue() -> None:
    sentences, mentions = AHEAD.expand(3, -1), ragged([[], [], []])
    found = asked(neighbours(), sentences, mentions, own=torch.tensor([0, -1, 2]))
    without = [[-math.inf, 0.0, 0.6], [1.0, 0.0, 0.6], [1.0, 0.0, -math.inf]]
    for row, similarities in enumerate(without):
        expected = lift(voted(similarities))
        assert found[row].tolist() == pytest.approx(expected, abs=1e-5)


def test_a_dialogue_without_a_vector_is_found_by_what_it_names() -> None:
    keys = KEYS.clone()
    keys[1] = 0
    found = asked(neighbours(keys=keys), AHEAD, ragged([[2]]))
    assert found[0].tolist() == pytest.approx(lift(voted([1.0, 0.5, 0.6])), abs=1e-5)


def test_several_sets_of_mentions_share_the_sentence_that_they_are_said_in() -> None:
    model, sentences = neighbours(), torch.tensor([[1.0, 0.0], [-1.0, 2.0]])
    mentions, said_in = ragged([[2], [], [0, 1]]), torch.tensor([1, 0, 1])
    torch.testing.assert_close(
        asked(model, sentences, mentions, said_in), asked(model, sentences[said_in], mentions)
    )


def test_a_movie_that_no_dialogue_names_changes_nothing_for_the_others() -> None:
    model, mentions = neighbours(), ragged([[2, 1], [0]])
    sentences = torch.tensor([[1.0, 0.0], [-1.0, 2.0]])
    more = model.with_unnamed(2)
    found = asked(more, sentences, mentions)
    torch.testing.assert_close(found[:, :MOVIES], asked(model, sentences, mentions))
    assert found[:, MOVIES:].tolist() == [[0.0, 0.0]] * 2
    assert asked(more, AHEAD, ragged([[MOVIES + 1]])).isfinite().all()
    assert len(model.naming) == MOVIES


def test_what_is_nearest_is_taken_and_split_by_requests() -> None:
    numbers = torch.tensor([[0, 1], [2, 0], [1, 2]], dtype=torch.int32)
    weights = torch.tensor([[0.6, 0.4], [0.9, 0.1], [0.5, 0.5]])
    every = Nearest(numbers, weights)
    taken = every.take(torch.tensor([2, 0]))
    assert taken.numbers.tolist() == [[1, 2], [0, 1]]
    assert taken.weights.tolist() == weights[[2, 0]].tolist()
    first, second = every.split([1, 2])
    assert (first.numbers.tolist(), second.weights.tolist()) == ([[0, 1]], weights[1:].tolist())
    again = Nearest.concatenate([first, second])
    assert torch.equal(again.numbers, numbers) and torch.equal(again.weights, weights)
    torch.testing.assert_close(
        neighbours()(every.take(torch.tensor([1])))[0],
        torch.tensor(lift([0.1, 1.0, 0.0, 0.0])),  # 2 names {1}, 0 names {0, 1}
    )


def test_nothing_is_learned() -> None:
    model = neighbours()
    assert not list(model.parameters())
    sentences = AHEAD.clone().requires_grad_()
    assert not asked(model, sentences, ragged([[2]])).requires_grad


dialogue = st.sets(st.integers(0, 6), min_size=1)


@settings(deadline=None, max_examples=40)
@given(st.lists(dialogue, min_size=2, max_size=6), st.lists(st.sets(st.integers(0, 6)), max_size=4))
def test_the_lift_is_that_of_dense_matrices(made: list[set[int]], requests: list[set[int]]) -> None:
    """By scikit-learn's cosines, of any dialogues and requests."""
    generator = np.random.default_rng(len(made))
    keys, sentences = (
        generator.normal(size=(len(made), 3)),
        generator.normal(size=(len(requests), 3)),
    )
    named, mentions = np.zeros((len(made), 7)), np.zeros((len(requests), 7))
    for matrix, rows in ((named, made), (mentions, requests)):
        for row, movies in enumerate(rows):
            matrix[row, list(movies)] = 1
    params = GATE.model_copy(update={"neighbours": 9, "neighbour_sharpness": 3.0})
    model = Neighbours(len(made), int(named.sum()), 7, 3, params)
    model.remember(torch.from_numpy(keys), ragged([sorted(row) for row in made]))
    rows = ragged([sorted(row) for row in requests])
    found = asked(model, torch.from_numpy(sentences).float(), rows).numpy()
    if not requests:
        assert found.shape == (0, 7)
        return
    weights = np.log((len(made) + 1) / (named.sum(axis=0) + 1))
    common = cosine_similarity(mentions * weights, named * weights)
    similar = np.exp(3.0 * (cosine_similarity(sentences, keys) + 0.5 * common))
    votes = similar / similar.sum(axis=1, keepdims=True) @ named
    expected = np.log(votes + FLOOR) - np.log(named.mean(axis=0) + FLOOR)
    np.testing.assert_allclose(found, expected, atol=2e-4)
