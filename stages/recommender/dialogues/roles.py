"""A dialogue with its two roles: who seeks a movie and who recommends."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa


@dataclass(frozen=True)
class Message:
    """One message of a dialogue."""

    from_seeker: bool
    text: str


@dataclass(frozen=True)
class Dialogue:
    """A dialogue whose roles are known; messages in the order in which they were sent."""

    conversation_id: int
    messages: tuple[Message, ...]


def _initiator(row: dict[str, Any]) -> int | None:
    initiator: int = row["initiator_id"]
    return initiator


def _first_speaker(row: dict[str, Any]) -> int | None:
    return row["messages"][0]["sender_id"] if row["messages"] else None


SEEKER_RULES: dict[str, Callable[[dict[str, Any]], int | None]] = {
    "corrected": _initiator,
    "notebook": _first_speaker,
}
"""Who is the seeker, by protocol: ReDial says so (``initiatorWorkerId``); the notebook takes the
first speaker, which swaps the roles in most dialogues."""


def with_roles(dialogues: pa.Table, protocol: str) -> Iterator[Dialogue]:
    """Tell seeker from recommender in raw dialogues.

    Args:
        dialogues: A table of ``artifacts.DIALOGUE_SCHEMA``.
        protocol: A key of :data:`SEEKER_RULES`.
    """
    rule = SEEKER_RULES[protocol]
    columns = dialogues.select(["conversation_id", "initiator_id", "messages"])
    for row in columns.to_pylist():
        seeker = rule(row)
        yield Dialogue(
            row["conversation_id"],
            tuple(Message(m["sender_id"] == seeker, m["text"]) for m in row["messages"]),
        )
