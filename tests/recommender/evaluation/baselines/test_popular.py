import numpy as np
from numpy.testing import assert_allclose

from stages.recommender.evaluation.baselines.examples import Examples
from stages.recommender.evaluation.baselines.popular import MentionsThenPopular, MostPopular
from stages.recommender.evaluation.movie_lists import MovieLists
from stages.recommender.evaluation.rankings import top


def examples(mentions: list[list[int]], labels: list[list[int]]) -> Examples:
    texts = ["hi"] * len(labels)
    return Examples(texts, MovieLists.from_rows(mentions), MovieLists.from_rows(labels))


TRAIN = examples([[0], [0], [4], []], [[1, 2], [2], [2, 3], [1]])


def test_popularity_is_the_share_of_examples_with_the_label() -> None:
    scores = MostPopular(5).fit(TRAIN).score(examples([[], [0]], [[], []]))
    assert_allclose(scores, [[0, 0.5, 0.75, 0.25, 0]] * 2)


def test_mentions_come_first_in_the_order_in_which_they_are_made() -> None:
    asked = examples([[4, 1, 4], [], [3]], [[], [], []])
    best = top(MentionsThenPopular(5).fit(TRAIN).score(asked))
    assert best.tolist() == [[4, 1, 2, 3, 0], [2, 1, 3, 0, 4], [3, 2, 1, 0, 4]]


def test_many_mentions_keep_their_order() -> None:
    order = np.random.default_rng(0).permutation(60).tolist()
    asked = examples([order], [[]])
    assert top(MentionsThenPopular(100).fit(TRAIN).score(asked))[0, :60].tolist() == order
