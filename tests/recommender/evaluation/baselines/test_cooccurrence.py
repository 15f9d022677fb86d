import numpy as np
import pytest
from numpy.testing import assert_allclose

from stages.recommender.evaluation.baselines.cooccurrence import (
    Cooccurrence,
    MentionsThenCooccurrence,
)
from stages.recommender.evaluation.baselines.examples import Examples
from stages.recommender.evaluation.movie_lists import MovieLists
from stages.recommender.evaluation.rankings import top


def examples(mentions: list[list[int]], labels: list[list[int]]) -> Examples:
    texts = ["hi"] * len(labels)
    return Examples(texts, MovieLists.from_rows(mentions), MovieLists.from_rows(labels))


TRAIN = examples([[0, 0], [0], [4], []], [[1, 2], [2], [2, 3], [1]])


def test_rates_by_hand() -> None:
    # movie 0 is named in two dialogues, with label 1 once and label 2 twice; the shares of the
    # movies are 0, 2/4, 3/4, 1/4 and 0; one dialogue is imagined
    scores = Cooccurrence(5).fit(TRAIN).score(examples([[0], [0, 0]], [[], []]))
    expected = [0 / 3, (1 + 0.5) / 3, (2 + 0.75) / 3, (0 + 0.25) / 3, 0]
    assert_allclose(scores, [expected, expected], rtol=1e-6)


def test_rates_of_several_mentions_add_up() -> None:
    first, second, both = Cooccurrence(5).fit(TRAIN).score(examples([[0], [4], [4, 0]], [[]] * 3))
    assert_allclose(both, first + second, rtol=1e-6)


def test_a_label_names_its_movie_too_but_does_not_co_occur_with_itself() -> None:
    # movie 2 is named in three dialogues, all as a label, with label 1 once and label 3 once
    scores = Cooccurrence(5, shrinkage=2.0).fit(TRAIN).score(examples([[2]], [[]]))
    assert_allclose(
        scores[0],
        [0, (1 + 2 * 0.5) / 5, (0 + 2 * 0.75) / 5, (1 + 2 * 0.25) / 5, 0],
        rtol=1e-6,
    )


def test_without_mentions_or_knowledge_it_is_popularity() -> None:
    known = Cooccurrence(6).fit(TRAIN)
    none, unknown = known.score(examples([[], [5]], [[], []]))
    assert_allclose(none, [0, 0.5, 0.75, 0.25, 0, 0], rtol=1e-6)
    assert_allclose(unknown, none, rtol=1e-6)


def test_mentions_come_first_by_their_own_scores() -> None:
    asked = examples([[3, 4, 2]], [[]])
    plain = Cooccurrence(5).fit(TRAIN).score(asked)[0]
    found = top(MentionsThenCooccurrence(5).fit(TRAIN).score(asked))[0].tolist()
    by_score = np.argsort(-plain, kind="stable").tolist()
    mentioned = [movie for movie in by_score if movie in {2, 3, 4}]
    assert found == [*mentioned, *(movie for movie in by_score if movie not in {2, 3, 4})]


def test_shrinkage_is_greater_than_nothing() -> None:
    with pytest.raises(ValueError, match="shrinkage is 0"):
        Cooccurrence(5, shrinkage=0)
