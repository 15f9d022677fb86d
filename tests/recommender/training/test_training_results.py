import csv
import io
import math

from stages.recommender.training.checkpoints import EpochRecord
from stages.recommender.training.results import history_csv

FIRST = EpochRecord(
    epoch=1,
    train_loss=0.1 + 0.2,
    train_dialogue_loss=1 / 3,
    train_tag_loss=2e-17,
    eval_loss=1e22,
    eval_ndcg_at_10=math.nextafter(0.5, 1),
    eval_recall_at_10=0.0,
)
WITHOUT_TAGS = EpochRecord(2, 0.5, 0.5, None, 0.25, 0.125, 1.0)


def test_a_history_has_a_line_an_epoch_with_every_digit() -> None:
    text = history_csv([FIRST, WITHOUT_TAGS])
    assert text.splitlines()[0] == (
        "epoch,train_loss,train_dialogue_loss,train_tag_loss,eval_loss,eval_ndcg_at_10,"
        "eval_recall_at_10"
    )
    assert text.splitlines()[2] == "2,0.5,0.5,,0.25,0.125,1.0"
    first = next(csv.DictReader(io.StringIO(text)))
    assert {name: float(value) for name, value in first.items()} == vars(FIRST)


def test_lines_end_alike_on_every_system() -> None:
    assert "\r" not in history_csv([FIRST])
    assert history_csv([]).count("\n") == 1
