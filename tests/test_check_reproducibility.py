import shutil
from pathlib import Path

import pytest
from check_reproducibility import BEATEN, ROOT, TABLE, not_learned, popularity

POPULAR = {"nDCG@10 all": 0.06, "nDCG@10 new": 0.04}


@pytest.mark.parametrize(
    ("gate", "told"),
    [
        ((0.12, 0.061), []),
        ((0.12, 0.059), ["nDCG@10 new of gate is 0.0590, that of popular 0.0400"]),
        ((0.02, 0.061), ["nDCG@10 all of rnn is 0.0500, that of popular 0.0600"]),
    ],
)
def test_the_best_trained_model_must_beat_popularity_by_far(
    gate: tuple[float, float], told: list[str]
) -> None:
    scores = zip(POPULAR, gate, strict=True)
    trained = {score: {"gate": value, "rnn": 0.05} for score, value in scores}
    assert not_learned(trained, POPULAR) == told


def test_popularitys_scores_are_those_of_the_table(tmp_path: Path) -> None:
    (tmp_path / TABLE).parent.mkdir(parents=True)
    shutil.copy(ROOT / "docs" / "results" / "redial-frozen" / "models.csv", tmp_path / TABLE)
    found = popularity(tmp_path)
    assert found.keys() == BEATEN.keys()
    assert all(0.02 < score < 0.1 for score in found.values())
