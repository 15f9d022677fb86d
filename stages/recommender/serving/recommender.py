"""A request in plain words in, ranked movies with reasons out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor

from stages.recommender.dialogues.contexts import mention_contexts
from stages.recommender.dialogues.text import SEPARATOR, text_form
from stages.recommender.errors import UserError
from stages.recommender.evaluation.rankings import top
from stages.recommender.modeling.encoder import SentenceEncoder
from stages.recommender.modeling.gate import GatedRecommender
from stages.recommender.modeling.model_folder import (
    ENCODER,
    ModelConfig,
    load_model,
)
from stages.recommender.modeling.ragged import Ragged
from stages.recommender.modeling.variants import VARIANTS, RecommenderNetwork
from stages.recommender.movie_texts import movie_text
from stages.recommender.serving.catalogue import Catalogue, Movie, read_catalogue
from stages.recommender.serving.linking import LinkedMention, TitleLinker
from stages.recommender.serving.reasons import (
    PulledUpBy,
    Reasons,
    TrainingRequests,
    load_training_requests,
)
from stages.recommender.serving.sentences import load_encoder
from stages.recommender.tokens import load_tokenizer

_ROWS_AT_ONCE = 256
"""Scorings of the catalogue that are made together, one a request and one a movie that it
mentions: bounds the memory of a large batch."""
_NEAREST = 2
"""Training requests shown beside a recommendation."""
_LEAST_CONTRIBUTION = 0.005
"""Less is no reason: with two decimals it would be shown as none."""


@dataclass(frozen=True)
class Request:
    """What is asked.

    Attributes:
        text: In plain words.
        mentions: Ids of the movies that it mentions; ``None``: those that the text names.
        k: Most movies to recommend.
        exclude_mentioned: Whether a mentioned movie is never recommended.
    """

    text: str
    mentions: Sequence[int] | None = None
    k: int = 10
    exclude_mentioned: bool = True


@dataclass(frozen=True)
class Recommendation:
    """A recommended movie.

    Attributes:
        rank: From 1.
        redial_id: ReDial's id; less than 0 for a new movie, see :class:`Movie`.
        movielens_id: MovieLens' id; ``None`` where not joined.
        title: Without year.
        year: ``None`` where not known.
        score: The model's logit: a greater one is better; what it says by itself depends on the
            loss that the model was trained with.
        reasons: Why.
    """

    rank: int
    redial_id: int
    movielens_id: int | None
    title: str
    year: int | None
    score: float
    reasons: Reasons


@dataclass(frozen=True)
class Answer:
    """What is recommended.

    Attributes:
        text: The request's.
        mentions: The movies that it was understood to mention, in order.
        recommendations: The best first.
    """

    text: str
    mentions: list[LinkedMention]
    recommendations: list[Recommendation]


class Recommender:
    """A trained model that answers requests.

    Args:
        name: Of the model.
        config: What it was made with.
        model: Scores the catalogue.
        encoder: Text to sentence vectors.
        encoder_folder: With the encoder's tokenizer.
        catalogue: What can be recommended.
        requests: What the model was trained on; ``None``: no reasons from there.
    """

    def __init__(
        self,
        name: str,
        config: ModelConfig,
        model: RecommenderNetwork,
        encoder: SentenceEncoder,
        encoder_folder: Path,
        catalogue: Catalogue,
        requests: TrainingRequests | None,
    ) -> None:
        self.name = name
        self.catalogue = catalogue
        self._model = model
        self._encoder = encoder
        self._requests = requests
        self._reads_mentions = VARIANTS[config.variant].reads_mentions
        self._tokenizer = _tokenizer(encoder_folder, config.max_tokens)
        self._reach = config.titles.context_tokens if config.titles else 0
        self._uncut = _tokenizer(encoder_folder, None) if self._reach else None
        named = {movie.redial_id: movie.title for movie in catalogue if movie.title}
        self._form = text_form(config.text_form, named)
        self._linker = TitleLinker(catalogue, None if requests is None else requests.title_usage())

    @classmethod
    def load(cls, folder: Path | str, new_movies: Path | str | None = None) -> Recommender:
        """Read a trained model; nothing but its folder is needed.

        Args:
            folder: ``models/<trainer>-<variant>``.
            new_movies: A file of movies that came out after it was trained, to be recommended
                as well; see :mod:`new_movies`.

        Raises:
            UserError: The folder is missing or not whole, the file is not as it should be, or the
                model cannot score new movies.
        """
        folder = Path(folder)
        config, model, encoder, _ = load_model(folder, load_encoder)
        catalogue = read_catalogue(folder, None if new_movies is None else Path(new_movies))
        added = [movie for movie in catalogue if movie.is_new]
        if added and isinstance(model, GatedRecommender) and config.titles is not None:
            texts = _texts(added, config.titles.tags_per_movie)
            tokenizer = _tokenizer(folder / ENCODER, config.titles.max_movie_tokens)
            with torch.no_grad():
                model = model.with_new_movies(encoder(_tokens(tokenizer, texts)))
        _store_by_columns(model)
        requests = load_training_requests(folder, catalogue)
        return cls(
            folder.name,
            config,
            model,
            encoder,
            folder / ENCODER,
            catalogue,
            requests,
        )

    def understand(self, text: str) -> list[LinkedMention]:
        """The movies that a text names, in the order in which it does."""
        return self._linker.link(text)

    def recommend(
        self,
        text: str,
        mentions: Sequence[int] | None = None,
        k: int = 10,
        exclude_mentioned: bool = True,
    ) -> Answer:
        """Answer one request; see :class:`Request`.

        Raises:
            UserError: It is empty, ``k`` is less than 1, or no movie has an id of ``mentions``.
        """
        return self.recommend_batch([Request(text, mentions, k, exclude_mentioned)])[0]

    def recommend_batch(self, requests: Sequence[Request]) -> list[Answer]:
        """Answer requests, in their order.

        Raises:
            UserError: One is empty, its ``k`` less than 1, or no movie has an id of its
                ``mentions``.
        """
        understood = [self._mentions_of(request) for request in requests]
        answers: list[Answer] = []
        for part in _parts(understood):
            answers += self._answer(requests[part], understood[part])
        return answers

    def check(self, request: Request) -> None:
        """Whether a request can be answered, which takes no time beside an answer.

        Raises:
            UserError: It is empty, ``k`` is less than 1, or no movie has an id of ``mentions``.
        """
        if request.k < 1:
            raise UserError(f"{request.k} movies cannot be recommended; ask for at least 1")
        if not request.text.strip() and not request.mentions:
            raise UserError("the request is empty; say what you would like to watch")
        for redial_id in request.mentions or ():
            self._movie(redial_id)

    def _mentions_of(self, request: Request) -> list[LinkedMention]:
        self.check(request)
        named = self._linker.link(request.text)
        if request.mentions is None:
            return named
        wanted = dict.fromkeys(request.mentions)
        kept = [mention for mention in named if mention.movie.redial_id in wanted]
        for mention in kept:
            wanted.pop(mention.movie.redial_id, None)
        return kept + [
            LinkedMention(self._movie(redial_id), None, "", "given", 1.0) for redial_id in wanted
        ]

    def _movie(self, redial_id: int) -> Movie:
        movie = self.catalogue.find(redial_id)
        if movie is None:
            raise UserError(
                f"no movie of the catalogue has the id {redial_id}; find one with: "
                'recommend movies "part of a title"'
            )
        return movie

    @torch.inference_mode()
    def _answer(
        self, requests: Sequence[Request], understood: Sequence[list[LinkedMention]]
    ) -> list[Answer]:
        pieces = [
            _around(request.text, mentions)
            for request, mentions in zip(requests, understood, strict=True)
        ]
        texts = [
            self._as_trained(between, mentions)
            for between, mentions in zip(pieces, understood, strict=True)
        ]
        sentences = self._encoder(_tokens(self._tokenizer, texts))  # (requests, width)
        indices = [[mention.movie.index for mention in mentions] for mentions in understood]
        scored = self._scored(sentences, indices, self._contexts(pieces))
        similarities = None if self._requests is None else self._requests.similarities(sentences)
        answers = []
        for row, (request, mentions) in enumerate(zip(requests, understood, strict=True)):
            logits = scored[row]  # (1 + distinct mentions, movies)
            scores = logits[0].clone()  # (movies,)
            if request.exclude_mentioned:
                scores[indices[row]] = -torch.inf
            best = _best(scores, request.k)
            pulled = self._pulled_up(indices[row], logits[:, best])
            near = None if similarities is None else similarities[row]
            answers.append(
                Answer(
                    request.text,
                    mentions,
                    [
                        self._recommendation(rank, index, float(scores[index]), near, causes)
                        for rank, (index, causes) in enumerate(
                            zip(best.tolist(), pulled, strict=True), start=1
                        )
                    ],
                )
            )
        return answers

    def _as_trained(self, pieces: Sequence[str], mentions: Sequence[LinkedMention]) -> str:
        """The text with its movies written as in the texts that the model was trained on."""
        written = [self._written(mention.movie) for mention in mentions]
        return "".join(piece + movie for piece, movie in zip(pieces, [*written, ""], strict=True))

    def _contexts(self, pieces: Sequence[Sequence[str]]) -> list[list[list[int]]]:
        """What stands around each mention of each request; nothing for a model that reads none."""
        if self._uncut is None:
            return [[[]] * (len(between) - 1) for between in pieces]
        width = 2 * self._reach
        return [
            [flat[start : start + width] for start in range(0, len(flat), width)]
            for flat in mention_contexts(pieces, self._uncut, self._reach)
        ]

    def _scored(
        self,
        sentences: Tensor,
        mentions: Sequence[Sequence[int]],
        contexts: Sequence[Sequence[Sequence[int]]],
    ) -> tuple[Tensor, ...]:
        """Score the catalogue for each request: with all its mentions, then without each movie.

        Together, since a scoring takes hardly less time than a few of them.

        Returns:
            (1 + distinct mentions, movies) for each request; (1, movies) where the model reads no
            mentions.
        """
        kept = [self._kept(movies) for movies in mentions]
        rows = [(request, places) for request, each in enumerate(kept) for places in each]
        named = _ragged(
            [[mentions[request][place] for place in places] for request, places in rows]
        )
        said_in = torch.tensor([request for request, _ in rows])
        logits: Tensor
        if isinstance(self._model, GatedRecommender):
            around = [[contexts[request][place] for place in places] for request, places in rows]
            beside = _ragged([list(chain.from_iterable(row)) for row in around])
            logits = self._model(sentences, named, contexts=beside, said_in=said_in)
        else:
            logits = self._model(sentences[said_in], named)
        return torch.split(logits.float(), [len(each) for each in kept])

    def _kept(self, mentions: Sequence[int]) -> list[list[int]]:
        """The places of all mentions, then for each distinct movie those of the others."""
        distinct = dict.fromkeys(mentions) if self._reads_mentions else {}
        return [
            [place for place, movie in enumerate(mentions) if movie != left_out]
            for left_out in [None, *distinct]
        ]

    def _written(self, movie: Movie) -> str:
        # only a model that reads titles takes new movies
        return movie.title if movie.is_new else self._form(f"@{movie.redial_id}")

    def _pulled_up(self, mentions: Sequence[int], logits: Tensor) -> list[list[PulledUpBy]]:
        """For each recommended movie, the mentioned movies without which it would score less.

        Args:
            mentions: Of the request.
            logits: Of the recommended movies, as :meth:`_scored` gives them.
        """
        gains = (logits[0] - logits[1:]).T  # (recommended, distinct mentions)
        distinct = list(dict.fromkeys(mentions))[: gains.shape[1]]
        return [
            sorted(
                (
                    PulledUpBy(self.catalogue[movie], gain)
                    for movie, gain in zip(distinct, row, strict=True)
                    if gain >= _LEAST_CONTRIBUTION
                ),
                key=lambda cause: -cause.contribution,
            )
            for row in gains.tolist()
        ]

    def _recommendation(
        self, rank: int, index: int, score: float, near: Tensor | None, pulled: list[PulledUpBy]
    ) -> Recommendation:
        movie = self.catalogue[index]
        nearest = (
            []
            if near is None or self._requests is None
            else self._requests.nearest(near, index, _NEAREST)
        )
        return Recommendation(
            rank,
            movie.redial_id,
            movie.movielens_id,
            movie.title,
            movie.year,
            score,
            Reasons(nearest, pulled, list(movie.tags)),
        )


def _tokenizer(encoder: Path, max_tokens: int | None) -> Tokenizer:
    """The tokenizer of a model's own encoder, which is made by training alone."""
    try:
        return load_tokenizer(encoder, max_tokens, keeps="start")
    except UserError:
        raise UserError(
            f"{encoder / 'tokenizer.json'} is missing or no tokenizer; train the model again with: "
            f"dvc repro -f -s train@{encoder.parent.name}"
        ) from None


