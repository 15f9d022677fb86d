from pathlib import Path

import pyarrow as pa
import pytest

from stages.recommender import artifacts
from stages.recommender.errors import UserError
from stages.recommender.reporting.collected import read_history, training_labels

NAME = "original-rnn"
HEAD = "epoch,train_loss,eval_ndcg_at_10\n"


def test_labels_are_counted_where_was_trained() -> None:
    def examples(*rows: tuple[list[int], str | None]) -> pa.Table:
        labels, parts = zip(*rows, strict=True)
        lists = pa.array(labels, pa.list_(pa.int32()))
        return pa.table({"labels": lists, "paper_split": pa.array(parts, pa.string())})

    train = examples(([0, 1], "train"), ([1], "test"), ([3], "validation"))
    validation = examples(([1, 2], "train"), ([2], "test"))
    counts = training_labels(train, validation, movies=5)
    assert counts["paper split"].tolist() == [1, 2, 1, 0, 0]
    for reading in ("all", "new", "before", "turn", "turn fresh"):
        assert counts[reading].tolist() == [1, 2, 0, 1, 0]
    # the notebook's protocol validates on the test file, which has no part in the paper's split
    notebook = training_labels(train, examples(([4], None)), movies=5)
    assert notebook["paper split"].tolist() == [1, 1, 0, 0, 0]


@pytest.mark.usefixtures("here")
def test_a_history_is_read() -> None:
    artifacts.write_text(artifacts.HISTORY / f"{NAME}.csv", f"{HEAD}1,0.5,0.25\n2,0.25,\n")
    assert read_history(NAME)["train_loss"].tolist() == [0.5, 0.25]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, r"original-rnn\.csv is missing; make it with: dvc repro train@original-rnn$"),
        ("", "is no whole history .*; make it again with: dvc repro -f -s train@original-rnn$"),
        (HEAD, r"is no whole history \(no epoch with its eval_ndcg_at_10\)"),
        ("a,b\n1,2\n", r"is no whole history \(no epoch with its eval_ndcg_at_10\)"),
        ('epoch\n1,2\n"3', "is no whole history"),
    ],
)
def test_a_history_that_is_not_whole_is_told(here: Path, content: str | None, told: str) -> None:
    if content is not None:
        artifacts.write_text(artifacts.HISTORY / f"{NAME}.csv", content)
    with pytest.raises(UserError, match=told):
        read_history(NAME)
