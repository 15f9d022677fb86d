import pyarrow as pa
import pytest

from stages.recommender.artifacts import DIALOGUE_SCHEMA
from stages.recommender.dialogues.figures import CorpusFigures, ExampleFigures


def examples(*rows: tuple[list[int], list[int], list[int]]) -> pa.Table:
    return pa.table(
        {
            name: pa.array([row[place] for row in rows], pa.list_(pa.int32()))
            for place, name in enumerate(("input_ids", "mentions", "labels"))
        }
    )


ONE, TWO, THREE = ([7, 8, 9], [1, 2], [2, 3]), ([7], [], [4]), ([7, 8], [5], [5, 6, 0])


@pytest.mark.parametrize("parts", [[[ONE, TWO, THREE]], [[ONE], [], [TWO, THREE]]])
def test_figures_by_hand_however_the_examples_come(
    parts: list[list[tuple[list[int], list[int], list[int]]]],
) -> None:
    counted = ExampleFigures()
    for part in parts:
        counted.add(examples(*part))
    assert counted.summary(12) == {
        "examples": 3,
        "labels": 6,
        "mean_labels": 2.0,
        "mean_mentions": 1.0,
        "mean_tokens": 2.0,
        "tokens_95th_percentile": 2,
        "labels_that_the_seeker_mentions": 0.3333,  # 2 of the first, 5 of the third
        "negatives_per_positive": 6.0,
    }


def test_no_example() -> None:
    assert ExampleFigures().summary(12) == {"examples": 0}


def test_dialogues_are_counted_by_their_file() -> None:
    def dialogue(number: int, *senders: int) -> dict[str, object]:
        return {
            "conversation_id": number,
            "initiator_id": 1,
            "respondent_id": 2,
            "messages": [{"sender_id": sender, "text": "hi"} for sender in senders],
            "movies": [],
            "initiator_answers": [],
            "respondent_answers": [],
        }

    figures = CorpusFigures(12, ["whole"])
    for rows in ([dialogue(1, 1, 2), dialogue(2, 2, 1)], [dialogue(3), dialogue(4, 1)]):
        figures.add_dialogues("train", pa.Table.from_pylist(rows, DIALOGUE_SCHEMA))
    figures.add_examples("whole", "test", examples(ONE))
    found = figures.summary()
    assert found["movies"] == 12
    assert found["dialogues"] == {"train": 4, "test": 0}
    assert found["first_speaker_is_initiator"] == {"train": 2, "test": 0}
    assert {split: part["examples"] for split, part in found["examples"]["whole"].items()} == {
        "train": 0,
        "validation": 0,
        "test": 1,
    }
