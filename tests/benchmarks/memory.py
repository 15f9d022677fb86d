"""The memory of the data stages as the corpora grow, measured and drawn.

Run as ``python -m tests.benchmarks.memory redial_dataset.zip`` where ``data/`` holds the real
corpus (``make memory``). Each stage is run on the corpora as they are, and on ten times ReDial's
dialogues (the real ones again, each with a number of its own) with a MovieLens as large as
``ml-latest``.
"""

import argparse
import csv
import io
import json
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pyarrow.parquet as pq
from ruamel.yaml import YAML

from stages.recommender.corpora.redial import SPLITS
from tests.benchmarks import common
from tests.benchmarks.preparation import enlarged, run
from tests.reliability import sections

mpl.use("Agg")
from matplotlib import pyplot as plt

TIMES = 10
SMALL, LARGE = "#9db8d2", "#1f5f99"
MOST = 1.5
"""How many times the memory of the corpora as they are a stage may take at :data:`TIMES`."""
STAGES = (
    "download_redial",
    "download_movielens",
    "build_movie_map",
    "tokenize_dialogues",
    "tokenize_tags",
    "tokenize_titles",
)


def repeated(archive: Path, target: Path, times: int) -> None:
    """ReDial's archive with each dialogue so many times, under other numbers."""
    with (
        zipfile.ZipFile(archive) as source,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as made,
    ):
        names = [
            n for n in source.namelist() if n.endswith(tuple(f"{s}_data.jsonl" for s in SPLITS))
        ]
        number = 0
        for name in names:
            with source.open(name) as lines, made.open(Path(name).name, "w") as file:
                dialogues = [json.loads(line) for line in lines if line.strip()]
                for _ in range(times):
                    for dialogue in dialogues:
                        number += 1
                        dialogue["conversationId"] = str(number)
                        file.write(json.dumps(dialogue).encode() + b"\n")


