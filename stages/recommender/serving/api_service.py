"""What API and page ask: one place that knows the trained models and answers by them."""

from collections.abc import Sequence
from pathlib import Path

from stages.recommender.errors import UserError
from stages.recommender.serving.api_batches import Batches
from stages.recommender.serving.api_models import LoadedModels
from stages.recommender.serving.catalogue import Movie
from stages.recommender.serving.linking import LinkedMention
from stages.recommender.serving.models_folder import (
    TrainedModel,
    find_model,
    metrics_of,
    trained_models,
)
from stages.recommender.serving.recommender import Answer, Recommender, Request


class NoModelError(UserError):
    """Nothing is trained."""


class Service:
    """Answers requests by the trained models of a folder.

    A model that is trained, trained again or removed meanwhile is noticed at the next request.

    Args:
        models: The folder; metrics are looked for in ``metrics`` beside it.
        new_movies: A file of movies to add to those models that read what a movie is.
    """

    def __init__(self, models: Path, new_movies: Path | None = None) -> None:
        self.folder = models
        self._loaded = LoadedModels(new_movies)
        self._batches = Batches(self._model)

    def trained(self) -> list[TrainedModel]:
        """The trained models, the best first.

        Raises:
            NoModelError: There is none.
        """
        found = self._trained()
        return found if found else [self._find(None)]

    async def recommend(self, request: Request, model: str | None = None) -> tuple[str, Answer]:
        """Answer a request.

        Args:
            request: What is asked.
            model: Which answers; ``None``: the best.

        Returns:
            The name of the model that answered, and its answer.

        Raises:
            UserError: The request is not as it should be, or there is no such model.
            NoModelError: Nothing is trained.
            ModelError: The model cannot be loaded.
            BusyError: Too many requests wait already.
        """
        name = self._find(model).name
        return name, await self._batches.answer(name, request)

    async def understand(self, text: str, model: str | None = None) -> list[LinkedMention]:
        """The movies that a text names; raises what :meth:`recommend` raises."""
        name = self._find(model).name
        return await self._batches.run(lambda: self._model(name).understand(text))

    async def search(self, query: str, k: int, model: str | None = None) -> Sequence[Movie]:
        """The movies whose title is like a query; raises what :meth:`recommend` raises."""
        name = self._find(model).name
        return await self._batches.run(lambda: self._model(name).catalogue.search(query, k))

    async def movie(self, redial_id: int, model: str | None = None) -> Movie | None:
        """A movie of the catalogue, if it holds it; raises what :meth:`recommend` raises."""
        name = self._find(model).name
        return await self._batches.run(lambda: self._model(name).catalogue.find(redial_id))

    async def load(self) -> None:
        """Load the best model, so that the first request need not wait; nothing if none is."""
        for model in self._trained()[:1]:
            await self._batches.run(self._model, model.name)

    def close(self) -> None:
        """Stop answering."""
        self._batches.close()

    def _trained(self) -> list[TrainedModel]:
        return trained_models(self.folder, metrics_of(self.folder))

    def _find(self, name: str | None) -> TrainedModel:
        try:
            return find_model(name, self.folder)
        except UserError as error:
            if self._trained():
                raise
            raise NoModelError(str(error)) from None

    def _model(self, name: str) -> Recommender:
        return self._loaded.get(self._find(name))
