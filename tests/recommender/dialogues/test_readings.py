from hypothesis import given
from hypothesis import strategies as st

from stages.recommender.corpora.mentions import mentioned_ids
from stages.recommender.dialogues.readings import READINGS, WHOLE_DIALOGUE, Request
from stages.recommender.dialogues.roles import Dialogue, Message
from stages.recommender.dialogues.text import text_form

MASKED = text_form("masked", {})


def dialogue(*messages: tuple[str, str]) -> Dialogue:
    """Messages as (S or R, text)."""
    return Dialogue(5, tuple(Message(who == "S", text) for who, text in messages))


def read(name: str, of: Dialogue) -> list[Request]:
    return list(READINGS[name].requests(of, MASKED))


EXAMPLE = dialogue(
    ("R", "Hello!"),
    ("S", "Something like @1 or @1"),
    ("R", "Try @9 or @4, or @9"),
    ("S", "I saw @4, and @2"),
    ("R", "Then @1"),
    ("S", "Thanks"),
)


def test_whole() -> None:
    assert read("whole", EXAMPLE) == [
        Request(
            5,
            WHOLE_DIALOGUE,
            "Something like @1 or @1 [SEP] I saw @4, and @2 [SEP] Thanks",
            "Something like @ or @ [SEP] I saw @, and @ [SEP] Thanks",
            (1, 1, 4, 2),
            (1, 4, 9),
        )
    ]


def test_before() -> None:
    assert read("before", EXAMPLE) == [
        Request(
            5,
            WHOLE_DIALOGUE,
            "Something like @1 or @1",
            "Something like @ or @",
            (1, 1),
            (1, 4, 9),
        )
    ]


def test_turn() -> None:
    assert read("turn", EXAMPLE) == [
        Request(
            5,
            2,
            "Hello! [SEP] Something like @1 or @1",
            "Hello! [SEP] Something like @ or @",
            (1, 1),
            (4, 9),
        ),
        Request(
            5,
            4,
            "Hello! [SEP] Something like @1 or @1 [SEP] Try @9 or @4, or @9 [SEP] I saw @4, and @2",
            "Hello! [SEP] Something like @ or @ [SEP] Try @ or @, or @ [SEP] I saw @, and @",
            (1, 1, 9, 4, 9, 4, 2),
            (1,),
        ),
    ]


def test_dialogue_without_recommendation_gives_nothing() -> None:
    talk = dialogue(("S", "I like @1"), ("R", "Nice"))
    assert [read(name, talk) for name in READINGS] == [[], [], []]


def test_seeker_without_text_gives_nothing() -> None:
    for blank in ([("S", " ")], [("S", ""), ("S", " ")], [("S", " "), ("S", "\n"), ("S", "")]):
        talk = dialogue(*blank, ("R", "Try @1"))
        assert [read(name, talk) for name in READINGS] == [[], [], []]


def test_recommendation_as_first_message_has_nothing_before_it() -> None:
    talk = dialogue(("R", "Try @3"), ("S", "Why not"))
    assert read("before", talk) == []
    assert read("turn", talk) == []
    assert [request.labels for request in read("whole", talk)] == [(3,)]


MESSAGES = st.tuples(
    st.booleans(), st.lists(st.sampled_from(["hello", "@1", "@22", "@333", ""])).map(" ".join)
)


@given(st.lists(MESSAGES, max_size=12))
def test_any_dialogue(messages: list[tuple[bool, str]]) -> None:
    talk = Dialogue(1, tuple(Message(seeker, text) for seeker, text in messages))
    recommended = {m for seeker, text in messages if not seeker for m in mentioned_ids(text)}
    for name in READINGS:
        for request in read(name, talk):
            assert request.text.replace("[SEP]", "").strip()
            assert list(request.labels) == sorted(set(request.labels))
            assert request.labels
            assert set(request.labels) <= recommended
            assert "@1" not in request.text
    assert len(read("whole", talk)) <= 1