def packed(tables: Path, target: Path) -> tuple[int, int]:
    """MovieLens' archive of the tables of ``download_movielens``; its movies and its tags."""
    movies, tags = (pq.read_table(tables / f"{name}.parquet") for name in ("movies", "tags"))
    genres = ("|".join(listed) for listed in movies["genres"].to_pylist())
    rows = zip(movies["movie_id"].to_pylist(), movies["title"].to_pylist(), genres, strict=True)
    given = zip(tags["movie_id"].to_pylist(), tags["tag"].to_pylist(), strict=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as made:
        for name, header, lines in (
            ("movies.csv", ("movieId", "title", "genres"), rows),
            ("tags.csv", ("userId", "movieId", "tag", "timestamp"), ((0, *t, 0) for t in given)),
        ):
            with made.open(name, "w") as file, io.TextIOWrapper(file, "utf-8", newline="") as text:
                csv.writer(text).writerows([header, *lines])
    return movies.num_rows, tags.num_rows


def prepare(folder: Path, archive: Path, times: int) -> tuple[int, int]:
    """A pipeline's folder: ReDial so many times, MovieLens as it is or, for more, enlarged.

    Returns:
        The number of MovieLens' movies and of its tags.
    """
    folder.mkdir()
    if times == 1:
        tables = common.DATA / "raw" / "movielens"
    else:
        (folder / "larger").mkdir()
        enlarged(folder / "larger")
        tables = folder / "larger" / "data" / "raw" / "movielens"
    (folder / "stages").symlink_to(Path("stages").resolve())
    (folder / "data").mkdir()
    (folder / "data" / "encoder").symlink_to((common.DATA / "encoder").resolve())
    repeated(archive, folder / "redial.zip", times)
    counts = packed(tables, folder / "movielens.zip")
    yaml = YAML()
    params = yaml.load(Path("params.yaml"))
    for corpus in ("redial", "movielens"):
        params[corpus]["source"] = "zip"
        params[corpus]["zip"] = {"location": f"{corpus}.zip", "sha256": None}
    yaml.dump(params, folder / "params.yaml")
    return counts


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Both sizes of each stage beside each other, and where the larger may end."""
    figure, axis = plt.subplots(figsize=(8, 4), layout="constrained")
    for place, row in enumerate(reversed(rows)):
        for offset, times, color in ((0.19, 1, SMALL), (-0.19, TIMES, LARGE)):
            memory, ink = row[str(times)], "black" if times == 1 else "white"
            axis.barh(place + offset, memory, 0.36, color=color)
            shown = {"color": ink, "va": "center", "ha": "right", "fontsize": 9}
            axis.text(memory, place + offset, f"{memory:.2f} ", **shown)
        axis.vlines(MOST * row["1"], place - 0.4, place + 0.4, color="black", linestyle=":")
    axis.set_yticks(range(len(rows)), [row["stage"] for row in reversed(rows)])
    axis.set_title("Most memory of a stage, GiB", loc="left")
    axis.set_xlim(0, 1.05 * max(MOST * row["1"] for row in rows))
    marks = [plt.Rectangle((0, 0), 1, 1, color=color) for color in (SMALL, LARGE)]
    [limit] = axis.plot([], color="black", linestyle=":")
    labels = [
        "the corpora as they are",
        f"{TIMES} times ReDial, MovieLens as large as ml-latest",
        f"{MOST} times the former",
    ]
    figure.legend(
        [*marks, limit], labels, loc="outside lower left", ncols=3, frameon=False, fontsize=9
    )
    axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=130)


def section(rows: list[dict[str, str]], found: list[dict[str, Any]], size: str) -> sections.Section:
    """What RELIABILITY.md says of it."""
    grown = {row["stage"]: row[str(TIMES)] / row["1"] for row in found}
    worst = max(grown, key=lambda stage: grown[stage])
    within = sum(times <= MOST for times in grown.values())
    return sections.Section(
        title="Ten times the data",
        says=(
            "Dialogues and their examples are read and written in row groups, and MovieLens' tags "
            "read so, never whole. Each data stage ran in a process of its own on the corpora as "
            f"they are and on {TIMES} times ReDial's dialogues with MovieLens as large as "
            f"`ml-latest` ({size}). "
            f"{within} of {len(grown)} stages stay within {MOST} times the memory, the imported "
            f"libraries' included; the most grows `{worst}`, {grown[worst]:.2f} times. What a "
            "hundred times needs stands in [docs/scaling.md](docs/scaling.md)."
        ),
        command="make memory REDIAL=redial_dataset.zip",
        machine=sections.machine(),
        columns=list(rows[0]),
        rows=[list(row.values()) for row in rows],
        pictures=["memory.png"],
    )


def publish(found: list[dict[str, Any]], size: str) -> None:
    """Table, section and picture of the memory of each stage at both sizes, in GiB."""
    rows = [
        {
            "stage": row["stage"],
            "as they are, GiB": f"{row['1']:.2f}",
            f"{TIMES} x, GiB": f"{row[str(TIMES)]:.2f}",
            "times": f"{row[str(TIMES)] / row['1']:.2f}",
        }
        for row in found
    ]
    common.write("memory", {"machine": common.machine_name("cpu"), "stages": found}, rows)
    sections.write_section("memory", section(rows, found, size))
    draw(found, sections.RESULTS / "memory.png")


def main() -> None:
    """Measure, write the results and draw them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", type=Path, help="ReDial's official archive")
    archive = parser.parse_args().archive.resolve()
    found: list[dict[str, Any]] = [{"stage": stage} for stage in STAGES]
    with tempfile.TemporaryDirectory() as name:
        for times in (1, TIMES):
            folder = Path(name) / str(times)
            movies, tags = prepare(folder, archive, times)
            for row in found:
                _, row[str(times)] = run([sys.executable, "-m", f"stages.{row['stage']}"], folder)
                print(f"{times} x {row['stage']}: {row[str(times)]:.2f} GiB", flush=True)
    publish(found, f"{movies:,} movies and {tags:,} tags")


if __name__ == "__main__":
    main()
