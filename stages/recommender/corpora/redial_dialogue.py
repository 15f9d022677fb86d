"""One ReDial dialogue as its corpus writes it, checked: the official JSON and the hub's rows."""

import re
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

MAX_MESSAGE_CHARACTERS = 10_000
"""The longest message of the corpus has 500."""
MAX_NAME_CHARACTERS = 1_000

_INTEGER = re.compile(r"-?[0-9]{1,19}")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_SHOWN = 60


def _as_integer(value: Any) -> Any:
    return int(value) if isinstance(value, str) and _INTEGER.fullmatch(value) else value


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("holds a NUL character")
    return text


def _as_movies(value: Any) -> Any:
    if isinstance(value, dict):
        return [{"movieId": movie, "movieName": name} for movie, name in value.items()]
    return value


def _as_answers(value: Any) -> Any:
    if isinstance(value, dict):
        return [
            {"movieId": movie, **answers} if isinstance(answers, dict) else answers
            for movie, answers in value.items()
        ]
    return value


# ids are numbers in one source and strings of digits in the other; a bool or a float is neither
Id = Annotated[int, BeforeValidator(_as_integer), Field(strict=True, ge=-(2**63), lt=2**63)]
Text = Annotated[
    str, Field(strict=True, max_length=MAX_MESSAGE_CHARACTERS), AfterValidator(_without_nul)
]
MovieName = Annotated[
    str, Field(strict=True, max_length=MAX_NAME_CHARACTERS), AfterValidator(_without_nul)
]
AnswerCode = Annotated[int, Field(strict=True, ge=-(2**7), lt=2**7)]


class Message(BaseModel):
    """What one of the two workers said."""

    sender_id: Id = Field(alias="senderWorkerId")
    text: Text


class Movie(BaseModel):
    """A movie listed for the dialogue."""

    movie_id: Id = Field(alias="movieId")
    name: MovieName | None = Field(alias="movieName")


class Answer(BaseModel):
    """What a worker's form says of a movie, as numbers; ``None`` where it does not say."""

    movie_id: Id = Field(alias="movieId")
    suggested: AnswerCode | None = None
    seen: AnswerCode | None = None
    liked: AnswerCode | None = None


Answers = Annotated[list[Answer], BeforeValidator(_as_answers)]


class Dialogue(BaseModel):
    """A dialogue; ``model_dump`` gives a row of ``DIALOGUE_SCHEMA``."""

    model_config = ConfigDict(extra="ignore")

    conversation_id: Id = Field(alias="conversationId")
    initiator_id: Id = Field(alias="initiatorWorkerId")
    respondent_id: Id = Field(alias="respondentWorkerId")
    messages: list[Message]
    movies: Annotated[list[Movie], BeforeValidator(_as_movies)] = Field(alias="movieMentions")
    initiator_answers: Answers = Field(alias="initiatorQuestions")
    respondent_answers: Answers = Field(alias="respondentQuestions")

    @model_validator(mode="after")
    def _senders_are_known(self) -> "Dialogue":
        for place, message in enumerate(self.messages):
            if message.sender_id not in (self.initiator_id, self.respondent_id):
                raise ValueError(
                    f"has messages[{place}] from worker {message.sender_id}, who is neither the "
                    f"initiator {self.initiator_id} nor the respondent {self.respondent_id}"
                )
        return self


def problem_of(error: ValidationError, line: bytes = b"") -> str:
    """The first problem of a dialogue, in words that go on from where it stands.

    Args:
        error: What reading a :class:`Dialogue` raised.
        line: The JSON it was read from, if it was.
    """
    problem = error.errors(include_url=False)[0]
    message = re.sub(r"^(Input|String|Value error,) ", "", problem["msg"])
    if problem["type"] == "json_invalid":
        reason = message.removeprefix("Invalid JSON: ").replace(" at line 1 column ", " at byte ")
        if "hex escape" in reason and _SURROGATE.search(line):
            reason = "half of a surrogate pair in a text"
        return f"is no whole JSON ({reason})"
    key = ""
    for part in problem["loc"]:
        key += f"[{part}]" if isinstance(part, int) else f".{part}"
    key = key.removeprefix(".")
    if not key:
        return message
    if problem["type"] == "missing":
        return f"has no {key}"
    if problem["type"] == "value_error":
        return f"has {key} that {message}"
    given = repr(problem["input"])
    shown = given if len(given) <= _SHOWN else f"{given[:_SHOWN]}..."
    return f"has {key} {shown}, but it {message}"
