"""What holds for every baseline."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from stages.recommender.evaluation.baselines.examples import Examples
from stages.recommender.evaluation.baselines.interface import Baseline
from stages.recommender.evaluation.baselines.registry import NAMES, baselines
from stages.recommender.evaluation.movie_lists import MovieLists

MOVIES = 30
WORDS = "funny scary sad space robots love war music dogs".split()  # noqa: SIM905


def drawn(count: int, seed: int) -> Examples:
    """Random examples whose vectors count their words; the last request is bare."""
    generator = np.random.default_rng(seed)
    words = generator.integers(0, len(WORDS), (count, 3))
    vectors = np.zeros((count, len(WORDS)), dtype=np.float32)
    np.add.at(vectors, (np.arange(count)[:, None], words), 1)
    mentions = [generator.integers(0, MOVIES, size).tolist() for size in words[:, 0] % 4]
    labels = [sorted(set(generator.integers(0, MOVIES, 3).tolist())) for _ in range(count)]
    texts = [" ".join(WORDS[word] for word in row) for row in words]
    texts[-1], mentions[-1] = "@", []
    return Examples(texts, MovieLists.from_rows(mentions), MovieLists.from_rows(labels), vectors)


@pytest.fixture(params=NAMES)
def baseline(request: pytest.FixtureRequest) -> Baseline:
    return next(each for each in baselines(MOVIES) if each.name == request.param)


TRAIN, TEST = drawn(40, seed=0), drawn(7, seed=1)


def test_names_differ() -> None:
    assert len(set(NAMES)) == len(NAMES) == 6
    assert tuple(each.name for each in baselines(MOVIES)) == NAMES


def test_scores_every_movie_for_every_request(baseline: Baseline) -> None:
    scores = baseline.fit(TRAIN).score(TEST)
    assert scores.shape == (len(TEST), MOVIES)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()


def test_same_examples_same_scores(baseline: Baseline) -> None:
    first = baseline.fit(TRAIN).score(TEST)
    baseline.fit(drawn(20, seed=2)).score(TEST)
    assert_array_equal(baseline.fit(TRAIN).score(TEST), first)


def test_a_request_is_scored_without_regard_to_its_labels_or_the_others(
    baseline: Baseline,
) -> None:
    baseline.fit(TRAIN)
    together = baseline.score(TEST)
    kept = np.arange(len(TEST)) == 3
    alone = Examples(
        [TEST.texts[3]],
        TEST.mentions.keep_rows(kept),
        MovieLists.from_rows([[0]]),
        None if TEST.vectors is None else TEST.vectors[kept],
    )
    np.testing.assert_allclose(baseline.score(alone)[0], together[3], rtol=1e-5, atol=1e-7)


def test_a_bare_request_gets_the_popular_movies_unless_vectors_say_more(
    baseline: Baseline,
) -> None:
    bare = baseline.fit(TRAIN).score(TEST)[-1]
    if baseline.name != "nearest-dialogues":
        counts = TRAIN.label_counts(MOVIES)
        assert_array_equal(np.argsort(-bare, kind="stable"), np.argsort(-counts, kind="stable"))


def test_learns_from_fewer_examples_than_it_would_ask(baseline: Baseline) -> None:
    assert np.isfinite(baseline.fit(drawn(2, seed=3)).score(TEST)).all()


def test_answers_nothing_for_no_request(baseline: Baseline) -> None:
    nothing = Examples(
        [], MovieLists.from_rows([]), MovieLists.from_rows([]), np.empty((0, 9), np.float32)
    )
    assert baseline.fit(TRAIN).score(nothing).shape == (0, MOVIES)
