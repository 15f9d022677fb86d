from pathlib import Path

import pytest

from stages.recommender import artifacts
from stages.recommender.errors import UserError
from stages.recommender.reporting.collected import read_history

NAME = "original-rnn"
HEAD = "epoch,train_loss,eval_ndcg_at_10\n"


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
