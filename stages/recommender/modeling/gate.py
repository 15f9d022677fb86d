"""The repeat-explore gate: one model that recommends something new or repeats what was named.

After RepeatNet's repeat-explore mechanism (Ren et al. 2019, "RepeatNet: A Repeat Aware Neural
Recommendation Machine for Session-based Recommendation"); here both share one softmax.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from stages.recommender.modeling.cooccurrence import FLOOR, Cooccurrence
from stages.recommender.modeling.mention_context import MentionContext
from stages.recommender.modeling.neighbours import Nearest, Neighbours
from stages.recommender.modeling.ragged import Ragged
from stages.recommender.modeling.runs import begins
from stages.recommender.params import Gate

READINGS = ("whole", "before", "turn")
"""How a request was read out of its dialogue; an index into it tells the model."""
BEFORE = READINGS.index("before")
_REPEATS_AT_FIRST = (4.0, 0.0, 2.0)
"""Where the gate of each reading starts: a whole dialogue's labels hold many of its mentions."""
_PLACES = 8
"""Mentions whose place, and number, has a bias of its own; all after them share the last."""
_READING_WIDTH = 8
_TEXT_SCALE = 4.0
"""Of the product with a movie's text, a vector of length 1."""


@dataclass(frozen=True)
class Opinion:
    """What a member makes of requests; the logits are linear in it, so means may be taken of it.

    Attributes:
        bias: (movies,)
        query: Its product with a movie's text is a term of the movie's logit. (sentences, width)
        lift: Factor of the co-occurrence. (requests,)
        near: Factor of the neighbours. (requests,)
        repeat: For each distinct mention. (distinct mentions,)
        said: For each mention, by the words around it. (mentions,)
    """

    bias: Tensor
    query: Tensor
    lift: Tensor
    near: Tensor
    repeat: Tensor
    said: Tensor

    @classmethod
    def mean(cls, opinions: Sequence[Opinion]) -> Opinion:
        """Of members on the same requests."""
        every = zip(*(vars(opinion).values() for opinion in opinions), strict=True)
        return cls(*(torch.stack(each).mean(0) for each in every))


class Member(nn.Module):
    """What is learned: sentence vector and reading → hidden layer → the weight of each term.

    Args:
        movies: Size of the catalogue.
        width: Of a sentence vector.
        vocabulary: Size of the tokenizer's.
        reach: Tokens on either side of a mention.
        params: Sizes and dropout.
    """

    def __init__(self, movies: int, width: int, vocabulary: int, reach: int, params: Gate) -> None:
        super().__init__()
        self.context = MentionContext(vocabulary, reach, params)
        self.sentence_dropout = nn.Dropout(params.sentence_dropout)
        self.reading = nn.Embedding(len(READINGS), _READING_WIDTH)
        self.hidden = nn.Sequential(
            nn.Linear(width + _READING_WIDTH, params.hidden_size),
            nn.ReLU(),
            nn.Dropout(params.dropout),
        )
        self.bias = nn.Parameter(torch.zeros(movies))
        self.text_query = nn.Linear(params.hidden_size, width, bias=False)
        nn.init.normal_(self.text_query.weight, std=0.02)
        self.lift = nn.Linear(params.hidden_size, 1)
        nn.init.zeros_(self.lift.weight)
        nn.init.constant_(self.lift.bias, 0.5)
        self.near = nn.Linear(params.hidden_size, 1)
        nn.init.zeros_(self.near.weight)
        nn.init.constant_(self.near.bias, -0.5)
        self.repeat = nn.Linear(params.hidden_size, 1)
        nn.init.zeros_(self.repeat.weight)
        nn.init.zeros_(self.repeat.bias)
        self.repeat_said = nn.Linear(params.context_hidden_size, len(READINGS), bias=False)
        nn.init.zeros_(self.repeat_said.weight)
        self.from_start = nn.Parameter(torch.zeros(len(READINGS), _PLACES))
        self.from_end = nn.Parameter(torch.zeros(len(READINGS), _PLACES))
        start = torch.tensor(_REPEATS_AT_FIRST)[:, None]
        self.by_number = nn.Parameter(start.expand(-1, _PLACES).clone())

    def forward(
        self,
        sentences: Tensor,
        readings: Tensor,
        said_in: Tensor | None,
        mentions: Ragged,
        named: Ragged,
        contexts: Ragged | None,
    ) -> Opinion:
        """Read requests.

        Args:
            sentences: Standardised sentence vectors. (sentences, width)
            readings: Indices into :data:`READINGS`. (sentences,)
            said_in: The row in ``sentences`` of each request; ``None``: the same. (requests,)
            mentions: Catalogue indices that each request mentions, in order.
            named: The distinct ones among them.
            contexts: Token ids around the mentions, as many for each.
        """
        read = torch.cat([self.sentence_dropout(sentences), self.reading(readings)], dim=1)
        hidden = self.hidden(read)  # (sentences, hidden_size)
        query = self.text_query(hidden)  # (sentences, width)
        if said_in is not None:
            hidden, readings = hidden[said_in], readings[said_in]  # (requests, hidden_size)
        rows = named.rows()  # (distinct mentions,)
        places = torch.arange(len(rows), device=rows.device) - begins(named.sizes)[rows]
        number, reading = named.sizes[rows], readings[rows]
        repeat = (
            self.repeat(hidden)[rows, 0]
            + self.from_start[reading, places.clamp(max=_PLACES - 1)]
            + self.from_end[reading, (number - 1 - places).clamp(max=_PLACES - 1)]
            + self.by_number[reading, (number - 1).clamp(max=_PLACES - 1)]
        )  # (distinct mentions,)
        said = torch.zeros(len(mentions.values), device=hidden.device)
        if contexts is not None and len(said):
            around = contexts.values.view(len(said), -1)  # (mentions, 2 * reach)
            by_reading = self.repeat_said(self.context(around))  # (mentions, readings)
            said = by_reading.gather(1, readings[mentions.rows()][:, None])[:, 0]
        lift = functional.softplus(self.lift(hidden))[:, 0]  # (requests,)
        near = functional.softplus(self.near(hidden))[:, 0]
        return Opinion(self.bias, query, lift, near, repeat, said)


