"""MovieLens tags and the movie map → tag examples with input ids."""

from stages.recommender import artifacts
from stages.recommender.errors import run_stage
from stages.recommender.params import load_params
from stages.recommender.tags import tag_examples


def main() -> None:
    """Run the stage."""
    params = load_params().tags
    tags = artifacts.read_batches(
        artifacts.MOVIELENS_TAGS,
        artifacts.MOVIELENS_TAG_SCHEMA,
        "download_movielens",
        rows=artifacts.TAG_ROWS,
    )
    movies = artifacts.read_table(artifacts.MOVIES, artifacts.MOVIE_SCHEMA, "build_movie_map")
    tables = tag_examples(tags, movies, artifacts.ENCODER, params)
    with artifacts.atomic_folder(artifacts.TAGS) as folder:
        for split, table in tables.items():
            artifacts.write_table(folder / f"{split}.parquet", table, artifacts.TAG_EXAMPLE_SCHEMA)


if __name__ == "__main__":
    run_stage(main)
