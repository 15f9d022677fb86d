"""Examples and the encoder's sentence vectors → every baseline's rankings and metrics.

A baseline has no epoch to select, so that it learns from the validation dialogues too. It is
fitted on whole dialogues once and answers every reading, as the trained models do; for the
paper's split it is fitted again, on that.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stages.recommender import artifacts
from stages.recommender.corpora.encoder_manifest import check_encoder
from stages.recommender.dialogues import splits
from stages.recommender.errors import UserError, run_stage
from stages.recommender.evaluation.baselines.examples import Examples
from stages.recommender.evaluation.baselines.interface import Baseline
from stages.recommender.evaluation.baselines.registry import baselines
from stages.recommender.evaluation.rankings import Rankings
from stages.recommender.evaluation.readings import PAPER_SPLIT, by_reading, mean_scores
from stages.recommender.modeling.ragged import Ragged
from stages.recommender.params import Params, load_params
from stages.recommender.training.determinism import prepare
from stages.recommender.training.encoder_limits import check_limits
from stages.recommender.training.vectors import encoder_identity, frozen_encoder, frozen_vectors


@dataclass(frozen=True)
class Part:
    """Examples with their sentence vectors (examples, width), rows in the same order."""

    table: pa.Table
    vectors: NDArray[np.float32]

    def filter(self, rows: NDArray[np.bool_]) -> "Part":
        """Only some rows."""
        return Part(self.table.filter(pa.array(rows)), self.vectors[rows])

    def examples(self) -> Examples:
        """As baselines take them."""
        return Examples.from_table(self.table, self.vectors)


def main() -> None:
    """Run the stage."""
    params = load_params()
    movies = artifacts.read_table(artifacts.MOVIES, artifacts.MOVIE_SCHEMA, "build_movie_map")
    vectors_of = _sentence_encoder(params)
    whole = {split: _read("whole", split, vectors_of) for split in splits.SPLITS}
    # under the notebook's protocol the validation split is the test split
    learnt = ["train"] if params.dialogues.protocol == "notebook" else ["train", "validation"]
    train = _joined([whole[split] for split in learnt])
    tests = {"whole": whole["test"]}
    for reading in params.evaluation.readings:
        if reading != PAPER_SPLIT:
            tests[reading] = _read(reading, "test", vectors_of)
    fits = [(train, tests)]
    if PAPER_SPLIT in params.evaluation.readings:
        file = _joined([train, whole["test"]])
        others = file.filter(_paper_split(file, splits.TRAIN, splits.VALIDATION))
        if not len(others.vectors):
            raise UserError(
                "the train part of the paper's split has no example; use more dialogues, "
                f"or leave {PAPER_SPLIT} out of evaluation.readings"
            )
        fits.append((others, {PAPER_SPLIT: file.filter(_paper_split(file, splits.TEST))}))
    for baseline in baselines(movies.num_rows):
        answers = [table for fit in fits for table in _answers(baseline, *fit)]
        rankings = pa.concat_tables(answers)
        artifacts.write_table(
            artifacts.RANKINGS / f"{baseline.name}.parquet", rankings, artifacts.RANKING_SCHEMA
        )
        scores = {name: mean_scores(found) for name, found in by_reading(rankings).items()}
        artifacts.write_json(artifacts.METRICS / f"{baseline.name}.json", {"test": scores})


def _answers(baseline: Baseline, train: Part, tests: dict[str, Part]) -> list[pa.Table]:
    baseline.fit(train.examples())
    return [
        Rankings.from_scores(test.table, reading, baseline.score(test.examples())).to_table()
        for reading, test in tests.items()
    ]


def _paper_split(file: Part, *names: str) -> NDArray[np.bool_]:
    wanted = pc.is_in(file.table["paper_split"], pa.array(names))
    rows: NDArray[np.bool_] = wanted.to_numpy()
    return rows


def _joined(parts: list[Part]) -> Part:
    return Part(
        pa.concat_tables([part.table for part in parts]),
        np.concatenate([part.vectors for part in parts]),
    )


def _read(
    reading: str, split: str, vectors_of: Callable[[pa.Table, str], NDArray[np.float32]]
) -> Part:
    file = artifacts.EXAMPLES / reading / f"{split}.parquet"
    table = artifacts.read_table(file, artifacts.EXAMPLE_SCHEMA, "tokenize_dialogues")
    check_limits(artifacts.ENCODER, table, file, "dialogues")
    return Part(table, vectors_of(table, f"sentence vectors, {reading} {split}"))


def _sentence_encoder(params: Params) -> Callable[[pa.Table, str], NDArray[np.float32]]:
    check_encoder(artifacts.ENCODER)
    machine = prepare(params.compute)
    identity = encoder_identity(artifacts.ENCODER)
    encoder = frozen_encoder(artifacts.ENCODER, identity, params.model.pooling, machine.device)

    def vectors_of(table: pa.Table, title: str) -> NDArray[np.float32]:
        tokens = Ragged.from_column(table["input_ids"])
        cache = artifacts.CACHE / "vectors"
        vectors = frozen_vectors(encoder, tokens, machine, cache, title)
        return vectors.float().numpy()

    return vectors_of


if __name__ == "__main__":
    run_stage(main)
