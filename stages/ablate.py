"""The gate's examples → ``metrics/ablation.json``: what each of its parts is worth.

The gate trained without one part after another and on fewer dialogues, scored on the validation
split; the test split is not read, but under the notebook's protocol, whose validation it is.
"""

from pathlib import Path

import pyarrow as pa

from stages.recommender import artifacts
from stages.recommender.ablation.ablate import Ablation
from stages.recommender.corpora.encoder_manifest import check_encoder
from stages.recommender.dialogues import splits
from stages.recommender.errors import UserError, run_stage
from stages.recommender.modeling.gate import READINGS
from stages.recommender.params import load_params
from stages.recommender.training.encoder_limits import check_limits
from stages.recommender.training.run import Inputs


def main() -> None:
    """Run the stage."""
    params = load_params()
    check_encoder(artifacts.ENCODER)
    inputs = Inputs(
        examples={
            (reading, split): _read(
                artifacts.TITLES / reading / f"{split}.parquet", artifacts.TITLE_EXAMPLE_SCHEMA
            )
            for reading in READINGS
            for split in (splits.TRAIN, splits.VALIDATION)
        },
        tags={},
        movies=artifacts.read_table(artifacts.MOVIES, artifacts.MOVIE_SCHEMA, "build_movie_map"),
        # read only where a model's folder is written, which is not done here
        known_for=artifacts.KNOWN_FOR_SCHEMA.empty_table(),
        encoder=artifacts.ENCODER,
        movie_texts=_read(artifacts.MOVIE_TEXTS, artifacts.MOVIE_TEXT_SCHEMA),
    )
    ablation = Ablation(params, inputs)
    artifacts.write_json(artifacts.ABLATION, ablation.result())
    ablation.finish()


def _read(file: Path, schema: pa.Schema) -> pa.Table:
    table = artifacts.read_table(file, schema, "tokenize_titles")
    if not table.num_rows:
        raise UserError(f"{file} has no example; use more dialogues")
    check_limits(artifacts.ENCODER, table, file, "titles")
    return table


if __name__ == "__main__":
    run_stage(main)
