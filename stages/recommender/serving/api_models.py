"""Models in memory: each loaded once, the last few kept, loaded anew when trained anew."""

from collections import OrderedDict
from pathlib import Path
from typing import NamedTuple

from stages.recommender.modeling.model_folder import CONFIG
from stages.recommender.serving.catalogue import reads_movie_texts
from stages.recommender.serving.models_folder import TrainedModel
from stages.recommender.serving.recommender import Recommender

KEPT = 4
"""Models in memory at once; one has about the size of its encoder."""


class _Loaded(NamedTuple):
    written: int
    """When its folder was written, in nanoseconds."""
    recommender: Recommender


class LoadedModels:
    """Gives trained models ready to answer. Not for several threads at once.

    Args:
        new_movies: A file of movies to add to those models that read what a movie is.
    """

    def __init__(self, new_movies: Path | None = None) -> None:
        self._new_movies = new_movies
        self._loaded: OrderedDict[str, _Loaded] = OrderedDict()

    def get(self, model: TrainedModel) -> Recommender:
        """A model, from memory where it is there as it is on disk.

        Raises:
            UserError: It cannot be loaded.
        """
        written = (model.folder / CONFIG).stat().st_mtime_ns
        loaded = self._loaded.pop(model.name, None)
        if loaded is None or loaded.written != written:
            added = self._new_movies if reads_movie_texts(model.folder) else None
            loaded = _Loaded(written, Recommender.load(model.folder, added))
        self._loaded[model.name] = loaded
        while len(self._loaded) > KEPT:
            self._loaded.popitem(last=False)
        return loaded.recommender
