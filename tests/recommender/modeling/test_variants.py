import pytest
import torch

from stages.recommender.modeling.ragged import Ragged
from stages.recommender.modeling.variants import VARIANTS, OneShotRecommender
from stages.recommender.params import Mentions, Model

PARAMS = Model(
    pooling="mean",
    hidden_size=256,
    dropout=0.1,
    mentions=Mentions(max=20, embedding_size=256, hidden_size=128, reads_padding=False),
)
MOVIES = 6636
NO_MENTIONS = Ragged(torch.empty(0, dtype=torch.int64), torch.zeros(2, dtype=torch.int64))

HEAD = 384 * 256 + 256 + 256 * MOVIES + MOVIES
WIDE_HEAD = 640 * 256 + 256 + 256 * MOVIES + MOVIES
# a direction of a GRU: three gates, each with input weights, hidden weights and two biases
GRU = 2 * 3 * (256 * 128 + 128 * 128 + 2 * 128)
MENTIONS = (MOVIES + 1) * 256 + GRU


@pytest.mark.parametrize(
    ("variant", "parameters"),
    [
        ("baseline", HEAD),
        ("rnn", WIDE_HEAD + MENTIONS),
        ("multitask", 2 * HEAD),
        ("rnn-multitask", WIDE_HEAD + MENTIONS + HEAD),
    ],
)
def test_sizes_are_the_notebooks(variant: str, parameters: int) -> None:
    model = OneShotRecommender(VARIANTS[variant], 384, MOVIES, PARAMS)
    assert sum(p.numel() for p in model.parameters()) == parameters
    assert model(torch.zeros(2, 384), NO_MENTIONS).shape == (2, MOVIES)


def test_head_is_dropout_linear_relu_dropout_linear() -> None:
    model = OneShotRecommender(VARIANTS["baseline"], 4, 3, PARAMS).eval()
    first, second = model.head[1], model.head[4]
    sentences = torch.randn(2, 4)
    hidden = (sentences @ first.weight.T + first.bias).clamp(min=0)
    by_hand = hidden @ second.weight.T + second.bias
    torch.testing.assert_close(model(sentences, NO_MENTIONS), by_hand)
    assert [model.head[0].p, model.head[3].p] == [0.1, 0.1]


def test_tags_need_a_head() -> None:
    model = OneShotRecommender(VARIANTS["rnn"], 4, 3, PARAMS)
    with pytest.raises(RuntimeError, match="does not learn tags"):
        model.tag_logits(torch.zeros(1, 4))
