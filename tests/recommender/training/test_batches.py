from itertools import islice

import pytest
import small_project
import torch
from hypothesis import given
from hypothesis import strategies as st

from stages.recommender.modeling.ragged import Ragged
from stages.recommender.training.batches import (
    DialogueExamples,
    TagExamples,
    batches_of,
    dialogue_batches,
    tag_batches,
)

counts = st.integers(1, 70)
sizes = st.integers(1, 20)
seeds = st.integers(0, 2**32 - 1)


def lists(rows: Ragged) -> list[list[int]]:
    return [part.tolist() for part in torch.split(rows.values, rows.lengths.tolist())]


@given(counts, sizes, seeds, st.integers(0, 1_000))
def test_an_epoch_reads_every_example_once(count: int, size: int, seed: int, epoch: int) -> None:
    batches = dialogue_batches(count, size, seed, epoch)
    assert sorted(torch.cat(batches).tolist()) == list(range(count))
    assert [len(batch) for batch in batches[:-1]] == [size] * (len(batches) - 1)
    assert 1 <= len(batches[-1]) <= size


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        return torch.cat(dialogue_batches(50, 8, seed, epoch)).tolist()

    first = order(42, 0)
    torch.manual_seed(1)  # other random streams do not matter
    assert order(42, 0) == first
    others = [order(42, 1), order(43, 0), next(tag_batches(50, 50, 42, 0)).tolist()]
    assert len({tuple(other) for other in [first, *others]}) == 4
    # of another batch size, the same order
    assert torch.cat(dialogue_batches(50, 3, 42, 0)).tolist() == first


@given(counts, sizes, seeds, st.integers(0, 40))
def test_tags_go_on_from_any_batch_as_if_all_before_had_been_read(
    count: int, size: int, seed: int, first: int
) -> None:
    begun = islice(tag_batches(count, size, seed, 0), first, first + 12)
    resumed = islice(tag_batches(count, size, seed, first), 12)
    assert [batch.tolist() for batch in begun] == [batch.tolist() for batch in resumed]


def test_tags_that_run_out_are_shuffled_anew() -> None:
    batches = list(islice(tag_batches(10, 4, 42, 0), 6))
    assert [len(batch) for batch in batches] == [4, 4, 2, 4, 4, 2]
    passes = [torch.cat(batches[:3]).tolist(), torch.cat(batches[3:]).tolist()]
    assert [sorted(rows) for rows in passes] == [list(range(10))] * 2
    assert passes[0] != passes[1]


def test_examples_keep_what_the_table_says() -> None:
    table = small_project.examples(9, 1, ["train"])
    examples = DialogueExamples.from_table(table)
    columns = {"input_ids": examples.tokens, "mentions": examples.mentions}
    for name, rows in (columns | {"labels": examples.labels}).items():
        assert lists(rows) == table[name].to_pylist()
    rows = torch.tensor([7, 0, 7])
    taken = examples.with_vectors(torch.arange(18.0).reshape(9, 2)).take(rows)
    assert lists(taken.labels) == [table["labels"].to_pylist()[row] for row in rows.tolist()]
    assert taken.vectors is not None
    assert taken.vectors.tolist() == [[14, 15], [0, 1], [14, 15]]


def test_batches_are_what_is_taken_at_their_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.recommender.training.batches._LAID_OUT_AT_ONCE", 2)
    rows = [torch.tensor([7, 0]), torch.tensor([3]), torch.tensor([7, 8, 1])]
    dialogues = DialogueExamples.from_table(small_project.examples(9, 1, ["train"]))
    batches = batches_of(dialogues, rows)
    assert [batch.digest() for batch in batches] == [dialogues.take(r).digest() for r in rows]
    with_vectors = dialogues.with_vectors(torch.arange(18.0).reshape(9, 2))
    for batch, read in zip(batches_of(with_vectors, rows), rows, strict=True):
        assert batch.vectors is not None
        assert batch.vectors.tolist() == [[2 * row, 2 * row + 1] for row in read.tolist()]
        assert lists(batch.labels) == lists(dialogues.take(read).labels)
        assert lists(batch.tokens) == [[]] * len(read)  # nobody reads them any more
    tags = TagExamples.from_table(small_project.tags(9, 1))
    batches_of_tags = batches_of(tags, rows)
    assert [batch.digest() for batch in batches_of_tags] == [tags.take(r).digest() for r in rows]
    assert list(batches_of(tags, [])) == []


def test_parts_are_joined_in_order() -> None:
    tables = [small_project.examples(3, 1, ["train"]), small_project.examples(2, 2, ["train"])]
    parts = [
        DialogueExamples.from_table(table).with_vectors(torch.full((len(table), 2), float(number)))
        for number, table in enumerate(tables)
    ]
    joined = DialogueExamples.concatenate(parts)
    assert lists(joined.tokens) == [ids for t in tables for ids in t["input_ids"].to_pylist()]
    assert joined.vectors is not None
    assert joined.vectors[:, 0].tolist() == [0, 0, 0, 1, 1]
    assert len(joined) == 5


def test_tags_keep_what_the_table_says() -> None:
    table = small_project.tags(6, 1)
    tags = TagExamples.from_table(table).take(torch.tensor([4, 1]))
    assert lists(tags.tokens) == [table["input_ids"].to_pylist()[row] for row in (4, 1)]
    assert tags.movies.tolist() == [table["movie"].to_pylist()[row] for row in (4, 1)]


@pytest.mark.parametrize("column", ["tokens", "mentions", "labels"])
def test_a_digest_tells_examples_apart(column: str) -> None:
    def examples(**changed: Ragged) -> DialogueExamples:
        same = {name: Ragged(torch.tensor([1, 2, 3]), torch.tensor([2, 1])) for name in names}
        return DialogueExamples(**(same | changed))

    names = ("tokens", "mentions", "labels")
    other_value = Ragged(torch.tensor([1, 2, 4]), torch.tensor([2, 1]))
    other_bounds = Ragged(torch.tensor([1, 2, 3]), torch.tensor([1, 2]))
    digests = {
        examples().digest(),
        examples(**{column: other_value}).digest(),
        examples(**{column: other_bounds}).digest(),
    }
    assert len(digests) == 3
    assert examples().digest() in digests


def test_a_digest_tells_tags_apart() -> None:
    tokens = Ragged(torch.tensor([1, 2, 3]), torch.tensor([2, 1]))
    one, other = (TagExamples(tokens, torch.tensor(movies)) for movies in ([0, 1], [1, 1]))
    assert one.digest() != other.digest()
    assert one.digest() == one.with_vectors(torch.zeros(2, 3)).digest()
