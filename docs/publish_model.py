"""Score one trained model's answers and write them, with 95% intervals, to ``docs/results/``.

Run from the root as ``python docs/publish_model.py MODEL NAME``, such as ``softmax-gate
redial-softmax``: from ``data/`` and ``metrics/`` here to ``docs/results/NAME``. Baselines whose
answers are there stand beside it.
"""

import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from tabulate import tabulate

from stages.recommender import artifacts
from stages.recommender.errors import run_stage
from stages.recommender.evaluation.baselines import registry
from stages.recommender.evaluation.movie_lists import MovieLists
from stages.recommender.evaluation.readings import by_reading
from stages.recommender.evaluation.scores import score
from stages.recommender.reporting.tables import csv

RESULTS = Path("docs/results")
AVERAGED = ("ndcg@10", "recall@10")
BY_TURN = ("micro recall@1", "micro recall@10", "micro recall@50")


def scores_of(name: str) -> pd.DataFrame:
    """Every score of a model or baseline: a row a reading and metric, 0 to 1, with its interval."""
    movies = artifacts.read_table(artifacts.MOVIES, artifacts.MOVIE_SCHEMA, "build_movie_map")
    train = artifacts.read_table(
        artifacts.EXAMPLES / "whole" / "train.parquet",
        artifacts.EXAMPLE_SCHEMA,
        "tokenize_dialogues",
    )
    labels = np.bincount(MovieLists.from_column(train["labels"]).values, minlength=movies.num_rows)
    answers = artifacts.read_table(
        artifacts.RANKINGS / f"{name}.parquet", artifacts.RANKING_SCHEMA, f"train@{name}"
    )
    rows = []
    for reading, trainings in by_reading(answers).items():
        found = score(trainings, movies.num_rows, labels)
        rows += [
            {
                "model": name,
                "reading": reading,
                "metric": metric,
                "score": interval.value,
                "low": interval.low,
                "high": interval.high,
                "trainings": len(trainings),
                "examples": found.examples,
            }
            for metric, interval in found.intervals.items()
        ]
    return pd.DataFrame(rows).round(6)


def text(scores: pd.DataFrame) -> str:
    """The scores that the field reports, one row a reading and metric, a column a model."""
    by_turn = scores["reading"].str.startswith("turn")
    shown = scores[
        scores["metric"].isin(AVERAGED) & ~by_turn | scores["metric"].isin(BY_TURN) & by_turn
    ]
    cells = shown.apply(
        lambda row: f"{row['score']:.4f} [{row['low']:.4f}, {row['high']:.4f}]", axis=1
    )
    keys = [shown["reading"], shown["metric"], shown["model"]]
    table = cells.groupby(keys, sort=False).first().unstack(fill_value="-")[shown["model"].unique()]
    return tabulate(table.reset_index(), headers="keys", showindex=False, disable_numparse=True)


def main() -> None:
    """Publish the model that the command line names."""
    if len(sys.argv) != 3:
        sys.exit(
            "name a trained model and a folder under docs/results/, as in: "
            "softmax-gate redial-softmax"
        )
    model, folder = sys.argv[1], RESULTS / sys.argv[2]
    names = [name for name in registry.NAMES if (artifacts.RANKINGS / f"{name}.parquet").is_file()]
    scores = pd.concat([scores_of(name) for name in [model, *names]], ignore_index=True)
    artifacts.write_text(folder / "scores.csv", csv(scores))
    beside = [
        name for name in ("popular", "cooccurrence", "mentions-cooccurrence") if name in names
    ]
    shown = scores[scores["model"].isin([model, *beside])]
    artifacts.write_text(folder / "scores.txt", text(shown) + "\n")
    for path in (artifacts.METRICS / f"{model}.json", artifacts.HISTORY / f"{model}.csv"):
        shutil.copyfile(path, folder / path.name)
    print(text(shown))


if __name__ == "__main__":
    run_stage(main)
