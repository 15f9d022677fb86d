import numpy as np
import pyarrow as pa
import pytest
import small_project
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from ragged_rows import ragged
from torch import Tensor
from torch.nn import functional

from stages.recommender import artifacts
from stages.recommender.evaluation.rankings import top
from stages.recommender.modeling.losses import binary_cross_entropy
from stages.recommender.modeling.variants import VARIANTS, OneShotRecommender
from stages.recommender.params import Mentions, Model
from stages.recommender.training.batches import DialogueExamples, TagExamples
from stages.recommender.training.determinism import Machine
from stages.recommender.training.scoring import (
    best_movies,
    ranking_table,
    score,
    score_tags,
    sentence_vectors,
)

CPU = Machine(torch.device("cpu"), 1, torch.float32)
WIDTH, MOVIES = 4, 6
PARAMS = Model(
    pooling="mean",
    hidden_size=5,
    dropout=0.5,
    mentions=Mentions(max=3, embedding_size=2, hidden_size=2, reads_padding=False),
)


@pytest.fixture
def model() -> OneShotRecommender:
    torch.manual_seed(0)
    return OneShotRecommender(VARIANTS["multitask"], WIDTH, MOVIES, PARAMS)


@pytest.fixture
def examples() -> DialogueExamples:
    labels = ragged([[0], [1, 2], [5], [3], [0, 4]])
    empty = ragged([[]] * 5)
    return DialogueExamples(empty, empty, labels, torch.randn(5, WIDTH))


def test_bfloat16_rounds_no_score(model: OneShotRecommender, examples: DialogueExamples) -> None:
    rounded = Machine(CPU.device, 1, torch.bfloat16)
    scores = [
        score(model, None, examples, binary_cross_entropy, 2, machine) for machine in (CPU, rounded)
    ]
    assert scores[0].loss == scores[1].loss
    assert np.array_equal(scores[0].rankings, scores[1].rankings)


def targets() -> Tensor:
    matrix = torch.zeros(5, MOVIES)
    for row, column in [(0, 0), (1, 1), (1, 2), (2, 5), (3, 3), (4, 0), (4, 4)]:
        matrix[row, column] = 1
    return matrix


@pytest.mark.parametrize("batch", [1, 2, 5, 100])
def test_the_loss_is_the_mean_over_examples_whatever_the_batch(
    model: OneShotRecommender, examples: DialogueExamples, batch: int
) -> None:
    scored = score(model, None, examples, binary_cross_entropy, batch, CPU)
    assert not model.training
    logits = model(examples.vectors, examples.mentions)  # in evaluation mode: no dropout
    by_hand = functional.binary_cross_entropy_with_logits(logits, targets())
    assert scored.loss == pytest.approx(by_hand.item(), rel=1e-6)
    assert scored.rankings.tolist() == logits.argsort(dim=1, descending=True).tolist()


@pytest.mark.parametrize("batch", [2, 100])
def test_the_tags_loss_is_the_mean_over_tags(model: OneShotRecommender, batch: int) -> None:
    tags = TagExamples(ragged([[]] * 3), torch.tensor([3, 0, 3]), torch.randn(3, WIDTH))
    probabilities = model.eval().tag_logits(tags.vectors).softmax(1)
    by_hand = -sum(probabilities[tag, movie].log() for tag, movie in enumerate([3, 0, 3])) / 3
    assert score_tags(model, None, tags, batch, CPU) == pytest.approx(by_hand.item(), rel=1e-6)


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_scores_that_are_no_numbers_are_not_ranked(
    model: OneShotRecommender, examples: DialogueExamples, poison: float
) -> None:
    with torch.no_grad():
        model.head[4].bias[2] = poison
    with pytest.raises(FloatingPointError, match="no finite number"):
        score(model, None, examples, binary_cross_entropy, 2, CPU)


few_values = st.sampled_from([-np.inf, -2.5, -0.0, 0.0, 1e-40, 1.0, 3.0, np.inf])


@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 4), st.integers(1, 9)),
        elements=st.floats(width=32, allow_nan=False) | few_values,
    ),
    st.integers(1, 9),
)
def test_best_movies_are_those_of_numpy_ties_included(scores: np.ndarray, depth: int) -> None:
    best = best_movies(torch.from_numpy(scores), depth)
    assert best.dtype is torch.int32
    assert best.tolist() == top(scores, depth).tolist()


def test_kept_vectors_need_no_encoder(examples: DialogueExamples) -> None:
    assert sentence_vectors(None, examples) is examples.vectors
    with pytest.raises(RuntimeError, match="need an encoder"):
        sentence_vectors(None, DialogueExamples(ragged([[1]]), ragged([[]]), ragged([[0]])))


def test_rankings_stand_beside_what_they_answer() -> None:
    examples = small_project.examples(3, 1, [None])
    rankings = np.array([[2, 0], [1, 2], [0, 1]], dtype=np.int32)
    table = ranking_table("before", 1, examples, rankings)
    assert table.schema.equals(artifacts.RANKING_SCHEMA)
    expected = [
        {"reading": "before", "repeat": 1}
        | {name: row[name] for name in ("conversation_id", "turn", "mentions", "labels")}
        | {"ranking": ranking}
        for row, ranking in zip(examples.to_pylist(), rankings.tolist(), strict=True)
    ]
    assert table.to_pylist() == expected


def test_no_examples_give_an_empty_table() -> None:
    examples = small_project.examples(3, 1, [None]).slice(0, 0)
    table = ranking_table("turn", 0, examples, np.empty((0, 4), dtype=np.int32))
    assert table.num_rows == 0
    assert isinstance(table, pa.Table)
