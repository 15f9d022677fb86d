"""Raw dialogues and the movie map → examples with input ids, mentions and labels."""

from stages.recommender import artifacts
from stages.recommender.dialogues import splits
from stages.recommender.dialogues.corpus import tokenize_corpus
from stages.recommender.errors import run_stage
from stages.recommender.params import load_params


def main() -> None:
    """Run the stage."""
    dialogues = load_params().dialogues
    raw = {
        part: artifacts.read_table(
            artifacts.REDIAL / f"{part}.parquet", artifacts.DIALOGUE_SCHEMA, "download_redial"
        )
        for part in (splits.TRAIN, splits.TEST)
    }
    movies = artifacts.read_table(artifacts.MOVIES, artifacts.MOVIE_SCHEMA, "build_movie_map")
    tables, figures = tokenize_corpus(raw, movies, artifacts.ENCODER, dialogues)
    with artifacts.atomic_folder(artifacts.EXAMPLES) as folder:
        for (reading, split), table in tables.items():
            path = folder / reading / f"{split}.parquet"
            artifacts.write_table(path, table, artifacts.EXAMPLE_SCHEMA)
        artifacts.write_json(folder / artifacts.FIGURES.name, figures)


if __name__ == "__main__":
    run_stage(main)
