"""A bidirectional GRU over short packed sequences, for the CPU.

torch's own takes each time step of each direction through dozens of small operations and records
them all for the gradient; over two or three mentions a request that costs more than the rest of
a training step. Here both directions go through the steps together, and the gradient is written
out.
"""

from typing import Any

import torch
from torch import Tensor, nn


def final_states(gru: nn.GRU, steps: Tensor, batch_sizes: list[int]) -> Tensor:
    """The final states of a bidirectional GRU of one layer, as ``gru`` itself would give them.

    Args:
        gru: Its weights.
        steps: Inputs of the sequences' first steps, then of their second ones, and so on, as in a
            ``PackedSequence``; in the order of the forward and of the backward direction.
            (2, total, input_size)
        batch_sizes: How many sequences each step has, the longest first.

    Returns:
        (2, sequences, hidden_size)
    """
    weights = [
        torch.stack([getattr(gru, name), getattr(gru, f"{name}_reverse")])
        for name in ("weight_ih_l0", "bias_ih_l0", "weight_hh_l0", "bias_hh_l0")
    ]
    inputs = torch.baddbmm(weights[1][:, None], steps, weights[0].mT)  # (2, total, 3 * hidden)
    states: Tensor = _Recurrence.apply(  # type: ignore[no-untyped-call]
        inputs, weights[2], weights[3], batch_sizes
    )
    return states


class _Recurrence(torch.autograd.Function):
    """The GRU's equations (Cho et al. 2014, with the reset gate where cuDNN and torch have it).

    reset r = σ(i_r + h_r), update z = σ(i_z + h_z), candidate c = tanh(i_c + r h_c), and the next
    state c + z (state - c), where i are the inputs and h = W state + b.
    """

    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor, batch_sizes: list[int]
    ) -> Tensor:
        hidden_size = weight.shape[2]
        parts = [2 * hidden_size, hidden_size]
        state = inputs.new_zeros(2, batch_sizes[0], hidden_size)
        before = inputs.new_empty(*inputs.shape[:2], hidden_size)  # states before each step
        gates = inputs.new_empty(*inputs.shape[:2], 2 * hidden_size)  # r, z
        candidates = torch.empty_like(before)
        hidden_candidates = torch.empty_like(before)  # h_c
        end = 0
        for count in batch_sizes:
            begin, end = end, end + count
            now = state[:, :count]  # (2, count, hidden)
            before[:, begin:end] = now
            hidden = torch.baddbmm(bias[:, None], now, weight.mT)  # (2, count, 3 * hidden)
            hidden_gates, hidden_candidate = torch.split(hidden, parts, 2)
            input_gates, input_candidate = torch.split(inputs[:, begin:end], parts, 2)
            gate = torch.sigmoid_(hidden_gates + input_gates)
            reset, update = gate.chunk(2, 2)
            candidate = torch.addcmul(input_candidate, reset, hidden_candidate).tanh_()
            state[:, :count] = torch.lerp(candidate, now, update)
            gates[:, begin:end] = gate
            candidates[:, begin:end] = candidate
            hidden_candidates[:, begin:end] = hidden_candidate
        ctx.save_for_backward(weight, before, gates, candidates, hidden_candidates)
        ctx.batch_sizes = batch_sizes
        return state

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        weight, before, gates, candidates, hidden_candidates = ctx.saved_tensors
        reset, update = gates.chunk(2, 2)
        # what each gate adds to the next state's gradient, for all steps at once
        to_candidate = (1 - update) * (1 - candidates * candidates)
        to_update = (before - candidates) * update * (1 - update)
        to_reset = to_candidate * hidden_candidates * reset * (1 - reset)
        slopes = torch.stack([to_reset, to_update, to_candidate * reset], 2)
        of_states = torch.empty_like(before)  # the gradient of the state after each step
        of_hidden = torch.empty_like(slopes)  # (2, total, 3, hidden)
        of_state = gradients[0].clone()
        end = before.shape[1]
        for count in reversed(ctx.batch_sizes):
            begin, end = end - count, end
            now = of_state[:, :count]
            of_states[:, begin:end] = now
            step = of_hidden[:, begin:end]
            torch.mul(now[:, :, None], slopes[:, begin:end], out=step)
            of_state[:, :count] = torch.baddbmm(now * update[:, begin:end], step.flatten(2), weight)
            end = begin
        of_inputs = of_hidden.clone()
        torch.mul(of_states, to_candidate, out=of_inputs[:, :, 2])
        flat = of_hidden.flatten(2)  # (2, total, 3 * hidden)
        return of_inputs.flatten(2), flat.mT @ before, flat.sum(1), None
