"""The movies that a request mentions, read by a recurrent network."""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from stages.recommender.modeling.packed_gru import final_states
from stages.recommender.modeling.ragged import Ragged
from stages.recommender.params import Mentions


class MentionNetwork(nn.Module):
    """Movie embedding → bidirectional GRU, one layer → both final states.

    It reads the mentions only: sequences are packed, and a request without a mention gives zeros.
    With ``reads_padding`` it runs on through padding up to ``max`` steps, as the notebook's does.

    Args:
        movies: Size of the catalogue.
        params: Sizes, and the most mentions that are read.
    """

    def __init__(self, movies: int, params: Mentions) -> None:
        super().__init__()
        self.padding = movies
        self.most = params.max
        self.reads_padding = params.reads_padding
        self.embedding = nn.Embedding(movies + 1, params.embedding_size, padding_idx=movies)
        self.gru = nn.GRU(
            params.embedding_size, params.hidden_size, batch_first=True, bidirectional=True
        )
        self.width = 2 * params.hidden_size

    def forward(self, mentions: Ragged) -> Tensor:
        """Read mentions.

        Args:
            mentions: Catalogue indices, one sequence a request, in order.

        Returns:
            (requests, 2 * hidden_size) float32
        """
        if self.reads_padding:
            steps = self.embedding(mentions.padded(self.padding, self.most))  # (requests, max, e)
            return _side_by_side(self.gru(steps)[1])
        device = mentions.values.device
        vectors = torch.zeros(len(mentions), self.width, device=device)
        lengths, order = torch.sort(
            mentions.lengths.clamp(max=self.most), descending=True, stable=True
        )
        order = order[lengths > 0]  # (requests with a mention,)
        if not len(order):
            return vectors
        lengths, starts = lengths[: len(order)], mentions.offsets[order]
        steps = torch.arange(int(lengths[0]))[:, None]
        there = steps < lengths  # (longest, requests with a mention)
        forwards = (starts + steps)[there]  # (total,) places of first mentions, of second ones, ...
        batch_sizes = there.sum(1)
        if mentions.values.is_cuda:
            read = self.embedding(
                mentions.values[forwards.to(device, non_blocking=True)]
            )  # (total, e)
            states = self.gru(PackedSequence(read, batch_sizes))[1]
        else:
            backwards = (starts + lengths - 1 - steps)[there]
            read = self.embedding(mentions.values[torch.stack([forwards, backwards])])
            states = final_states(self.gru, read, batch_sizes.tolist())
        return vectors.index_copy(0, order.to(device, non_blocking=True), _side_by_side(states))


def _side_by_side(states: Tensor) -> Tensor:
    """(2 directions, n, hidden) → (n, 2 * hidden)."""
    return torch.cat([states[0], states[1]], dim=1)
