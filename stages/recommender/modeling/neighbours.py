"""How much more often a movie is named in the training dialogues like a request than in all.

After kNN-LM (Khandelwal et al. 2020, "Generalization through Memorization: Nearest Neighbor
Language Models"): the nearest of what was read in training vote on what comes next.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from stages.recommender.modeling.ragged import Ragged
from stages.recommender.modeling.runs import begins, runs
from stages.recommender.params import Gate

FLOOR = 1e-3
"""Added to a share before its logarithm: of what hardly any dialogue names, little is known."""


@dataclass(frozen=True)
class Nearest:
    """Of requests, the training dialogues most like each.

    Attributes:
        numbers: Of those dialogues. (requests, nearest) int32
        weights: Of their votes, 1 for each request together. (requests, nearest)
    """

    numbers: Tensor
    weights: Tensor

    @classmethod
    def concatenate(cls, parts: Sequence[Nearest]) -> Nearest:
        """All parts' requests, one part after the other."""
        return cls(*(torch.cat([getattr(p, name) for p in parts]) for name in cls.__annotations__))

    def take(self, rows: Tensor) -> Nearest:
        """Those of the requests at ``rows`` (m,), on their device."""
        return Nearest(self.numbers[rows], self.weights[rows])

    def split(self, counts: list[int]) -> list[Nearest]:
        """The first ``counts[0]`` requests', the next ``counts[1]``, and so on."""
        parts = torch.split(self.numbers, counts), torch.split(self.weights, counts)
        return [Nearest(*part) for part in zip(*parts, strict=True)]

    def to(self, device: torch.device) -> Nearest:
        """On a device."""
        return Nearest(self.numbers.to(device), self.weights.to(device))