def _store_by_columns(model: RecommenderNetwork) -> None:
    """Lay out what a request is multiplied with so that one is scored in half the time.

    A product of one row with a matrix (movies, width) stored by rows is a dot product a movie,
    which MKL is slow at on some processors; stored by columns it is ``width`` sums of rows.
    """
    if isinstance(model, GatedRecommender):
        model.movie_texts = model.movie_texts.T.contiguous().T
        model.neighbours.keys = model.neighbours.keys.T.contiguous().T
    else:
        weight = list(model.head.parameters())[-2]  # before the last bias
        weight.data = weight.data.T.contiguous().T


def _best(scores: Tensor, k: int) -> Tensor:
    """The movies with the best finite scores, of equal ones the first: (movies,) → (at most k,)."""
    best = torch.from_numpy(top(scores[None].numpy(), k)[0].astype("int64"))
    return best[torch.isfinite(scores[best])]


def _parts(understood: Sequence[Sequence[LinkedMention]]) -> Iterator[slice]:
    """Requests, one after another, to be answered together."""
    start = rows = 0
    for end, mentions in enumerate(understood):
        if start < end and rows + 1 + len(mentions) > _ROWS_AT_ONCE:
            yield slice(start, end)
            start, rows = end, 0
        rows += 1 + len(mentions)
    if understood:
        yield slice(start, len(understood))


