import pyarrow as pa
import pytest

from stages.recommender.artifacts import DIALOGUE_SCHEMA
from stages.recommender.dialogues.roles import with_roles


def raw(messages: list[tuple[int, str]]) -> pa.Table:
    row = {
        "conversation_id": 7,
        "initiator_id": 1,
        "respondent_id": 2,
        "messages": [{"sender_id": sender, "text": text} for sender, text in messages],
        "movies": [],
        "initiator_answers": [],
        "respondent_answers": [],
    }
    return pa.Table.from_pylist([row], schema=DIALOGUE_SCHEMA)


@pytest.mark.parametrize(
    ("protocol", "said_by_seeker"),
    [("corrected", [False, True, False]), ("notebook", [True, False, True])],
)
def test_respondent_speaks_first(protocol: str, said_by_seeker: list[bool]) -> None:
    [dialogue] = with_roles(raw([(2, "Hi"), (1, "Hello"), (2, "Bye")]), protocol)
    assert [message.from_seeker for message in dialogue.messages] == said_by_seeker
    assert [message.text for message in dialogue.messages] == ["Hi", "Hello", "Bye"]
    assert dialogue.conversation_id == 7


@pytest.mark.parametrize("protocol", ["corrected", "notebook"])
def test_dialogue_without_messages(protocol: str) -> None:
    [dialogue] = with_roles(raw([]), protocol)
    assert dialogue.messages == ()
