"""Raw dialogues, MovieLens and the encoder → ``metrics/ladder.json``.

The notebook as published, then one of its defects repaired after another: every rung is all
repairs before it and one more, trained and scored on a frozen encoder.
"""

from stages.recommender import artifacts
from stages.recommender.corpora.encoder_manifest import check_encoder
from stages.recommender.dialogues import splits
from stages.recommender.errors import run_stage
from stages.recommender.ladder.climb import Climb
from stages.recommender.ladder.corpus import Corpus
from stages.recommender.params import load_params


def main() -> None:
    """Run the stage."""
    params = load_params()
    check_encoder(artifacts.ENCODER)
    redial = {
        part: artifacts.read_table(
            artifacts.REDIAL / f"{part}.parquet", artifacts.DIALOGUE_SCHEMA, "download_redial"
        )
        for part in (splits.TRAIN, splits.TEST)
    }
    schemas = {
        "movies": artifacts.MOVIELENS_MOVIE_SCHEMA,
        "tags": artifacts.MOVIELENS_TAG_SCHEMA,
    }
    movielens = {
        name: artifacts.read_table(
            artifacts.MOVIELENS / f"{name}.parquet", schema, "download_movielens"
        )
        for name, schema in schemas.items()
    }
    climb = Climb(params, Corpus(redial, movielens, artifacts.ENCODER))
    artifacts.write_json(artifacts.LADDER, climb.ladder())
    climb.finish()


if __name__ == "__main__":
    run_stage(main)
