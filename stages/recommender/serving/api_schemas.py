"""The JSON of the API, limits included, and the library's answers put into it."""

from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from stages.recommender.serving.catalogue import Movie
from stages.recommender.serving.linking import LinkedMention
from stages.recommender.serving.recommender import Answer, Recommendation, Request

LONGEST_TEXT = 2_000
"""Characters; longer than nineteen in twenty requests of ReDial, about what a model reads."""
MOST_MENTIONS = 50
MOST_MOVIES = 100

_LARGEST_ID = 2**63 - 1


def _no_true_or_false(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("Input should be a number")
    return value


Count = Annotated[int, BeforeValidator(_no_true_or_false), Field(ge=1, le=MOST_MOVIES)]
MovieId = Annotated[int, BeforeValidator(_no_true_or_false), Field(ge=-_LARGEST_ID, le=_LARGEST_ID)]
Text = Annotated[str, StringConstraints(max_length=LONGEST_TEXT)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class RecommendRequest(_Body):
    """What to recommend movies for."""

    text: Text
    """In plain words."""
    model: Name | None = None
    """Which model answers; the default one where none is named."""
    mentions: Annotated[list[MovieId], Field(max_length=MOST_MENTIONS)] | None = None
    """Ids of the movies it mentions; null: those that the text names; []: none."""
    k: Count = 10
    """Most movies."""
    exclude_mentioned: bool = True
    """Whether a mentioned movie is never recommended."""

    def request(self) -> Request:
        """For the library."""
        return Request(self.text, self.mentions, self.k, self.exclude_mentioned)


class UnderstandRequest(_Body):
    """A text in which to find movies."""

    text: Text
    model: Name | None = None
    """Whose catalogue."""


class MovieJson(BaseModel):
    """A movie of the catalogue."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    redial_id: int
    """ReDial's; -1, -2, ... are the movies of the file of new movies, in its order."""
    movielens_id: int | None
    title: str
    year: int | None

    @classmethod
    def of(cls, movie: Movie) -> Self:
        """From the library's."""
        return cls(
            redial_id=movie.redial_id,
            movielens_id=movie.movielens_id,
            title=movie.title,
            year=movie.year,
        )


class MentionJson(BaseModel):
    """A movie that a text names."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    movie: MovieJson
    span: tuple[int, int] | None
    """Where in the text it is named, in characters; null where it was given by its id."""
    surface: str
    """How the text names it."""
    how: str
    """How it was found."""
    confidence: float

    @classmethod
    def of(cls, mention: LinkedMention) -> Self:
        """From the library's."""
        return cls(
            movie=MovieJson.of(mention.movie),
            span=mention.span,
            surface=mention.surface,
            how=mention.how,
            confidence=mention.confidence,
        )


class NearestRequestJson(BaseModel):
    """A training request that was answered with the movie."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    text: str
    similarity: float
    """Cosine of the two sentence vectors."""


class PulledUpByJson(BaseModel):
    """A mentioned movie that raised the recommended one's score."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    movie: MovieJson
    contribution: float
    """The score with it less the score without it."""


class RecommendationJson(MovieJson):
    """A recommended movie."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    rank: int
    """From 1."""
    score: float
    """Greater is better; comparable within one answer of one model."""
    nearest_requests: list[NearestRequestJson]
    pulled_up_by: list[PulledUpByJson]
    tags: list[str]

    @classmethod
    def of_recommendation(cls, movie: Recommendation) -> Self:
        """From the library's."""
        reasons = movie.reasons
        return cls(
            redial_id=movie.redial_id,
            movielens_id=movie.movielens_id,
            title=movie.title,
            year=movie.year,
            rank=movie.rank,
            score=movie.score,
            nearest_requests=[
                NearestRequestJson(text=text, similarity=similarity)
                for text, similarity in reasons.nearest_requests
            ],
            pulled_up_by=[
                PulledUpByJson(movie=MovieJson.of(other), contribution=contribution)
                for other, contribution in reasons.pulled_up_by
            ],
            tags=reasons.tags,
        )


class AnswerJson(BaseModel):
    """Recommended movies, the best first."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    model: str
    """Which model answered."""
    mentions: list[MentionJson]
    """The movies that the request was understood to mention."""
    recommendations: list[RecommendationJson]

    @classmethod
    def of(cls, model: str, answer: Answer) -> Self:
        """From the library's."""
        return cls(
            model=model,
            mentions=[MentionJson.of(mention) for mention in answer.mentions],
            recommendations=[
                RecommendationJson.of_recommendation(movie) for movie in answer.recommendations
            ],
        )


class MentionsJson(BaseModel):
    """The movies that a text names, in order."""

    mentions: list[MentionJson]


class MoviesJson(BaseModel):
    """Movies of the catalogue, the likest first."""

    movies: list[MovieJson]


class ModelJson(BaseModel):
    """A trained model."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    name: str
    scores: dict[str, dict[str, float]]
    """On the test split by reading and measure; empty where its metrics are not there."""


class ModelsJson(BaseModel):
    """The trained models."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    models: list[ModelJson]
    default: str
    """Answers where a request names none."""


class HealthJson(BaseModel):
    """Whether requests can be answered."""

    status: str
    models: int


class ErrorJson(BaseModel):
    """Why there is no answer."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    error: str
    """One sentence: what is wrong and what to do."""
