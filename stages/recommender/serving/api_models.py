"""Models in memory: each loaded once, the last few kept, loaded anew when trained anew."""

from collections import OrderedDict
from pathlib import Path
from typing import NamedTuple

from stages.recommender.errors import UserError
from stages.recommender.serving.catalogue import reads_movie_texts
from stages.recommender.serving.models_folder import TrainedModel
from stages.recommender.serving.recommender import Recommender

KEPT = 4
"""Models in memory at once; one has about the size of its encoder."""


class ModelError(UserError):
    """A model, or the file of new movies, is not as it should be; no request can mend that."""


Written = list[tuple[int, int, int]]
"""Inode, time in nanoseconds and size of files: where a cache puts back what stood there before,
the time may be older than the one that was seen."""


class _Loaded(NamedTuple):
    written: tuple[Written, Written]
    """Of its folder, and of the file of new movies where the model takes it."""
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

        It is loaded anew where it was trained again, or the file of new movies was changed.

        Raises:
            ModelError: It cannot be loaded, or the new movies cannot be added to it.
        """
        loaded = self._loaded.pop(model.name, None)
        try:
            added = self._added_to(model)
            written = (_written(model.folder), [] if added is None else _written(added))
            if loaded is None or loaded.written != written:
                loaded = _Loaded(written, Recommender.load(model.folder, added))
        except UserError as error:
            raise ModelError(str(error)) from None
        except OSError as error:
            raise ModelError(
                f"{error.filename or model.folder} cannot be read ({error.strerror}); where the "
                "model is being trained, try again in a moment"
            ) from None
        self._loaded[model.name] = loaded
        while len(self._loaded) > KEPT:
            self._loaded.popitem(last=False)
        return loaded.recommender

    def _added_to(self, model: TrainedModel) -> Path | None:
        """The file of new movies, where a model takes them."""
        if self._new_movies is None or not reads_movie_texts(model.folder):
            return None
        return self._new_movies


def _written(path: Path) -> Written:
    """Of a file, or of all that lie in a folder."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    stats = [file.stat() for file in files]
    return [(stat.st_ino, stat.st_mtime_ns, stat.st_size) for stat in stats]
