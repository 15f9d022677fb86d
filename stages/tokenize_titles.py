"""Raw dialogues, movie map and tags → the gate's texts: examples with titles, and movies."""

import pyarrow as pa

from stages.recommender import artifacts
from stages.recommender.dialogues import splits
from stages.recommender.dialogues.corpus import tokenize_corpus
from stages.recommender.errors import run_stage
from stages.recommender.movie_texts import movie_texts
from stages.recommender.params import Dialogues, load_params


def main() -> None:
    """Run the stage."""
    params = load_params()
    raw = {
        part: artifacts.read_table(
            artifacts.REDIAL / f"{part}.parquet", artifacts.DIALOGUE_SCHEMA, "download_redial"
        )
        for part in (splits.TRAIN, splits.TEST)
    }
    movies = artifacts.read_table(artifacts.MOVIES, artifacts.MOVIE_SCHEMA, "build_movie_map")
    tags = artifacts.read_table(
        artifacts.MOVIELENS_TAGS, artifacts.MOVIELENS_TAG_SCHEMA, "download_movielens"
    )
    given, titles = params.dialogues, params.titles
    tables: dict[tuple[str, str], pa.Table] = {}
    for readings, most in (
        (("whole", "before"), titles.max_tokens),
        (("whole", "turn"), titles.max_turn_tokens),
    ):
        dialogues = Dialogues(
            protocol=given.protocol,
            text_form="titles",
            split=given.split,
            test_fraction=given.test_fraction,
            validation_fraction=given.validation_fraction,
            split_seed=given.split_seed,
            max_tokens=most,
        )
        made, _ = tokenize_corpus(raw, movies, artifacts.ENCODER, dialogues, readings)
        tables = made | tables  # `whole` is that of the first
    with artifacts.atomic_folder(artifacts.TITLES) as folder:
        for (reading, split), table in tables.items():
            path = folder / reading / f"{split}.parquet"
            artifacts.write_table(path, table, artifacts.EXAMPLE_SCHEMA)
        artifacts.write_table(
            folder / artifacts.MOVIE_TEXTS.name,
            movie_texts(tags, movies, artifacts.ENCODER, titles),
            artifacts.MOVIE_TEXT_SCHEMA,
        )


if __name__ == "__main__":
    run_stage(main)
