"""Which parameters a stage reads, recorded while it runs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel

from stages.recommender import params as parameters
from stages.recommender.params import Section


class Recording:
    """The parameters that were read since they were loaded, as dotted names."""

    def __init__(self) -> None:
        self.read: set[str] = set()
        self._places: dict[int, tuple[Section, str]] = {}

    def place(self, section: Section, path: str) -> None:
        """Remember where a section stands; kept alive, so that no other gets its identity."""
        self._places[id(section)] = section, path
        for name, value in section.__dict__.items():
            inner = f"{path}.{name}".lstrip(".")
            if isinstance(value, Section):
                self.place(value, inner)
            elif isinstance(value, dict):
                for key, entry in value.items():
                    self.place(entry, f"{inner}.{key}")

    def note(self, section: Section, name: str) -> None:
        """A field was read; one that is a section itself counts when one of its own is read."""
        value = section.__dict__[name]
        known = self._places.get(id(section))
        # one that a stage has made itself is no parameter
        if known is None or isinstance(value, Section | dict):
            return
        self.read.add(f"{known[1]}.{name}")

    def note_copy(self, original: BaseModel, copy: BaseModel) -> None:
        """A copy with changed fields stands where the original stands."""
        known = self._places.get(id(original))
        if known is not None and isinstance(copy, Section):
            self._places[id(copy)] = copy, known[1]

    def note_all(self, model: BaseModel, excluded: set[str]) -> None:
        """All fields were read at once; of models that hold sections, the sections' fields."""
        for name, value in model.__dict__.items():
            if name in excluded:
                continue
            if isinstance(value, BaseModel):
                self.note_all(value, set())
            elif isinstance(value, dict):
                for entry in value.values():
                    self.note_all(entry, set())
            elif isinstance(model, Section):
                self.note(model, name)


@contextmanager
def recorded(stage: ModuleType) -> Iterator[Recording]:
    """Record what a stage's ``main`` reads."""
    recording = Recording()
    plain_read = Section.__getattribute__
    plain_dump: Callable[..., dict[str, Any]] = BaseModel.model_dump
    plain_copy: Callable[..., BaseModel] = BaseModel.model_copy

    def load() -> parameters.Params:
        loaded = parameters.load_params()
        recording.place(loaded, "")
        return loaded

    def read(section: Section, name: str) -> Any:
        if name in type(section).__pydantic_fields__:
            recording.note(section, name)
        return plain_read(section, name)

    def dump(model: BaseModel, **options: Any) -> dict[str, Any]:
        excluded = options.get("exclude") or set()
        recording.note_all(model, set(excluded))
        return plain_dump(model, **options)

    def copied(model: BaseModel, **options: Any) -> BaseModel:
        made = plain_copy(model, **options)
        recording.note_copy(model, made)
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage, "load_params", load)
        patch.setattr(Section, "__getattribute__", read)
        patch.setattr(BaseModel, "model_dump", dump)
        patch.setattr(BaseModel, "model_copy", copied)
        yield recording
