"""The repeat-explore gate: one model that recommends something new or repeats what was named.

After RepeatNet's repeat-explore mechanism (Ren et al. 2019, "RepeatNet: A Repeat Aware Neural
Recommendation Machine for Session-based Recommendation"); here both share one softmax.
"""

from __future__ import annotations

from copy import deepcopy

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


class GatedRecommender(nn.Module):
    """Sentence vector and reading → hidden layer → a logit a movie, the sum of four terms.

    * explore: a bias that starts from the movie's popularity, and a product with the vector of
      its own text (title, year, genres, tags);
    * co-occurrence: its lift beside the mentioned movies, times a factor by request;
    * neighbours: its lift in the training dialogues most like the request, likewise;
    * repeat, for the mentioned movies alone: a bias by request, by the words around each mention,
      and by the mention's place and the number of mentions in each reading.

    Args:
        movie_texts: Sentence vectors of the movies' texts. (movies, width)
        cooccurrence: Counts over the training dialogues.
        neighbours: These dialogues.
        context: Reads the words around a mention.
        params: Sizes and dropout.
    """

    mean: Tensor
    deviation: Tensor
    movie_texts: Tensor
    text_mean: Tensor

    def __init__(
        self,
        movie_texts: Tensor,
        cooccurrence: Cooccurrence,
        neighbours: Neighbours,
        context: MentionContext,
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
        self.context = context
        self.repeat_said = nn.Linear(params.context_hidden_size, len(READINGS), bias=False)
        nn.init.zeros_(self.repeat_said.weight)
        self.from_start = nn.Parameter(torch.zeros(len(READINGS), _PLACES))
        self.from_end = nn.Parameter(torch.zeros(len(READINGS), _PLACES))
        start = torch.tensor(_REPEATS_AT_FIRST)[:, None]
        self.by_number = nn.Parameter(start.expand(-1, _PLACES).clone())

    def start_from(self, sentences: Tensor) -> None:
        """Standardise by the training requests' vectors, and start from popularity.

        Args:
            sentences: (training requests, width)
        """
        with torch.no_grad():
            self.mean.copy_(sentences.mean(0))
            self.deviation.copy_(sentences.std(0).clamp(min=1e-3))
            self.bias.copy_(torch.log(self.cooccurrence.share + FLOOR))

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
            sentences: Sentence vectors of the requests. (sentences, width)
            mentions: Catalogue indices that each request mentions, in order.
            readings: Indices into :data:`READINGS`; ``None``: all ``before``. (sentences,)
            own: See :meth:`Cooccurrence.forward`; for training.
            contexts: Token ids around the mentions, as many for each; ``None``: not known.
            remembered: ``own`` of :meth:`Neighbours.nearest_to`; for training.
            nearest: What that finds; ``None``: it is asked.
            said_in: Where several sets of mentions share a sentence vector, the row of each in
                ``sentences``; ``None``: each has its own. (requests,)

        Returns:
            Logits. (requests, movies)
        """
        if readings is None:
            readings = self._before(sentences)
        named = mentions.distinct()
        if nearest is None:
            nearest = self.neighbours.nearest_to(sentences, named, said_in, remembered)
        hidden = self._hidden(sentences, readings)  # (sentences, hidden_size)
        logits = self._explore(hidden)  # (sentences, movies)
        if said_in is not None:
            hidden, logits, readings = hidden[said_in], logits[said_in], readings[said_in]
        lift = functional.softplus(self.lift(hidden))  # (requests, 1)
        logits = torch.addcmul(logits, lift, self.cooccurrence(named, own))  # (requests, movies)
        near = functional.softplus(self.near(hidden))  # (requests, 1)
        logits = torch.addcmul(logits, near, self.neighbours(nearest))
        repeat, places = self._repeat(hidden, readings, named), [named]
        if contexts is not None and len(mentions.values):
            repeat = torch.cat([repeat, self._repeat_said(readings, mentions, contexts)])
            places.append(mentions)
        cells = torch.cat([each.rows() * logits.shape[1] + each.values for each in places])
        return logits.flatten().index_add(0, cells, repeat.to(logits.dtype)).view_as(logits)

    def tag_logits(self, sentences: Tensor) -> Tensor:
        """Score the catalogue for movies' own texts: (texts, width) → (texts, movies)."""
        return self._explore(self._hidden(sentences, self._before(sentences)))

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
        unknown = self.bias[share == share.min()].mean()
        larger.bias = nn.Parameter(torch.cat([self.bias, unknown.expand(len(texts))]).detach())
        return larger

    def _before(self, sentences: Tensor) -> Tensor:
        return torch.full((len(sentences),), BEFORE, device=sentences.device)

    def _hidden(self, sentences: Tensor, readings: Tensor) -> Tensor:
        standard = self.sentence_dropout((sentences - self.mean) / self.deviation)
        hidden: Tensor = self.hidden(torch.cat([standard, self.reading(readings)], dim=1))
        return hidden

    def _explore(self, hidden: Tensor) -> Tensor:
        texts = self.movie_texts.T  # (width, movies)
        return torch.addmm(self.bias, self.text_query(hidden), texts, alpha=_TEXT_SCALE)

    def _repeat(self, hidden: Tensor, readings: Tensor, named: Ragged) -> Tensor:
        """For each distinct mention, by its request, place and number: (distinct mentions,)."""
        rows = named.rows()
        places = torch.arange(len(rows), device=rows.device) - begins(named.sizes)[rows]
        number, reading = named.sizes[rows], readings[rows]
        repeat: Tensor = (
            self.repeat(hidden)[rows, 0]
            + self.from_start[reading, places.clamp(max=_PLACES - 1)]
            + self.from_end[reading, (number - 1 - places).clamp(max=_PLACES - 1)]
            + self.by_number[reading, (number - 1).clamp(max=_PLACES - 1)]
        )
        return repeat

    def _repeat_said(self, readings: Tensor, mentions: Ragged, contexts: Ragged) -> Tensor:
        """For each mention, by the words around it: (mentions,)."""
        around = contexts.values.view(len(mentions.values), -1)  # (mentions, 2 * reach)
        said = self.repeat_said(self.context(around))  # (mentions, readings)
        chosen: Tensor = said.gather(1, readings[mentions.rows()][:, None])[:, 0]
        return chosen

    def _centred(self, texts: Tensor) -> Tensor:
        return functional.normalize(texts - self.text_mean, dim=1)


RULES = ("lift.", "near.", "from_start", "from_end", "by_number")
"""The parameters, by the beginnings of their names, that are few and act on all requests alike:
they learn at a rate of their own, without weight decay."""