class Neighbours(nn.Module):
    """The training dialogues, of which those most like a request vote for the movies they name.

    A movie weighs w = log((dialogues + 1) / (dialogues that name it + 1)), as in BM25.

        similarity of a dialogue = cosine of the sentence vectors
                                   + mentions × cosine of what both name, by w
        votes of a movie = over the nearest dialogues that name it, the sum of
                           softmax(sharpness × similarity)
        lift of a movie = log(votes + floor) - log(share of the dialogues that name it + floor)

    Nothing of it is learned: it is the same whenever the same is asked.

    Args:
        dialogues: Number of training dialogues.
        named: Movies that they name, added up over them.
        movies: Size of the catalogue.
        width: Of the sentence vectors.
        params: How many are the nearest, ``sharpness`` and ``mentions``.
    """

    keys: Tensor
    lengths: Tensor
    sizes: Tensor
    movies: Tensor
    naming: Tensor
    dialogues: Tensor

    def __init__(self, dialogues: int, named: int, movies: int, width: int, params: Gate) -> None:
        super().__init__()
        self.nearest = params.neighbours
        self.sharpness = params.neighbour_sharpness
        self.mentions = params.neighbour_mentions
        # of each dialogue: its sentence vector, brought to length 1, the length of its vector of
        # weights, how many movies it names, and one dialogue after the other which
        self.register_buffer("keys", torch.zeros(dialogues, width))
        self.register_buffer("lengths", torch.zeros(dialogues))
        self.register_buffer("sizes", torch.zeros(dialogues, dtype=torch.int64))
        self.register_buffer("movies", torch.zeros(named, dtype=torch.int32))
        # of each movie: how many dialogues name it, and one movie after the other which
        self.register_buffer("naming", torch.zeros(movies, dtype=torch.int64))
        self.register_buffer("dialogues", torch.zeros(named, dtype=torch.int32))

    def remember(self, sentences: Tensor, named: Ragged) -> Neighbours:
        """Take in the training dialogues.

        Args:
            sentences: Their sentence vectors; of one that is zero the mentions alone count.
                (dialogues, width)
            named: Distinct catalogue indices that each names.

        Returns:
            This module.
        """
        rows = named.rows()  # (named,)
        self.keys.copy_(functional.normalize(sentences.float(), dim=1))
        self.sizes.copy_(named.sizes)
        self.movies.copy_(named.values)
        self.naming.copy_(torch.bincount(named.values, minlength=len(self.naming)))
        self.dialogues.copy_(rows[torch.sort(named.values, stable=True).indices])
        self.lengths.copy_(_lengths(self._weights()[named.values], rows, len(named)))
        return self

    def with_unnamed(self, movies: int) -> Neighbours:
        """The same dialogues, and so many more movies at the catalogue's end that none names."""
        larger = deepcopy(self)
        larger.naming = functional.pad(self.naming, (0, movies))
        return larger

    @torch.no_grad()
    def nearest_to(
        self,
        sentences: Tensor,
        mentions: Ragged,
        said_in: Tensor | None = None,
        own: Tensor | None = None,
    ) -> Nearest:
        """The training dialogues most like requests.

        Args:
            sentences: Sentence vectors of the requests. (requests, width)
            mentions: Distinct catalogue indices that each request mentions.
            said_in: The row in ``sentences`` of each row of ``mentions``; ``None``: the same.
            own: The number of the dialogue that each is from, which has no vote; below 0 where it
                is from none of these. (rows of ``mentions``,)

        Returns:
            Of the rows of ``mentions``.
        """
        similar = functional.normalize(sentences.float(), dim=1) @ self.keys.T
        if said_in is not None:
            similar = similar[said_in]
        similar = similar + self.mentions * self._common(mentions)  # (requests, dialogues)
        if own is not None:
            numbers = torch.arange(len(self.keys), device=similar.device)
            similar.masked_fill_(numbers == own[:, None], torch.finfo(similar.dtype).min)
        most, numbers = similar.topk(min(self.nearest, len(self.keys)), dim=1)
        return Nearest(numbers.int(), torch.softmax(self.sharpness * most, dim=1))

    @torch.no_grad()
    def forward(self, nearest: Nearest) -> Tensor:
        """The lift of each movie of the catalogue: (requests, movies) float32."""
        requests, number = nearest.numbers.shape
        weights, numbers = nearest.weights.flatten(), nearest.numbers.flatten()
        vote, place = runs(begins(self.sizes)[numbers], self.sizes[numbers])  # (votes,)
        rows = torch.div(vote, number, rounding_mode="floor")
        votes = torch.zeros(requests * len(self.naming), device=weights.device)
        votes.index_add_(0, rows * len(self.naming) + self.movies[place], weights[vote])
        share = self.naming / len(self.keys)  # (movies,)
        return torch.log(votes.view(requests, len(share)) + FLOOR) - torch.log(share + FLOOR)

    def _common(self, mentions: Ragged) -> Tensor:
        """Cosines of what requests and dialogues name: (requests, dialogues)."""
        weights = self._weights()[mentions.values]  # (mentions,)
        rows = mentions.rows()
        of_request = weights / _lengths(weights, rows, len(mentions))[rows]
        mention, place = runs(begins(self.naming)[mentions.values], self.naming[mentions.values])
        dialogues = self.dialogues[place]  # (mentions in common,)
        cosines = (of_request * weights)[mention] / self.lengths[dialogues]
        common = torch.zeros(len(mentions) * len(self.keys), device=weights.device)
        common.index_add_(0, rows[mention] * len(self.keys) + dialogues, cosines)
        return common.view(len(mentions), len(self.keys))

    def _weights(self) -> Tensor:
        """Of the movies of the catalogue: (movies,)."""
        return torch.log((len(self.keys) + 1) / (self.naming + 1))


def _lengths(weights: Tensor, rows: Tensor, count: int) -> Tensor:
    """Of the vectors with these weights: (weights,) in ``count`` rows → (count,), above 0."""
    squares = torch.zeros(count, device=weights.device).index_add_(0, rows, weights**2)
    return squares.sqrt().clamp(min=1e-6)
