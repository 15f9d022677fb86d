import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from params_file import HERE, write_params

from stages import download_movielens
from stages.recommender.artifacts import MOVIELENS, read_table
from stages.recommender.errors import run_stage

pytestmark = pytest.mark.usefixtures("here")

ROOT = Path(__file__).parents[1]


def set_archive(path: Path) -> None:
    archive = {"location": str(path), "sha256": None}
    write_params(HERE, {"movielens": {"source": "zip", "zip": archive}})


def pack(movies: int) -> Path:
    path = Path("ml-latest.zip")
    rows = "".join(f"{number},Movie {number} (1995),Drama\n" for number in range(movies))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ml-latest/movies.csv", f"movieId,title,genres\n{rows}")
        archive.writestr("ml-latest/tags.csv", "userId,movieId,tag,timestamp\n0,1,sad,0\n")
    return path


def test_an_archive_becomes_three_tables(capsys: pytest.CaptureFixture[str]) -> None:
    set_archive(pack(5))
    download_movielens.main()
    counts = {
        name: read_table(MOVIELENS / f"{name}.parquet", schema, "x").num_rows
        for name, schema in download_movielens.SCHEMAS.items()
    }
    assert counts == {"movies": 5, "tags": 1, "links": 0}
    assert capsys.readouterr().out == "5 movies, 1 tags, 0 links\n"


def test_the_sample_takes_the_same_path() -> None:
    write_params(HERE, {"movielens": {"source": "sample"}})
    download_movielens.main()
    assert pq.read_table(MOVIELENS / "movies.parquet").num_rows > 0
    assert pq.read_table(MOVIELENS / "tags.parquet").num_rows > 0


def test_a_failure_is_one_sentence_and_leaves_nothing() -> None:
    Path("ml-latest.zip").write_bytes(pack(5).read_bytes()[:100])
    set_archive(Path("ml-latest.zip"))
    with pytest.raises(SystemExit, match=r"^error: ml-latest\.zip is no whole zip archive"):
        run_stage(download_movielens.main)
    assert not MOVIELENS.parent.exists()


def test_a_full_disk_is_one_sentence_and_leaves_nothing() -> None:
    set_archive(pack(20_000))
    limited = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)); "
        "from stages import download_movielens; "
        "from stages.recommender.errors import run_stage; run_stage(download_movielens.main)"
    )
    done = subprocess.run(
        [sys.executable, "-c", limited],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert done.stderr.endswith("free space or rights, then run again\n")
    assert done.stderr.count("\n") == 1
    assert not [*MOVIELENS.parent.iterdir()]


@pytest.mark.skipif(os.geteuid() == 0, reason="the administrator may write everywhere")
def test_a_folder_that_may_not_be_written_is_one_sentence() -> None:
    set_archive(pack(5))
    MOVIELENS.parent.mkdir(parents=True)
    MOVIELENS.parent.chmod(0o500)
    with pytest.raises(SystemExit, match=r"^error: Permission denied at .*free space or rights"):
        run_stage(download_movielens.main)
