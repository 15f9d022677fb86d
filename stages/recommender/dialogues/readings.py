"""The ways to read requests and labels out of a dialogue.

A reading is a function from a dialogue to its requests; a request becomes an example when it has
text and labels. A new reading is one function here, one entry in :data:`READINGS` and one in
``params.yaml``.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from stages.recommender.corpora.mentions import MENTION, mentioned_ids
from stages.recommender.dialogues.roles import Dialogue, Message
from stages.recommender.dialogues.text import TextForm, join

WHOLE_DIALOGUE = -1
"""The turn of a request that spans its whole dialogue."""


@dataclass(frozen=True)
class Request:
    """What is asked, and what a recommender answered; movies by ReDial id."""

    conversation_id: int
    turn: int
    """The message that answers it, counted from 0; :data:`WHOLE_DIALOGUE` where there is none."""
    said: str
    """Its text with every movie as ``@123``."""
    text: str
    """The same in the text form that the encoder reads."""
    mentions: tuple[int, ...]
    """In order, repeats kept."""
    labels: tuple[int, ...]
    """Distinct, ascending."""


def whole(dialogue: Dialogue, form: TextForm) -> Iterator[Request]:
    """All that the seeker says; every movie that the recommender mentions is a label.

    The paper's and the notebook's reading. It holds the seeker's reactions to what was
    recommended.
    """
    seeker, recommender = _by_role(dialogue.messages)
    yield from _request(dialogue, WHOLE_DIALOGUE, seeker, recommender, form)


def before(dialogue: Dialogue, form: TextForm) -> Iterator[Request]:
    """What the seeker says before the first recommendation; all recommended movies are labels.

    The situation of a real request.
    """
    first = next(
        (turn for turn, message in enumerate(dialogue.messages) if _recommends(message)), None
    )
    if first is not None:
        said, _ = _by_role(dialogue.messages[:first])
        _, recommender = _by_role(dialogue.messages)
        yield from _request(dialogue, WHOLE_DIALOGUE, said, recommender, form)


def turn(dialogue: Dialogue, form: TextForm) -> Iterator[Request]:
    """One request for each recommender message that mentions a movie and has text before it.

    Its text and mentions are all that both have said so far, its labels the movies of that
    message: the per-turn protocol of Kostric and Balog, "A Standardized Re-evaluation of
    Conversational Recommender Systems on the ReDial Dataset" (SIGIR 2026).
    """
    for position, message in enumerate(dialogue.messages):
        if _recommends(message):
            said = [earlier.text for earlier in dialogue.messages[:position]]
            yield from _request(dialogue, position, said, [message.text], form)


@dataclass(frozen=True)
class Reading:
    """A way to read requests, and which end of a text too long for the encoder is kept."""

    requests: Callable[[Dialogue, TextForm], Iterator[Request]]
    keeps: Literal["start", "end"]


READINGS = {
    "whole": Reading(whole, keeps="start"),
    "before": Reading(before, keeps="start"),
    "turn": Reading(turn, keeps="end"),
}


def _recommends(message: Message) -> bool:
    return not message.from_seeker and MENTION.search(message.text) is not None


def _by_role(messages: tuple[Message, ...]) -> tuple[list[str], list[str]]:
    seeker = [message.text for message in messages if message.from_seeker]
    recommender = [message.text for message in messages if not message.from_seeker]
    return seeker, recommender


def _request(
    dialogue: Dialogue, turn: int, said: list[str], answers: list[str], form: TextForm
) -> Iterator[Request]:
    joined = join(said)
    text = form(joined)
    labels = tuple(sorted({movie for answer in answers for movie in mentioned_ids(answer)}))
    if labels and any(form(message).strip() for message in said):
        mentions = tuple(mentioned_ids(joined))
        yield Request(dialogue.conversation_id, turn, joined, text, mentions, labels)
