"""The HTTP API: JSON in, JSON out, one sentence where something is wrong.

======================  =======================================================
``POST /api/recommend``   a request to ranked movies with reasons
``POST /api/understand``  the movies that a text names
``GET /api/movies``       the catalogue, searched by title
``GET /api/models``       what is trained, with scores
``GET /api/health``       whether requests can be answered
``GET /api/docs``         all of this, to try out; ``/api/openapi.json`` to read
======================  =======================================================
"""

from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from stages.recommender.errors import UserError
from stages.recommender.serving.api_batches import BusyError
from stages.recommender.serving.api_models import ModelError
from stages.recommender.serving.api_schemas import (
    AnswerJson,
    Count,
    ErrorJson,
    HealthJson,
    MentionJson,
    MentionsJson,
    ModelJson,
    ModelsJson,
    MovieJson,
    MoviesJson,
    Name,
    RecommendRequest,
    UnderstandRequest,
)
from stages.recommender.serving.api_service import NoModelError, Service

BUSY = "too many requests wait to be answered; try again in a moment"
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorJson, "description": description}
    for status, description in (
        (413, "The request is too large."),
        (422, "The request is not as it should be."),
        (429, "Too many requests came from one address."),
        (503, "No model is trained, one cannot be loaded, or too many requests wait."),
    )
}


def routes(service: Service) -> APIRouter:
    """The API's routes, below ``/api``.

    Args:
        service: Answers.
    """
    router = APIRouter(prefix="/api", responses=_PROBLEMS)

    @router.post("/recommend")
    async def recommend(body: RecommendRequest) -> AnswerJson:
        """Movies for a request, the best first, with reasons."""
        return AnswerJson.of(*await service.recommend(body.request(), body.model))

    @router.post("/understand")
    async def understand(body: UnderstandRequest) -> MentionsJson:
        """The movies that a text names."""
        found = await service.understand(body.text, body.model)
        return MentionsJson(mentions=[MentionJson.of(mention) for mention in found])

    @router.get("/movies")
    async def movies(
        query: Annotated[str, Query(max_length=200)], k: Count = 10, model: Name | None = None
    ) -> MoviesJson:
        """The movies of the catalogue whose title is like a query."""
        found = await service.search(query, k, model)
        return MoviesJson(movies=[MovieJson.of(movie) for movie in found])

    @router.get("/models")
    async def models() -> ModelsJson:
        """The trained models, the best first."""
        trained = service.trained()
        return ModelsJson(
            models=[ModelJson(name=model.name, scores=model.scores) for model in trained],
            default=trained[0].name,
        )

    @router.get("/health")
    async def health() -> HealthJson:
        """Whether requests can be answered: 503 where no model is trained."""
        return HealthJson(status="ok", models=len(service.trained()))

    return router


def tell_problems(app: FastAPI) -> None:
    """Answer whatever goes wrong with ``{"error": "one sentence"}``."""

    @app.exception_handler(RequestValidationError)
    async def wrong_form(_: Request, error: RequestValidationError) -> JSONResponse:
        return _problem(422, sentence(error.errors()))

    @app.exception_handler(HTTPException)
    async def wrong_address(_: Request, error: HTTPException) -> JSONResponse:
        return _problem(error.status_code, str(error.detail).lower())

    @app.exception_handler(NoModelError)
    async def nothing_trained(_: Request, error: NoModelError) -> JSONResponse:
        return _problem(503, str(error))

    @app.exception_handler(ModelError)
    async def no_whole_model(_: Request, error: ModelError) -> JSONResponse:
        return _problem(503, str(error))

    @app.exception_handler(UserError)
    async def wrong_content(_: Request, error: UserError) -> JSONResponse:
        return _problem(422, str(error))

    @app.exception_handler(BusyError)
    async def busy(_: Request, error: BusyError) -> JSONResponse:
        return _problem(503, BUSY)

    @app.exception_handler(Exception)
    async def unforeseen(_: Request, error: Exception) -> JSONResponse:
        return _problem(500, "the request could not be answered; the server's log says why")


def sentence(problems: Any) -> str:
    """Where a request is not as it should be, and how; of several problems the first.

    Args:
        problems: As pydantic lists them.
    """
    first = problems[0]
    if first["type"] == "json_invalid":
        return f"the request is no JSON ({first['ctx']['error']})"
    parts = [str(part) for part in first["loc"] if part not in ("body", "query")]
    place = ".".join(parts) or "the request"
    text = first["msg"].removeprefix("Value error, ")
    return f"{place}: {text[0].lower()}{text[1:]}"


def _problem(status: int, error: str) -> JSONResponse:
    return JSONResponse({"error": error}, status)
