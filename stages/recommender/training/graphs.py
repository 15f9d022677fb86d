"""The encoder's training pass on a GPU, launched as one: CUDA graphs.

A small encoder's step is a thousand small kernels, and launching each takes longer than running
it. A graph holds them all, forward and backward, for texts padded to one width, and is replayed.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from stages.recommender.modeling.encoder import SentenceEncoder
from stages.recommender.modeling.ragged import Ragged
from stages.recommender.training import processes
from stages.recommender.training.determinism import Machine

TEXTS_AT_ONCE = 64
"""Most texts of a graph: a larger batch is cut, so that a text is padded to its likes' width."""

TextEncoder = Callable[[Ragged], Tensor]
"""From input ids, one sequence a text, to sentence vectors. (texts, width)"""


def training_encoder(
    encoder: SentenceEncoder | None, texts: int, machine: Machine
) -> TextEncoder | None:
    """What encodes a training batch: the encoder itself, on a GPU in bfloat16 through its graphs.

    Not where several processes train: NCCL's own thread may not ask the GPU anything while a
    graph is captured.

    Args:
        encoder: In training mode; ``None`` where it is frozen and its vectors are known.
        texts: Of a full batch.
        machine: What it computes on.
    """
    if encoder is None or machine.device.type != "cuda" or machine.precision != torch.bfloat16:
        return encoder
    if processes.count() > 1:
        return encoder
    sizes = [min(TEXTS_AT_ONCE, texts - start) for start in range(0, texts, TEXTS_AT_ONCE)]
    parts = [GraphedEncoder(encoder, size, machine) for size in sizes]
    return parts[0] if len(parts) == 1 else SortedEncoder(parts, sizes)


class SortedEncoder:
    """Encodes a batch in parts of texts of like length; the vectors are in the batch's own order.

    Args:
        parts: Each encodes a part.
        sizes: How many texts each takes at most.
    """

    def __init__(self, parts: Sequence[TextEncoder], sizes: Sequence[int]) -> None:
        self._parts = parts
        self._sizes = sizes

    def __call__(self, tokens: Ragged) -> Tensor:
        """Encode texts: input ids, one sequence a text → (texts, width)."""
        order = torch.argsort(tokens.lengths, stable=True)  # (texts,)
        vectors, start = [], 0
        for encode, size in zip(self._parts, self._sizes, strict=True):
            rows = order[start : start + size]
            start += size
            if len(rows):
                vectors.append(encode(tokens.take(rows)))
        place = torch.argsort(order).to(tokens.values.device, non_blocking=True)
        return torch.cat(vectors)[place]


class GraphedEncoder:
    """An encoder's pass over full batches, one graph for each padded width that occurs.

    Its vectors, and what backward needs, are overwritten by the next call; so dialogues and tags,
    which are encoded before either's backward, need one each.

    Args:
        encoder: In training mode, on a GPU.
        texts: Of a full batch.
        machine: What it computes on.
    """

    def __init__(self, encoder: SentenceEncoder, texts: int, machine: Machine) -> None:
        self._encoder = encoder
        self._texts = texts
        self._machine = machine
        self._pool = torch.cuda.graph_pool_handle()
        self._graphs: dict[int, _Pass] = {}

    def __call__(self, tokens: Ragged) -> Tensor:
        """Encode texts: input ids, one sequence a text → (texts, width) float32."""
        ids, lengths = self._encoder.padded(self._filled_up(tokens))
        width = ids.shape[1]
        if width not in self._graphs:
            self._graphs[width] = self._capture(ids, lengths)
        vectors: Tensor = self._graphs[width](ids, lengths)  # (full batch, width)
        return vectors[: len(tokens)]

    def _filled_up(self, tokens: Ragged) -> Ragged:
        """With texts of one token behind them, up to a full batch; no loss depends on those."""
        missing = self._texts - len(tokens)
        if not missing:
            return tokens
        ones = torch.ones(missing, dtype=torch.int64)
        filler = Ragged(tokens.values.new_zeros(missing), ones)
        return Ragged.concatenate([tokens, filler])

    def _capture(self, ids: Tensor, lengths: Tensor) -> "_Pass":
        # the passes that warm up draw random numbers: a run that went on from a checkpoint
        # captures at other steps, and must draw the same in each
        random = torch.cuda.get_rng_state(self._machine.device)
        captured = _Pass(self._encoder)
        with self._machine.autocast(cache=False):
            torch.cuda.make_graphed_callables(
                captured, (ids.clone(), lengths.clone()), pool=self._pool
            )
        torch.cuda.set_rng_state(random, self._machine.device)
        return captured


class _Pass(nn.Module):
    """One pass over padded texts; a module, so that capturing finds the encoder's weights."""

    def __init__(self, encoder: SentenceEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        return self.encoder.encode(ids, lengths)
