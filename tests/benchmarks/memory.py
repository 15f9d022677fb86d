"""The memory of the data stages as the corpora grow, measured and drawn.

Run as ``python -m tests.benchmarks.memory redial_dataset.zip`` where ``data/`` holds the real
corpus. Each stage is run on the corpora as they are, and on ten times ReDial's dialogues (the real
ones again, each with a number of its own) with a MovieLens as large as ``ml-latest``.
"""

import argparse
import json
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import matplotlib as mpl
from ruamel.yaml import YAML

from stages.recommender.corpora.redial import SPLITS
from tests.benchmarks import common
from tests.benchmarks.preparation import enlarged, run

mpl.use("Agg")
from matplotlib import pyplot as plt

TIMES = 10
STAGES = (
    "download_redial",
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


def prepare(folder: Path, archive: Path, times: int) -> None:
    """A pipeline's folder: ReDial so many times, MovieLens as it is or, for more, enlarged."""
    folder.mkdir()
    if times == 1:
        root = Path.cwd()
        (folder / "stages").symlink_to(root / "stages")
        for name in ("raw/movielens", "encoder"):
            (folder / "data" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "data" / name).symlink_to((root / "data" / name).resolve())
    else:
        enlarged(folder)
        for name in ("raw/redial", "examples"):
            (folder / "data" / name).unlink()
    repeated(archive, folder / "redial.zip", times)
    yaml = YAML()
    params = yaml.load(Path("params.yaml"))
    params["redial"]["source"] = "zip"
    params["redial"]["zip"] = {"location": "redial.zip", "sha256": None}
    yaml.dump(params, folder / "params.yaml")


def draw(rows: list[dict[str, Any]]) -> None:
    """Both sizes of each stage beside each other."""
    figure, axis = plt.subplots(figsize=(8, 3.6), layout="constrained")
    for place, row in enumerate(reversed(rows)):
        for offset, times, color in ((0.19, 1, "#9db8d2"), (-0.19, TIMES, "#1f5f99")):
            memory = row[str(times)]
            axis.barh(place + offset, memory, 0.36, color=color)
            axis.text(memory, place + offset, f" {memory:.2f}", va="center")
    axis.set_yticks(range(len(rows)), [row["stage"] for row in reversed(rows)])
    axis.set_title("Most memory of a stage, GiB", loc="left")
    handles = [plt.Rectangle((0, 0), 1, 1, color=color) for color in ("#9db8d2", "#1f5f99")]
    labels = ["the corpora as they are", f"{TIMES} times ReDial, MovieLens as large as ml-latest"]
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(common.RESULTS / "memory.png", dpi=130)


def main() -> None:
    """Measure, write the results and draw them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", type=Path, help="ReDial's official archive")
    archive = parser.parse_args().archive.resolve()
    found: list[dict[str, Any]] = [{"stage": stage} for stage in STAGES]
    with tempfile.TemporaryDirectory() as name:
        for times in (1, TIMES):
            folder = Path(name) / str(times)
            prepare(folder, archive, times)
            for row in found:
                seconds, memory = run([sys.executable, "-m", f"stages.{row['stage']}"], folder)
                row[str(times)], row[f"{times} s"] = memory, seconds
                print(f"{times} x {row['stage']}: {memory:.2f} GiB, {seconds:.0f} s", flush=True)
    rows = [
        {
            "stage": row["stage"],
            "as they are, GiB": f"{row['1']:.2f}",
            f"{TIMES} x, GiB": f"{row[str(TIMES)]:.2f}",
            "times": f"{row[str(TIMES)] / row['1']:.2f}",
            "as they are, s": f"{row['1 s']:.1f}",
            f"{TIMES} x, s": f"{row[f'{TIMES} s']:.1f}",
        }
        for row in found
    ]
    common.write("memory", {"machine": common.machine_name("cpu"), "stages": found}, rows)
    draw(found)


if __name__ == "__main__":
    main()
