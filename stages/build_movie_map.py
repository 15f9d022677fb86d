"""Raw dialogues and MovieLens → ``data/movies.parquet`` and ``metrics/coverage.json``."""

from itertools import chain

from stages.recommender import artifacts
from stages.recommender.dialogues import splits
from stages.recommender.dialogues.raw import dialogues_of
from stages.recommender.errors import run_stage
from stages.recommender.movies.catalogue import build_catalogue
from stages.recommender.movies.movie_map import build_movie_map, coverage
from stages.recommender.params import load_params


def main() -> None:
    """Run the stage."""
    params = load_params().movie_map
    catalogue = build_catalogue(chain(dialogues_of(splits.TRAIN), dialogues_of(splits.TEST)))
    movies, tags = (
        artifacts.read_table(artifacts.MOVIELENS / f"{name}.parquet", schema, "download_movielens")
        for name, schema in (
            ("movies", artifacts.MOVIELENS_MOVIE_SCHEMA),
            ("tags", artifacts.MOVIELENS_TAG_SCHEMA),
        )
    )
    movie_map = build_movie_map(catalogue, movies, tags, params)
    figures = coverage(movie_map, catalogue.mentions, params)
    artifacts.write_table(artifacts.MOVIES, movie_map, artifacts.MOVIE_SCHEMA)
    artifacts.write_json(artifacts.COVERAGE, figures)
    print(
        f"{figures['movies_matched']} of {figures['movies']} movies joined to MovieLens, "
        f"{figures['share_of_mentions_matched']:.1%} of all mentions"
    )


if __name__ == "__main__":
    run_stage(main)