class GatedRecommender(nn.Module):
    """A request → a logit a movie, the sum of four terms, each weighed by the request.

    * explore: a bias that starts from the movie's popularity, and a product with the vector of
      its own text (title, year, genres, tags);
    * co-occurrence: its lift beside the mentioned movies;
    * neighbours: its lift in the training dialogues most like the request;
    * repeat, for the mentioned movies alone: a bias by request, by the words around each mention,
      and by the mention's place and the number of mentions in each reading.

    What weighs them is learned by several members, alike but for the chance they began with, each
    with a loss of its own; the model's logits are the mean of theirs.

    Args:
        movie_texts: Sentence vectors of the movies' texts. (movies, width)
        cooccurrence: Counts over the training dialogues.
        neighbours: These dialogues.
        vocabulary: Size of the tokenizer's.
        reach: Tokens on either side of a mention that are read.
        params: The members' number, sizes and dropout.
    """

    mean: Tensor
    deviation: Tensor
    movie_texts: Tensor
    text_mean: Tensor
    members: Sequence[Member]

    def __init__(
        self,
        movie_texts: Tensor,
        cooccurrence: Cooccurrence,
        neighbours: Neighbours,
        vocabulary: int,
        reach: int,
        params: Gate,
    ) -> None:
        super().__init__()
        movies, width = movie_texts.shape
        self.cooccurrence = cooccurrence
        self.neighbours = neighbours
        self.register_buffer("text_mean", movie_texts.mean(0))
        self.register_buffer("movie_texts", self._centred(movie_texts))
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("deviation", torch.ones(width))
        every = [Member(movies, width, vocabulary, reach, params) for _ in range(params.members)]
        self.members = cast("Sequence[Member]", nn.ModuleList(every))

    def start_from(self, sentences: Tensor) -> None:
        """Standardise by the training requests' vectors, and start from popularity.

        Args:
            sentences: (training requests, width)
        """
        with torch.no_grad():
            self.mean.copy_(sentences.mean(0))
            self.deviation.copy_(sentences.std(0).clamp(min=1e-3))
            for member in self.members:
                member.bias.copy_(torch.log(self.cooccurrence.share + FLOOR))

    def forward(
        self,
        sentences: Tensor,
        mentions: Ragged,
        readings: Tensor | None = None,
        own: Ragged | None = None,
        contexts: Ragged | None = None,
        remembered: Tensor | None = None,
        nearest: Nearest | None = None,
        said_in: Tensor | None = None,
    ) -> Tensor:
        """Score the catalogue.

        Args:
            sentences: Sentence vectors of the requests. (requests, width)
            mentions: Catalogue indices that each request mentions, in order.
            readings: Indices into :data:`READINGS`; ``None``: all ``before``. (requests,)
            own: See :meth:`Cooccurrence.forward`; for training.
            contexts: Token ids around the mentions, as many for each; ``None``: not known.
            remembered: ``own`` of :meth:`Neighbours.nearest_to`; for training.
            nearest: What that finds; ``None``: it is asked.
            said_in: Where several sets of mentions share a sentence vector, the row of each in
                ``sentences``; ``None``: each has its own. (rows of ``mentions``,)

        Returns:
            Logits; in training those of each member, one member's after the other's.
            (rows of ``mentions``, movies), in training (members * rows of ``mentions``, movies)
        """
        named = mentions.distinct()
        if nearest is None:
            nearest = self.neighbours.nearest_to(sentences, named, said_in, remembered)
        lift = self.cooccurrence(named, own)  # (rows of mentions, movies)
        votes = self.neighbours(nearest)  # (rows of mentions, movies)
        of_lists = [each.rows() * lift.shape[1] + each.values for each in (named, mentions)]
        cells = torch.cat(of_lists)  # (distinct mentions + mentions,)
        of_members = []
        for opinion in self._opinions(sentences, readings, said_in, mentions, named, contexts):
            explored = self._explored(opinion)
            if said_in is not None:
                explored = explored[said_in]  # (rows of mentions, movies)
            logits = torch.addcmul(explored, opinion.lift[:, None], lift)
            logits = torch.addcmul(logits, opinion.near[:, None], votes)
            repeat = torch.cat([opinion.repeat, opinion.said])  # (cells,)
            added = logits.flatten().index_add(0, cells, repeat.to(logits.dtype))
            of_members.append(added.view_as(logits))
        return torch.cat(of_members)

    def tag_logits(self, sentences: Tensor) -> Tensor:
        """Score the catalogue for movies' own texts: (texts, width) → as :meth:`forward` does."""
        nothing = torch.zeros(len(sentences), dtype=torch.int64)
        unsaid = Ragged(nothing[:0], nothing).to(sentences.device)
        opinions = self._opinions(sentences, None, None, unsaid, unsaid, None)
        return torch.cat([self._explored(opinion) for opinion in opinions])

    def with_new_movies(self, texts: Tensor) -> GatedRecommender:
        """The model of a catalogue with more movies at its end; what it knows of them is a text.

        The bias of a movie that training never recommended has learned how seldom such movies are
        asked for. A new movie begins with the mean of those biases; its text alone raises or lowers
        it from there.

        Args:
            texts: Sentence vectors of the new movies' texts. (new movies, width)
        """
        larger = deepcopy(self)
        larger.movie_texts = torch.cat([self.movie_texts, self._centred(texts)])
        larger.cooccurrence = self.cooccurrence.with_uncounted(len(texts))
        larger.neighbours = self.neighbours.with_unnamed(len(texts))
        share = self.cooccurrence.share
        for member in larger.members:
            unknown = member.bias[share == share.min()].mean()
            bias = torch.cat([member.bias, unknown.expand(len(texts))])
            member.bias = nn.Parameter(bias.detach())
        return larger

    def rules(self) -> tuple[str, ...]:
        """The names of the parameters that are few and act on all requests alike.

        They learn at a rate of their own, without weight decay.
        """
        names = [name for name, _ in self.named_parameters()]  # members.0.lift.weight
        return tuple(name for name in names if name.split(".")[2] in _RULES)

    def _opinions(
        self, sentences: Tensor, readings: Tensor | None, *asked: Ragged | Tensor | None
    ) -> list[Opinion]:
        """Of each member in training, else their mean; see :meth:`Member.forward`."""
        if readings is None:
            readings = torch.full((len(sentences),), BEFORE, device=sentences.device)
        standard = (sentences - self.mean) / self.deviation  # (requests, width)
        opinions = [member(standard, readings, *asked) for member in self.members]
        return opinions if self.training else [Opinion.mean(opinions)]

    def _explored(self, opinion: Opinion) -> Tensor:
        texts = self.movie_texts.T  # (width, movies)
        return torch.addmm(opinion.bias, opinion.query, texts, alpha=_TEXT_SCALE)

    def _centred(self, texts: Tensor) -> Tensor:
        return functional.normalize(texts - self.text_mean, dim=1)


_RULES = ("lift", "near", "from_start", "from_end", "by_number")
