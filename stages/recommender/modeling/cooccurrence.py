"""How much more often a movie is recommended beside the mentioned ones than to anybody."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from stages.recommender.modeling.ragged import Ragged
from stages.recommender.modeling.runs import begins, runs

FLOOR = 1e-4
"""Added to a rate before its logarithm: of what was hardly ever recommended, little is known."""


class Cooccurrence(nn.Module):
    """Counts over the training dialogues: which movies are recommended where which are named.

    A dialogue names the movies that either speaker mentions. For a request that mentions the
    distinct movies i,

        rate of j = mean over i of (dialogues that name i and recommend j + shrinkage × share of j)
                    / (dialogues that name i + shrinkage),

    the share of j being that of all dialogues that recommend it; a movie does not count for
    itself. The lift is log(rate + floor) - log(share + floor), and 0 where nothing is mentioned.

    Args:
        movies: Size of the catalogue.
        pairs: Pairs of movies that are ever counted.
        shrinkage: So many dialogues are imagined, beside those that name i, in which movies are
            recommended by their share alone.
    """

    recommended: Tensor
    counts: Tensor
    partners: Tensor
    named: Tensor
    share: Tensor

    def __init__(self, movies: int, pairs: int, shrinkage: float) -> None:
        super().__init__()
        self.shrinkage = shrinkage
        # all that is counted beside the first movie, then beside the second, ...
        self.register_buffer("recommended", torch.zeros(pairs, dtype=torch.int32))
        self.register_buffer("counts", torch.zeros(pairs))
        self.register_buffer("partners", torch.zeros(movies, dtype=torch.int64))
        self.register_buffer("named", torch.zeros(movies))
        self.register_buffer("share", torch.zeros(movies))

    @classmethod
    def count(
        cls, named: Ragged, recommended: Ragged, movies: int, shrinkage: float
    ) -> Cooccurrence:
        """Count over dialogues.

        Args:
            named: Distinct catalogue indices that each dialogue names.
            recommended: Those of them that its recommender mentions.
            movies: Size of the catalogue.
            shrinkage: See the class.
        """
        rows = named.rows()  # (named,)
        of, place = runs(begins(recommended.sizes)[rows], recommended.sizes[rows])
        first, second = named.values[of], recommended.values[place]  # (pairs,)
        apart = first != second
        cells, counts = torch.unique(first[apart] * movies + second[apart], return_counts=True)
        counted = cls(movies, len(cells), shrinkage)
        counted.recommended.copy_(cells % movies)
        counted.counts.copy_(counts)
        beside = torch.div(cells, movies, rounding_mode="floor")
        counted.partners.copy_(torch.bincount(beside, minlength=movies))
        counted.named.copy_(torch.bincount(named.values, minlength=movies))
        recommending = torch.bincount(recommended.values, minlength=movies)
        counted.share.copy_(recommending.double() / len(recommended))
        return counted

    def with_uncounted(self, movies: int) -> Cooccurrence:
        """The same counts in a catalogue with so many more movies at its end, in no dialogue."""
        larger = Cooccurrence(len(self.share) + movies, len(self.counts), self.shrinkage)
        for name, values in self.named_buffers():
            getattr(larger, name)[: len(values)] = values
        return larger

    def forward(self, mentions: Ragged, own: Ragged | None = None) -> Tensor:
        """The lift of each movie of the catalogue.

        Args:
            mentions: Distinct catalogue indices of each request.
            own: What the dialogue of each request recommends, where that dialogue is one of those
                counted; it is taken out of the counts. Empty where it is not.

        Returns:
            (requests, movies) float32
        """
        movies, device = len(self.share), mentions.values.device
        requests = len(mentions)
        rows = mentions.rows()  # (mentions,)
        named = self.named[mentions.values]
        if own is not None:
            named = named - (own.sizes > 0).float()[rows]
        weight = 1 / (named + self.shrinkage)  # (mentions,)
        total = torch.zeros(requests, device=device).index_add_(0, rows, weight)

        beginning = begins(self.partners)[mentions.values]
        mention, place = runs(beginning, self.partners[mentions.values])  # (pairs of the mentions,)
        cells = rows[mention] * movies + self.recommended[place]
        counted = torch.zeros(requests * movies, device=device)
        counted.index_add_(0, cells, self.counts[place] * weight[mention])
        if own is not None:
            of = own.rows()  # (own,)
            cells = of * movies + own.values
            beside_itself = torch.zeros_like(counted)
            beside_itself.index_add_(0, rows * movies + mentions.values, weight)
            counted.index_add_(0, cells, beside_itself[cells] - total[of])

        rate = counted.view(requests, movies) + self.shrinkage * total[:, None] * self.share
        rate = rate / mentions.sizes[:, None].clamp(min=1)  # (requests, movies)
        rate = torch.where(mentions.sizes[:, None] > 0, rate, self.share).clamp(min=0)
        return torch.log(rate + FLOOR) - torch.log(self.share + FLOOR)
