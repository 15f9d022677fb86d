from dataclasses import replace

import torch
from ragged_rows import ragged

from stages.recommender.modeling.gate import READINGS
from stages.recommender.modeling.ragged import Ragged
from stages.recommender.training.batches import DialogueExamples
from stages.recommender.training.gate_examples import GateExamples

MOVIES = 9


def lists(rows: Ragged) -> list[list[int]]:
    return [part.tolist() for part in torch.split(rows.values, rows.lengths.tolist())]


def read(
    reading: str, dialogues: list[int], mentions: list[list[int]], labels: list[list[int]]
) -> GateExamples:
    examples = DialogueExamples(ragged([[2, 3]] * len(dialogues)), ragged(mentions), ragged(labels))
    # each mention stands between its own id and one more
    contexts = ragged([[token for m in row for token in (m, m + 1)] for row in mentions])
    return GateExamples.read(examples, reading, torch.tensor(dialogues), contexts)


def examples() -> GateExamples:
    """Two dialogues, 70 and 50: rows 0 and 1 are whole, 2 before, 3 to 6 turns, three of 70."""
    return GateExamples.concatenate(
        [
            read("whole", [70, 50], [[5, 1, 5], []], [[1, 4], [8]]),
            read("before", [50], [[]], [[8]]),
            read("turn", [70, 70, 50, 70], [[], [5], [3], [5, 1]], [[1], [4], [8], [4]]),
        ]
    )


def test_a_dialogue_names_what_any_of_its_examples_mentions() -> None:
    named, recommended, number = examples().by_dialogue(MOVIES)
    assert lists(named) == [[3, 8], [1, 4, 5]]  # of 50, of 70
    assert lists(recommended) == [[8], [1, 4]]
    assert number.tolist() == [1, 0, 0, 1, 1, 0, 1]


def test_examples_that_are_counted_know_what_their_dialogue_recommends() -> None:
    assert examples().own.lengths.tolist() == [0] * 7
    assert examples().remembered.tolist() == [-1] * 7
    counted = examples().counted(MOVIES)
    assert lists(counted.own) == [[1, 4], [8], [8], [1, 4], [1, 4], [8], [1, 4]]
    assert counted.remembered.tolist() == [1, 0, 0, 1, 1, 0, 1]
    taken = counted.take(torch.tensor([5, 0]))
    assert lists(taken.own) == [[8], [1, 4]]
    assert taken.readings.tolist() == [READINGS.index("turn"), READINGS.index("whole")]
    first, second = taken.split([1, 1])
    mentions, readings, own, contexts, remembered, nearest = second.inputs()
    assert (lists(mentions), readings.tolist(), lists(own)) == ([[5, 1, 5]], [0], [[1, 4]])
    assert lists(contexts) == [[5, 6, 1, 2, 5, 6]]
    assert remembered.tolist() == [1]
    assert nearest is None
    assert len(first) == 1
    assert counted.digest() != examples().digest()


def test_examples_with_other_words_around_their_mentions_are_others() -> None:
    made = examples()
    around = Ragged(made.contexts.values + 1, made.contexts.lengths)
    assert replace(made, contexts=around).digest() != made.digest()


def test_an_epoch_reads_whole_dialogues_twice_and_all_else_once() -> None:
    made = examples()
    assert made.an_epoch() == 9
    for epoch in range(3):
        batches = made.batches(4, seed=1, epoch=epoch)
        assert [len(batch) for batch in batches] == [4, 4, 1]
        assert sorted(torch.cat(batches).tolist()) == [0, 0, 1, 1, 2, 3, 4, 5, 6]
    again = torch.cat(made.batches(3, seed=1, epoch=5)).tolist()
    assert again == torch.cat(made.batches(3, seed=1, epoch=5)).tolist()
    assert again != torch.cat(made.batches(3, seed=2, epoch=5)).tolist()
