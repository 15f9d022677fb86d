from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn import config_context
from sklearn.metrics import pairwise_distances_chunked

from stages.recommender.evaluation.baselines.examples import Examples
from stages.recommender.evaluation.baselines.neighbours import Bm25, NearestDialogues
from stages.recommender.evaluation.movie_lists import MovieLists


def examples(
    texts: list[str],
    mentions: list[list[int]],
    labels: list[list[int]],
    vectors: list[list[float]] | None = None,
) -> Examples:
    return Examples(
        texts,
        MovieLists.from_rows(mentions),
        MovieLists.from_rows(labels),
        None if vectors is None else np.array(vectors, dtype=np.float32),
    )


def test_the_nearest_dialogues_vote_by_similarity() -> None:
    train = examples(["a", "b", "c"], [[0], [], []], [[1], [2], [3]], [[2, 0], [1, 1], [-1, 0.0]])
    asked = examples(["q"], [[]], [[]], [[1, 0]])
    scores = NearestDialogues(4, neighbours=2, sharpness=2).fit(train).score(asked)
    # similarities 1 and 1/sqrt(2): weights 1 and 1/2; each label is that of a third of them
    popularity = 1 / 3 / 2
    assert_allclose(
        scores[0], [2 / 3, 2 / 3 + popularity, 1 / 3 + popularity, popularity], rtol=1e-5
    )


def test_an_opposite_dialogue_has_no_vote() -> None:
    train = examples(["a", "b"], [[], []], [[0], [1]], [[-1, 0], [-1, 0]])
    asked = examples(["q"], [[]], [[]], [[1, 0]])
    scores = NearestDialogues(3).fit(train).score(asked)
    assert_allclose(scores[0], [1 / 4, 1 / 4, 0])


def test_nearest_dialogues_need_vectors() -> None:
    with pytest.raises(ValueError, match="sentence vectors"):
        NearestDialogues(3).fit(examples(["a"], [[]], [[0]]))


def test_similarities_are_never_held_together(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks: list[int] = []

    def watched(*arguments: Any, **options: Any) -> Any:
        for block in pairwise_distances_chunked(*arguments, **options):
            blocks.append(len(block[0]))
            yield block

    monkeypatch.setattr("sklearn.neighbors._base.pairwise_distances_chunked", watched)
    count = 1_000
    vectors = np.random.default_rng(0).normal(size=(count, 4)).tolist()
    train = examples([""] * count, [[]] * count, [[0]] * count, vectors)
    model = NearestDialogues(3).fit(train)
    # a MiB holds fewer than the million similarities
    with config_context(working_memory=1):
        model.score(train)
    assert len(blocks) > 1
    assert sum(blocks) == count


TEXTS = ["funny robots", "sad robots love", "funny funny dogs", "war", "war music", "music"]


def test_bm25_is_that_of_its_formula() -> None:
    labels = [[index] for index in range(len(TEXTS))]
    train = examples(TEXTS, [[]] * len(TEXTS), labels)
    scores = Bm25(6, sharpness=1).fit(train).score(examples(["funny"], [[]], [[]]))[0] - 1 / 36
    mean = sum(len(text.split()) for text in TEXTS) / len(TEXTS)

    def weight(times: int, length: int) -> float:
        return times / (times + 1.5 * (1 - 0.75 + 0.75 * length / mean))

    first, third = weight(1, 2), weight(2, 3)
    assert np.flatnonzero(scores > 1e-6).tolist() == [0, 2]
    assert_allclose(scores[[0, 2]], np.array([first, third]) / (first + third), rtol=1e-4)


def test_bm25_reads_no_word_between_messages() -> None:
    labels = [[index] for index in range(len(TEXTS))]
    asked = ["funny love", "sep", "war music"]
    found = []
    for between in (" ", " [SEP] "):
        texts = [text.replace(" ", between) for text in TEXTS]
        train = examples(texts, [[]] * len(texts), labels)
        requests = examples([text.replace(" ", between) for text in asked], [[]] * 3, [[]] * 3)
        found.append(Bm25(6).fit(train).score(requests))
    assert_allclose(found[0], found[1])


def test_bm25_finds_a_dialogue_by_the_movie_it_mentions() -> None:
    train = examples(["@ was great", "@ was great"], [[7], [8]], [[1], [2]])
    scores = Bm25(9, sharpness=1).fit(train).score(examples(["something like @"], [[8]], [[]]))[0]
    assert scores[2] > scores[1]
    assert scores.argmax() == 2


def test_bm25_finds_nothing_where_no_word_is_known() -> None:
    train = examples(["funny", "@"], [[], []], [[1], [1]])
    scores = Bm25(3).fit(train).score(examples(["war", "", "the"], [[]] * 3, [[]] * 3))
    assert scores.argmax(axis=1).tolist() == [1, 1, 1]
