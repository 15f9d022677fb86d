"""Dropout of a learning encoder, and its attention with dropout, for the CPU.

On a CPU torch draws a number of the Mersenne twister for each element, unless Intel made it, and
has no kernel for attention with dropout: it goes through many passes and keeps them all for the
gradient. Here four elements share a draw of 64 bits from a quicker generator (SFC64), which
torch's seeds, and attention's gradient is written out.
"""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

_NAME = "recommender_cpu_dropout"
"""Of the attention, where transformers registers it."""


def draws(shape: torch.Size) -> Tensor:
    """Numbers drawn evenly from -32,768 to 32,767, by torch's generator of the CPU: int16."""
    elements = math.prod(shape)
    seed = torch.empty((), dtype=torch.int64).random_().item()
    bits = np.random.SFC64(int(seed)).random_raw(-(-elements // 4))
    return torch.from_numpy(bits.view(np.int16)[:elements]).view(shape)


def kept(drawn: Tensor, p: float, dtype: torch.dtype = torch.float32) -> Tensor:
    """1 where an element is kept, 0 where it is dropped.

    Args:
        drawn: By :func:`draws`.
        p: The probability that it is dropped, from 0 to below 1, to 1 / 65,536.
        dtype: Of the answer.
    """
    least = round(p * 2**16) - 2**15
    return torch.ge(drawn, least, out=torch.empty(drawn.shape, dtype=dtype))


class Dropout(nn.Dropout):
    """As torch's, but for how it draws on a CPU."""

    def forward(self, values: Tensor) -> Tensor:
        """Drop elements in training: any shape → the same."""
        if not self.training or self.p == 0 or values.device.type != "cpu":
            return super().forward(values)
        return (values * kept(draws(values.shape), self.p, values.dtype)).mul_(1 / (1 - self.p))


class _Attention(torch.autograd.Function):
    """softmax(scaling × query key' + bias), with dropout, times value.

    Vaswani et al. 2017, "Attention Is All You Need", equation 1; all are (heads of all texts,
    tokens, width), the bias (heads of all texts, 1, tokens).
    """

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, bias: Tensor, p: float, scaling: float
    ) -> Tensor:
        scores = torch.baddbmm(bias, query, key.mT, alpha=scaling)  # (heads, tokens, tokens)
        weights = torch.softmax(scores, dim=2)
        drawn = draws(weights.shape)
        ctx.save_for_backward(query, key, value, weights, drawn)
        ctx.p, ctx.scaling = p, scaling
        return torch.bmm(kept(drawn, p).mul_(weights), value).mul_(1 / (1 - p))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None, None]:
        query, key, value, weights, drawn = ctx.saved_tensors
        gradient = gradients[0] / (1 - ctx.p)  # (heads, tokens, width)
        left = kept(drawn, ctx.p).mul_(weights)  # (heads, tokens, tokens), dropped weights are 0
        of_value = torch.bmm(left.mT, gradient)
        of_scores = torch.bmm(gradient, value.mT).mul_(left)
        of_scores.addcmul_(weights, of_scores.sum(2, keepdim=True), value=-1)
        of_query = torch.bmm(of_scores, key).mul_(ctx.scaling)
        of_key = torch.bmm(of_scores.mT, query).mul_(ctx.scaling)
        return of_query, of_key, of_value, None, None, None


def attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """What transformers calls where an encoder attends.

    Args:
        module: The attention layer.
        query: (texts, heads, tokens, width)
        key: (texts, heads, tokens, width)
        value: (texts, heads, tokens, width)
        attention_mask: True where a token is the text's. (texts, 1, 1, tokens)
        dropout: Probability that a weight is dropped; 0 but in training.
        scaling: Of the scores.
        options: What else transformers passes.

    Returns:
        (texts, tokens, heads, width), and no weights.
    """
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    asked = any(option is not None for option in options.values())
    on_cpu = query.device.type == "cpu"
    if dropout == 0 or not on_cpu or attention_mask is None or scaling is None or asked:
        result: tuple[Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout, scaling, **options
        )
        return result
    texts, heads, tokens, _ = query.shape
    bias = torch.zeros(attention_mask.shape).masked_fill_(~attention_mask, -math.inf)
    bias = bias.expand(texts, heads, 1, tokens).flatten(0, 1)  # (heads of all texts, 1, tokens)
    # in float32 under bfloat16 too, as torch does it on a CPU
    with torch.autocast("cpu", enabled=False):
        parts = (each.float().flatten(0, 1) for each in (query, key, value))
        mixed: Tensor = _Attention.apply(*parts, bias, dropout, scaling)  # type: ignore[no-untyped-call]
    return mixed.to(query.dtype).view(texts, heads, tokens, -1).transpose(1, 2), None


def quicken(transformer: nn.Module) -> None:
    """Have an encoder of the library drop as this module does.

    One that does not attend by torch's own function keeps its attention.
    """
    from transformers import AttentionInterface

    AttentionInterface.register(_NAME, attention)
    config: Any = transformer.config
    if config._attn_implementation == "sdpa":
        config._attn_implementation = _NAME
    for parent in list(transformer.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is nn.Dropout:
                setattr(parent, name, Dropout(child.p))
