"""YAML files that people write: read and checked, or told in one sentence what is wrong."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from stages.recommender.errors import UserError

Model = TypeVar("Model", bound=BaseModel)


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML 1.2 file that maps keys to values.

    Raises:
        UserError: The file is no YAML, or no mapping.
    """
    try:
        content = parse_yaml(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no UTF-8 text ({error}); save it as UTF-8") from None
    except ValueError as error:
        raise UserError(f"{path} is no YAML{error}; mend it there") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} holds {_shown(content)} but should map keys to values; mend it")
    return content


def parse_yaml(text: str) -> Any:
    """What a text of YAML 1.2 stands for.

    Raises:
        ValueError: It is none; the message goes on after a name: `` in line 3: found ...``.
    """
    try:
        # the parser in Python says where a mistake is more exactly than the one in C
        return YAML(typ="safe", pure=True).load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f" in line {mark.line + 1}" if mark else ""
        problem = " ".join(f"{error.context or ''} {error.problem or ''}".split())
        raise ValueError(f"{line}: {problem}") from None
    # such as the date 2024-13-01, an unknown word under a tag, a thousand brackets
    except (YAMLError, ValueError, KeyError, RecursionError) as error:
        raise ValueError(f": {' '.join(str(error).split())}") from None


def checked(model: type[Model], content: Mapping[str, Any], source: Path | str) -> Model:
    """What :func:`read_yaml` read, as a model.

    Args:
        model: What to make of it.
        content: Keys and values.
        source: Where they come from, to name it.

    Raises:
        UserError: A key is unknown, missing, of the wrong type or out of range.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        problem = _first(error.errors(include_url=False), content)
        raise UserError(f"{source}: {problem}") from None


def _first(problems: Sequence[ErrorDetails], content: Mapping[str, Any]) -> str:
    problem = problems[0]
    key = _key(problem, content)
    limits = problem.get("ctx", {})
    match problem["type"]:
        case "extra_forbidden" | "invalid_key":
            return f"{key} is no parameter; remove it or mend its spelling"
        case "missing":
            return f"{key} is missing; add it"
        case "value_error":
            return problem["msg"].removeprefix("Value error, ")
        case "too_short" | "too_long":
            least, most = limits.get("min_length"), limits.get("max_length")
            wanted = f"at most {most}" if least is None else f"at least {least}"
            return f"{key} has {limits['actual_length']} entries but should have {wanted}; mend it"
        case "model_type" | "dict_type":
            wanted = "should map keys to values"
        case _:
            # a value that may be of several kinds has a problem with each of them
            messages = [each["msg"] for each in problems if _key(each, content) == key]
            wanted = " or ".join(message[max(0, message.find("should")) :] for message in messages)
    return f"{key} is {_shown(problem['input'])} but {wanted}; change it"


def _key(problem: ErrorDetails, content: Any) -> str:
    return ".".join(_steps(problem["loc"], content))


def _steps(location: Sequence[int | str], content: Any) -> Iterator[str]:
    """The keys of a place, without what the checker adds to tell kinds of values apart."""
    for step in location:
        if step == "[key]":
            return
        if isinstance(content, dict):
            content = content.get(step)
        elif isinstance(content, list) and isinstance(step, int):
            content = content[step]
        else:
            return
        yield str(step)


def _shown(value: object) -> str:
    """A value as it stands in YAML, in a few words."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case str():
            return f"{value!r} (text)"
        case _:
            return str(value)
