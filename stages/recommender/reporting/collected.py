"""What the other stages left, read from their files and scored."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from tqdm import tqdm

from stages.recommender import artifacts
from stages.recommender.dialogues import splits
from stages.recommender.errors import UserError
from stages.recommender.evaluation.baselines import registry
from stages.recommender.evaluation.movie_lists import MovieLists
from stages.recommender.evaluation.rankings import Rankings
from stages.recommender.evaluation.readings import PAPER_SPLIT, READINGS, by_reading
from stages.recommender.evaluation.scores import Scores, score
from stages.recommender.params import ModelEntry, Params

SELECTED_BY = "eval_ndcg_at_10"
"""The column of a history whose first maximum is the selected epoch."""


@dataclass(frozen=True)
class Entry:
    """One model or baseline.

    Attributes:
        parts: Its trainer and variant; ``None`` for a baseline.
        rankings: Its answers by reading, as reported, one for each of its trainings.
        scores: The scores of each.
        history: Its epochs; ``None`` for a baseline.
    """

    parts: ModelEntry | None
    rankings: Mapping[str, list[Rankings]]
    scores: Mapping[str, Scores]
    history: pd.DataFrame | None

    @property
    def selected(self) -> Mapping[str, float] | None:
        """The selected epoch's row of the history: the first of the best; none for a baseline."""
        if self.history is None:
            return None
        row = self.history[SELECTED_BY].to_numpy().argmax()
        return {str(key): float(value) for key, value in self.history.iloc[row].items()}


@dataclass(frozen=True)
class Collected:
    """Everything that a comparison is made from.

    Attributes:
        entries: By name, baselines first, simplest first.
        movies: The catalogue.
        train: The training examples.
        test: The test examples, ``whole`` reading.
        figures: Of the corpus.
        coverage: Of the movie map.
        ladder: As ``stages.climb_ladder`` writes it; ``None`` in a pipeline without that stage.
        ablation: As ``stages.ablate`` writes it; likewise.
    """

    entries: Mapping[str, Entry]
    movies: pa.Table
    train: pa.Table
    test: pa.Table
    figures: Mapping[str, Any]
    coverage: Mapping[str, Any]
    ladder: Mapping[str, Any] | None
    ablation: Mapping[str, Any] | None


def collect(params: Params) -> Collected:
    """Read and score everything that the parameters name.

    Raises:
        UserError: A file is missing or damaged.
    """
    movies = artifacts.read_table(artifacts.MOVIES, artifacts.MOVIE_SCHEMA, "build_movie_map")
    train, validation, test = (
        artifacts.read_table(
            artifacts.EXAMPLES / "whole" / f"{split}.parquet",
            artifacts.EXAMPLE_SCHEMA,
            "tokenize_dialogues",
        )
        for split in splits.SPLITS
    )
    counts = training_labels(train, validation, movies.num_rows)
    parts: dict[str, ModelEntry | None] = dict.fromkeys(registry.NAMES)
    entries = {
        name: _entry(name, entry, movies.num_rows, counts)
        for name, entry in tqdm((parts | params.models).items(), desc="scoring", unit="model")
    }
    figures = artifacts.read_json(artifacts.FIGURES, "tokenize_dialogues")
    coverage = artifacts.read_json(artifacts.COVERAGE, "build_movie_map")
    ladder, ablation = (
        artifacts.read_json(file, stage) if file.exists() else None
        for file, stage in ((artifacts.LADDER, "climb_ladder"), (artifacts.ABLATION, "ablate"))
    )
    return Collected(entries, movies, train, test, figures, coverage, ladder, ablation)


def training_labels(
    train: pa.Table, validation: pa.Table, movies: int
) -> dict[str, NDArray[np.integer]]:
    """How often each movie is a label of what was trained on: (movies,) by reading.

    Args:
        train: Of ``artifacts.EXAMPLE_SCHEMA``.
        validation: Likewise; of the paper's split it is a part of the training file as well.
        movies: Size of the catalogue.
    """
    file = pa.concat_tables([train, validation])
    of_paper = file.filter(pc.equal(file["paper_split"], splits.TRAIN))
    return {
        name: np.bincount(
            MovieLists.from_column(
                (of_paper if reading.scored == PAPER_SPLIT else train)["labels"]
            ).values,
            minlength=movies,
        )
        for name, reading in READINGS.items()
    }


def _entry(
    name: str,
    parts: ModelEntry | None,
    movies: int,
    counts: Mapping[str, NDArray[np.integer]],
) -> Entry:
    made_by = f"train@{name}" if parts else "fit_baselines"
    table = artifacts.read_table(
        artifacts.RANKINGS / f"{name}.parquet", artifacts.RANKING_SCHEMA, made_by
    )
    rankings = by_reading(table)
    return Entry(
        parts=parts,
        rankings=rankings,
        scores={
            reading: score(answers, movies, counts[reading])
            for reading, answers in rankings.items()
        },
        history=read_history(name) if parts else None,
    )


def read_history(name: str) -> pd.DataFrame:
    """The epochs of a model.

    Raises:
        UserError: The file is missing or damaged.
    """
    path = artifacts.HISTORY / f"{name}.csv"
    try:
        history = pd.read_csv(path)
        if history.empty or SELECTED_BY not in history:
            raise ValueError(f"no epoch with its {SELECTED_BY}")
    except FileNotFoundError:
        raise UserError(f"{path} is missing; make it with: dvc repro train@{name}") from None
    except ValueError as error:  # which pandas' own errors are
        raise UserError(
            f"{path} is no whole history ({str(error).splitlines()[0]}); make it again with: "
            f"dvc repro -f -s train@{name}"
        ) from None
    return history
