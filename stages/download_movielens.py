"""From a GroupLens archive or the sample to ``data/raw/movielens/{movies,tags,links}.parquet``."""

import tempfile
from pathlib import Path

import pyarrow as pa

from stages.recommender import artifacts
from stages.recommender.corpora import movielens
from stages.recommender.corpora.fetching import fetched
from stages.recommender.errors import run_stage
from stages.recommender.params import Params, load_params

SCHEMAS = {
    "movies": artifacts.MOVIELENS_MOVIE_SCHEMA,
    "tags": artifacts.MOVIELENS_TAG_SCHEMA,
    "links": artifacts.MOVIELENS_LINK_SCHEMA,
}


def read_tables(params: Params) -> dict[str, pa.Table]:
    """Movies, tags and links, from the source that ``movielens.source`` names."""
    match params.movielens.source:
        case "zip":
            archive = params.movielens.zip
            with fetched(
                archive.location, "movielens.zip.location", archive.sha256, "movielens.zip.sha256"
            ) as path:
                return movielens.read_archive(path)
        case "sample":
            from stages.recommender.corpora.sample import write_movielens_zip

            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "ml-latest.zip"
                write_movielens_zip(params.sample, path)
                return movielens.read_archive(path)


def main() -> None:
    """Read the parameters, the tables, and write them."""
    tables = read_tables(load_params())
    with artifacts.atomic_folder(artifacts.MOVIELENS) as folder:
        for name, schema in SCHEMAS.items():
            artifacts.write_table(folder / f"{name}.parquet", tables[name], schema)
    print(", ".join(f"{tables[name].num_rows} {name}" for name in SCHEMAS))


if __name__ == "__main__":
    run_stage(main)
