"""From ReDial's host, an archive or the sample to ``data/raw/redial/{train,test}.parquet``."""

import tempfile
from contextlib import ExitStack
from pathlib import Path

from stages.recommender import artifacts
from stages.recommender.corpora import redial
from stages.recommender.corpora.fetching import fetched
from stages.recommender.errors import run_stage
from stages.recommender.params import Params, load_params


def read_dialogues(params: Params) -> redial.Parts:
    """The dialogues with their splits, from the source that ``redial.source`` names."""
    match params.redial.source:
        case "hub":
            yield from redial.read_hub(params.redial.hub)
        case "zip":
            archive = params.redial.zip
            with fetched(
                archive.location, "redial.zip.location", archive.sha256, "redial.zip.sha256"
            ) as path:
                yield from redial.read_archive(path)
        case "sample":
            from stages.recommender.corpora.sample import write_redial_zip

            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "redial_dataset.zip"
                write_redial_zip(params.sample, path)
                yield from redial.read_archive(path)


def main() -> None:
    """Read the parameters, the dialogues, and write them."""
    params = load_params()
    counts = dict.fromkeys(redial.SPLITS, 0)
    with artifacts.atomic_folder(artifacts.REDIAL) as folder, ExitStack() as files:
        write = {
            split: files.enter_context(
                artifacts.table_writer(folder / f"{split}.parquet", artifacts.DIALOGUE_SCHEMA)
            )
            for split in redial.SPLITS
        }
        for split, part in read_dialogues(params):
            write[split](part)
            counts[split] += part.num_rows
    print(", ".join(f"{count} {split} dialogues" for split, count in counts.items()))


if __name__ == "__main__":
    run_stage(main)
