"""The data stages at the size of the real ``ml-latest``, the start of every stage, and DVC.

Run as ``python -m tests.benchmarks.preparation [--finished FOLDER]`` where ``data/`` holds the
real corpus; FOLDER is a workspace whose ``dvc repro`` has nothing left to do.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stages.recommender import artifacts
from tests.benchmarks import common

MOVIES, TAGS = 86_537, 2_328_315
"""Of ``ml-latest`` in its edition of July 2023."""

MEASURE = """
import resource, subprocess, sys, time
started = time.perf_counter()
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(done)
"""


def enlarged(folder: Path) -> None:
    """A pipeline's folder whose MovieLens is as large as ``ml-latest``.

    The real rows, repeated: a movie's copy has an id and a title of its own, and the tags are
    spread over all movies.
    """
    root = Path.cwd()
    (folder / "stages").symlink_to(root / "stages")
    (folder / "params.yaml").write_bytes((root / "params.yaml").read_bytes())
    for name in ("raw/redial", "encoder", "examples"):
        (folder / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "data" / name).symlink_to((common.DATA / name).resolve())
    source, target = common.DATA / "raw" / "movielens", folder / "data" / "raw" / "movielens"
    target.mkdir(parents=True)
    movies = pq.read_table(source / "movies.parquet")
    more = MOVIES - movies.num_rows
    copies = movies.slice(0, more).to_pydict()
    first_id = max(movies["movie_id"].to_pylist()) + 1
    copies["movie_id"] = list(range(first_id, first_id + more))
    copies["title"] = [f"Another {title}" for title in copies["title"]]
    movies = pa.concat_tables([movies, pa.table(copies, schema=artifacts.MOVIELENS_MOVIE_SCHEMA)])
    artifacts.write_table(target / "movies.parquet", movies, artifacts.MOVIELENS_MOVIE_SCHEMA)
    tags = pq.read_table(source / "tags.parquet")
    tags = tags.take(pa.array(np.arange(TAGS) % tags.num_rows)).to_pydict()
    ids = np.asarray(tags["movie_id"])
    # half of the tags stay with their movies, which the catalogue knows
    anywhere = np.asarray(movies["movie_id"].to_pylist())[np.arange(TAGS) % MOVIES]
    tags["movie_id"] = np.where(np.arange(TAGS) % 2 == 0, ids, anywhere)
    artifacts.write_table(
        target / "tags.parquet",
        pa.table(tags, schema=artifacts.MOVIELENS_TAG_SCHEMA),
        artifacts.MOVIELENS_TAG_SCHEMA,
    )


def run(command: list[str], folder: Path) -> tuple[float, float]:
    """Seconds that a command takes, and the most memory of its process, in GiB."""
    # started by a small process: what a process forks from counts as its own memory
    finished = subprocess.run(
        [sys.executable, "-c", MEASURE, *command],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": "."},
    )
    if finished.returncode:
        raise SystemExit(f"{' '.join(command)} failed in {folder}")
    seconds, kibibytes = finished.stdout.split()
    return float(seconds), int(kibibytes) / 2**20


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--finished", type=Path)
    finished: Path | None = parser.parse_args().finished
    rows: list[dict[str, Any]] = []

    def measured(what: str, command: list[str], folder: Path) -> None:
        seconds, memory = run(command, folder)
        rows.append({"what": what, "seconds": f"{seconds:.1f}", "memory, GiB": f"{memory:.2f}"})

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        enlarged(folder)
        for stage in ("build_movie_map", "tokenize_tags"):
            command = [sys.executable, "-m", f"stages.{stage}"]
            measured(f"{stage}, {MOVIES:,} movies and {TAGS:,} tags", command, folder)
    for script in sorted(Path("stages").glob("*.py")):
        if script.stem != "__init__":
            start = f"import stages.{script.stem}, stages.recommender.params as p; p.load_params()"
            measured(f"start of {script.stem}", [sys.executable, "-c", start], Path.cwd())
    if finished is not None:
        measured(
            "dvc repro with nothing to do", [sys.executable, "-m", "dvc", "repro", "-q"], finished
        )
    common.write("preparation", {"machine": common.machine_name("cpu")}, rows)


if __name__ == "__main__":
    main()
