"""From ReDial's host, an archive or the sample to ``data/raw/redial/{train,test}.parquet``."""

import tempfile
from pathlib import Path

import pyarrow as pa

from stages.recommender import artifacts
from stages.recommender.corpora import redial
from stages.recommender.corpora.fetching import fetch
from stages.recommender.errors import run_stage
from stages.recommender.params import Params, load_params


def read_dialogues(params: Params) -> dict[str, pa.Table]:
    """The dialogues of each split, from the source that ``redial.source`` names."""
    match params.redial.source:
        case "hub":
            return redial.read_hub(params.redial.hub)
        case "zip":
            archive = params.redial.zip
            return redial.read_archive(
                fetch(archive.location, "redial.zip.location", archive.sha256, "redial.zip.sha256")
            )
        case "sample":
            from stages.recommender.corpora.sample import write_redial_zip

            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "redial_dataset.zip"
                write_redial_zip(params.sample, path)
                return redial.read_archive(path)


def main() -> None:
    """Read the parameters, the dialogues, and write them."""
    tables = read_dialogues(load_params())
    with artifacts.atomic_folder(artifacts.REDIAL) as folder:
        for split, table in tables.items():
            artifacts.write_table(folder / f"{split}.parquet", table, artifacts.DIALOGUE_SCHEMA)
    print(", ".join(f"{table.num_rows} {split} dialogues" for split, table in tables.items()))


if __name__ == "__main__":
    run_stage(main)
