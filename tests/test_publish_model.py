import importlib.util
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import small_project

from stages.recommender import artifacts
from stages.recommender.training.scoring import ranking_table

ROOT = Path(__file__).parents[1]
SPEC = importlib.util.spec_from_file_location("publish_model", ROOT / "docs" / "publish_model.py")
assert SPEC is not None
assert SPEC.loader is not None
publish = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(publish)

GATE = "softmax-gate"


def test_scores_of_all_trainings_are_written_with_intervals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["publish_model.py", GATE, "found"])
    movies = small_project.movies(150)
    artifacts.write_table(artifacts.MOVIES, movies, artifacts.MOVIE_SCHEMA)
    train, test = (small_project.examples(9, seed, [None]) for seed in (1, 2))
    path = artifacts.EXAMPLES / "whole" / "train.parquet"
    artifacts.write_table(path, train, artifacts.EXAMPLE_SCHEMA)
    # the first training ranks a label first for all, the second one never
    labels = test["labels"].to_pylist()
    right = [[own[0], *(m for m in range(150) if m not in own)][:100] for own in labels]
    wrong = [list(range(149, 49, -1))] * 9
    tables = [
        ranking_table(reading, repeat, test, np.array(ranking, dtype=np.int32))
        for reading in ("whole", "turn")
        for repeat, ranking in enumerate((right, wrong))
    ]
    path = artifacts.RANKINGS / f"{GATE}.parquet"
    artifacts.write_table(path, pa.concat_tables(tables), artifacts.RANKING_SCHEMA)
    artifacts.write_json(artifacts.METRICS / f"{GATE}.json", {})
    artifacts.write_text(artifacts.HISTORY / f"{GATE}.csv", "epoch\n")
    publish.main()
    found = pd.read_csv("docs/results/found/scores.csv").set_index(["reading", "metric"])
    hit = found.loc[("all", "hit@1")]
    assert (hit["score"], hit["low"], hit["high"]) == (0.5, 0.5, 0.5)
    assert (hit["model"], hit["trainings"], hit["examples"]) == (GATE, 2, 9)
    shown = Path("docs/results/found/scores.txt").read_text(encoding="utf-8").splitlines()
    assert shown[0].split() == ["reading", "metric", GATE]
    expected = 9 / sum(map(len, labels)) / 2
    assert shown[6].startswith(f"turn        micro recall@1   {expected:.4f} [")
    assert len(shown) == 2 + 2 * 2 + 2 * 3
    for name in (f"{GATE}.json", f"{GATE}.csv"):
        assert Path("docs/results/found", name).is_file()