def _around(text: str, mentions: Iterable[LinkedMention]) -> list[str]:
    """The text's pieces between its mentions, one more than those.

    A mentioned movie that the text does not name becomes a message of its own.
    """
    pieces: list[str] = []
    unnamed = end = 0
    for mention in mentions:
        if mention.span is None:
            unnamed += 1
        else:
            pieces.append(text[end : mention.span[0]])
            end = mention.span[1]
    last = text[end:]
    if not unnamed:
        return [*pieces, last]
    is_said = pieces or last.strip()
    return [*pieces, last + SEPARATOR if is_said else "", *[SEPARATOR] * (unnamed - 1), ""]


def _texts(movies: Iterable[Movie], most_tags: int) -> list[str]:
    """What movies are, in the words of the texts that the model was trained on."""
    return [
        movie_text(movie.title, movie.year, movie.genres, movie.tags[:most_tags])
        for movie in movies
    ]


def _tokens(tokenizer: Tokenizer, texts: Sequence[str]) -> Ragged:
    return _ragged([encoding.ids for encoding in tokenizer.encode_batch_fast(list(texts))])


def _ragged(rows: Sequence[Sequence[int]]) -> Ragged:
    lengths = torch.tensor([len(row) for row in rows], dtype=torch.int64)
    values = torch.tensor([value for row in rows for value in row], dtype=torch.int64)
    return Ragged(values, lengths)
