"""The movies that a request mentions, read by a recurrent network."""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

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
        mentions = mentions.head(self.most)
        if self.reads_padding:
            steps = self.embedding(mentions.padded(self.padding, self.most))  # (requests, max, e)
            return self._final_states(self.gru(steps)[1])
        vectors = torch.zeros(len(mentions), self.width, device=mentions.values.device)
        some = torch.nonzero(mentions.lengths).squeeze(1)  # (requests with a mention,)
        if not len(some):
            return vectors
        present = mentions.take(some)
        steps = self.embedding(present.padded(self.padding))  # (some, longest, e)
        packed = pack_padded_sequence(
            steps, present.lengths, batch_first=True, enforce_sorted=False
        )
        states = self._final_states(self.gru(packed)[1]).float()  # (some, width)
        return vectors.index_copy(0, some.to(vectors.device, non_blocking=True), states)

    @staticmethod
    def _final_states(states: Tensor) -> Tensor:
        """(2 directions, n, hidden) → (n, 2 * hidden)."""
        return torch.cat([states[0], states[1]], dim=1)
