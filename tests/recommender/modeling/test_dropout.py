import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from transformers import AutoModel

from stages.recommender.modeling import dropout
from stages.recommender.modeling.dropout import Dropout, attention, draws, kept, quicken

TEXTS, HEADS, TOKENS, WIDTH = 3, 2, 5, 4
LENGTHS = torch.tensor([5, 2, 4])
MASK = (torch.arange(TOKENS) < LENGTHS[:, None])[:, None, None, :]


def heads() -> list[Tensor]:
    torch.manual_seed(3)
    return [torch.randn(TEXTS, HEADS, TOKENS, WIDTH, requires_grad=True) for _ in range(3)]


def weights_by_hand(query: Tensor, key: Tensor) -> Tensor:
    scores = query @ key.transpose(2, 3) * 0.7
    return torch.softmax(scores.masked_fill(~MASK, -math.inf), dim=3)


def test_draws_are_those_of_torchs_generator() -> None:
    torch.manual_seed(1)
    first, second = draws(torch.Size([3, 7])), draws(torch.Size([3, 7]))
    torch.manual_seed(1)
    assert torch.equal(draws(torch.Size([3, 7])), first)
    assert not torch.equal(first, second)
    assert (first.shape, first.dtype) == ((3, 7), torch.int16)


@pytest.mark.parametrize("lane", range(4))
def test_each_quarter_of_a_draw_is_even(lane: int) -> None:
    torch.manual_seed(0)
    drawn = draws(torch.Size([400_000]))[lane::4].double()
    # a hundred thousand of mean -0.5 and deviation 18,918.6: four deviations of their mean
    assert abs(drawn.mean() + 0.5) < 4 * 18_918.6 / math.sqrt(100_000)
    assert drawn.std().item() == pytest.approx(18_918.6, rel=0.01)


@given(st.floats(0, 0.99))
def test_of_all_draws_as_many_are_dropped_as_p_says(p: float) -> None:
    every = torch.arange(-(2**15), 2**15).to(torch.int16)
    found = kept(every, p)
    assert set(found.unique().tolist()) <= {0.0, 1.0}
    assert abs((found == 0).sum() - p * 2**16) <= 0.5


def test_dropout_scales_what_it_keeps_and_its_gradient() -> None:
    values = torch.rand(1000, 7) + 1
    values.requires_grad_()
    torch.manual_seed(0)
    found = Dropout(0.25)(values)
    found.sum().backward()
    torch.manual_seed(0)
    factor = kept(draws(values.shape), 0.25) / 0.75
    torch.testing.assert_close(found, values * factor)
    assert values.grad is not None
    torch.testing.assert_close(values.grad, factor)
    assert (found == 0).float().mean().item() == pytest.approx(0.25, abs=0.02)


def test_what_is_in_bfloat16_stays_so() -> None:
    values = torch.ones(1000, dtype=torch.bfloat16)
    found = Dropout(0.5)(values)
    assert found.dtype is torch.bfloat16
    assert set(found.tolist()) == {0.0, 2.0}


def test_nothing_is_dropped_but_in_training() -> None:
    values = torch.rand(100)
    assert torch.equal(Dropout(0.5).eval()(values), values)
    assert torch.equal(Dropout(0.0)(values), values)


def test_attention_with_dropout_and_its_gradients() -> None:
    layer, p = nn.Module(), 0.3
    query, key, value = heads()
    torch.manual_seed(5)
    found, _ = attention(layer, query, key, value, MASK, p, 0.7, position_ids=None)
    found.square().sum().backward()
    gradients = [each.grad for each in (query, key, value)]

    query, key, value = heads()
    torch.manual_seed(5)
    left = kept(draws(torch.Size([TEXTS * HEADS, TOKENS, TOKENS])), p)
    weights = weights_by_hand(query, key) * left.view(TEXTS, HEADS, TOKENS, TOKENS) / (1 - p)
    expected = (weights @ value).transpose(1, 2)
    expected.square().sum().backward()
    torch.testing.assert_close(found, expected)
    for gradient, each in zip(gradients, (query, key, value), strict=True):
        torch.testing.assert_close(gradient, each.grad)
    assert gradients[1] is not None
    assert gradients[1][1, :, 2:].count_nonzero() == 0  # beyond a text nothing is read


def test_attention_without_dropout_is_the_librarys(monkeypatch: pytest.MonkeyPatch) -> None:
    query, key, value = heads()
    monkeypatch.setattr(dropout, "draws", None)
    found, _ = attention(nn.Module(), query, key, value, MASK, 0.0, 0.7)
    torch.testing.assert_close(found, (weights_by_hand(query, key) @ value).transpose(1, 2))


def test_attention_is_in_float32_where_the_rest_is_in_bfloat16() -> None:
    query, key, value = (each.detach().bfloat16() for each in heads())
    outputs = []
    for inputs in ((query, key, value), (query.float(), key.float(), value.float())):
        torch.manual_seed(2)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=inputs[0] is query):
            outputs.append(attention(nn.Module(), *inputs, MASK, 0.3, 0.7)[0])
    assert outputs[0].dtype is torch.bfloat16
    assert torch.equal(outputs[0], outputs[1].bfloat16())


def test_an_encoder_of_the_library_is_quickened_in_all_its_layers(tiny_encoder: Path) -> None:
    encoder = AutoModel.from_pretrained(tiny_encoder).train()
    saved = encoder.config.to_dict()
    before = sum(isinstance(module, nn.Dropout) for module in encoder.modules())
    quicken(encoder)
    after = [module for module in encoder.modules() if isinstance(module, nn.Dropout)]
    assert (len(after), {type(module) for module in after}) == (before, {Dropout})
    assert encoder.config.to_dict() == saved  # a folder that it is written to is the library's
    ids = torch.tensor([[2, 5, 6, 3], [2, 7, 3, 0]])
    mask = torch.tensor([[True] * 4, [True, True, True, False]])[:, None, None, :]
    torch.manual_seed(0)
    drawn = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
    assert not torch.equal(drawn, encoder(input_ids=ids, attention_mask=mask).last_hidden_state)
    torch.manual_seed(0)
    assert torch.equal(drawn, encoder(input_ids=ids, attention_mask=mask).last_hidden_state)


def test_an_encoder_that_attends_otherwise_keeps_its_attention(tiny_encoder: Path) -> None:
    encoder = AutoModel.from_pretrained(tiny_encoder, attn_implementation="eager")
    quicken(encoder)
    assert encoder.config._attn_implementation == "eager"
