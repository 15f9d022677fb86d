"""Does the pipeline reproduce? Run as ``python tests/check_reproducibility.py`` from the root.

The sample pipeline, at a small size, runs in two clones of the last commit: both must give the
same bytes of lock file, metrics and report, and the best trained model must beat ``popular`` by a
wide margin. A repeat must run nothing, and another ``loss.pos_weight`` must rerun exactly the
models that read it, and ``dvc metrics diff`` set their scores beside those of the commit before.
Where one of these does not hold, it says what differs and exits with 1.
"""

import csv
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]
SMALL = [
    "sample.movies=120",
    "sample.train_dialogues=160",
    "sample.test_dialogues=40",
    "training.epochs=2",
    "ladder.epochs=2",
    "titles.max_tokens=96",
    "titles.max_turn_tokens=48",
    "gate.epochs=2",
    "ablation.epochs=1",
]
WEIGHTED = {
    "train@weighted-baseline",
    "train@weighted-rnn",
    "train@weighted-multitask",
    "train@weighted-rnn-multitask",
    "compare",
}
SUMMARY = "metrics/summary.json"
TABLE = "metrics/report/models.csv"
"""Has the baselines too."""
BEATEN = {"nDCG@10 all": "all ndcg@10", "nDCG@10 new": "new ndcg@10"}
"""Scores by their name in the summary; their columns in the table."""
MARGIN = 1.5
"""How many times popularity's score the best trained model must have at the least."""
BIN = Path(sys.executable).parent


def run(clone: Path, *command: str) -> str:
    """The output of a command in a clone; its failure ends the check."""
    environment = os.environ | {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "DVC_NO_ANALYTICS": "true",
    }
    environment.pop("DVC_ROOT", None)
    result = subprocess.run(
        command,
        cwd=clone,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if result.returncode:
        sys.exit(f"{shlex.join(command)} failed in {clone}:\n{result.stdout[-5000:]}")
    return result.stdout


def clone_to(folder: Path) -> Path:
    """A clone of the last commit, in which a run can be committed."""
    run(ROOT, "git", "clone", "--quiet", str(ROOT), str(folder))
    run(folder, "git", "config", "user.name", "check")
    run(folder, "git", "config", "user.email", "check@localhost")
    return folder


def experiment(clone: Path, *values: str) -> set[str]:
    """Run an experiment; the stages that ran."""
    options = [option for value in values for option in ("-S", value)]
    return ran(run(clone, "dvc", "exp", "run", *options))


def ran(output: str) -> set[str]:
    """The stages that DVC says it ran."""
    return set(re.findall(r"Running stage '([^']+)'", output))


def results(clone: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of every file that must be the same."""
    for path in [clone / "dvc.lock", *sorted((clone / "metrics").rglob("*"))]:
        if path.is_file():
            yield str(path.relative_to(clone)), path.read_bytes()


def commit(clone: Path) -> None:
    """Commit what a run leaves to git: parameters, lock file and summary."""
    run(clone, "git", "add", "--all")
    run(clone, "git", "commit", "--quiet", "--message", "a run")


def compared(clone: Path) -> dict[str, dict[str, float | None]]:
    """What ``dvc metrics diff`` says of each score: ``old`` and ``new``."""
    told = run(clone, "dvc", "metrics", "diff", "--all", "--json")
    scores: dict[str, dict[str, float | None]] = json.loads(told.strip().splitlines()[-1])[SUMMARY]
    return scores


def popularity(clone: Path) -> dict[str, float]:
    """The scores of the baseline ``popular``, by their names in the summary."""
    with (clone / TABLE).open(encoding="utf-8", newline="") as table:
        [popular] = (row for row in csv.DictReader(table) if row["model"] == "popular")
    return {score: float(popular[column]) for score, column in BEATEN.items()}


def not_learned(
    trained: Mapping[str, Mapping[str, float]], popular: Mapping[str, float]
) -> list[str]:
    """The scores in which no trained model beats popularity by :data:`MARGIN`, each in words.

    Args:
        trained: The summary: by score and model.
        popular: The scores of popularity.
    """
    found = []
    for score, floor in popular.items():
        best = max(trained[score], key=trained[score].__getitem__)
        if trained[score][best] < MARGIN * floor:
            found.append(
                f"{score} of {best} is {trained[score][best]:.4f}, that of popular {floor:.4f}"
            )
    return found


def main() -> None:
    """Make the clones, compare them, repeat, change one parameter."""
    with tempfile.TemporaryDirectory() as scratch:
        preset = shlex.split(
            run(ROOT, sys.executable, "-m", "stages.recommender.presets", "sample")
        )
        values = [option for option in preset if option != "-S"] + SMALL
        first, second = (clone_to(Path(scratch) / name) for name in ("first", "second"))
        # at once: much of a small run is the start of stages, which one core does
        with ThreadPoolExecutor() as runs:
            for clone, stages in zip(
                (first, second),
                runs.map(lambda clone: experiment(clone, *values), (first, second)),
                strict=True,
            ):
                print(f"{clone.name} clone: {len(stages)} stages", flush=True)
        one, other = dict(results(first)), dict(results(second))
        different = sorted(name for name in one | other if one.get(name) != other.get(name))
        if different:
            sys.exit(f"two clones differ in {', '.join(different)}")
        print(f"{len(one)} files are the same bytes in both clones", flush=True)
        weak = not_learned(json.loads(one[SUMMARY]), popularity(first))
        if weak:
            sys.exit(f"no model beats popularity {MARGIN} times: {'; '.join(weak)}")
        print(f"the best model beats popularity {MARGIN} times and more", flush=True)
        repeated = ran(run(first, "dvc", "repro"))
        if repeated:
            sys.exit(f"a repeat ran {', '.join(sorted(repeated))}")
        print("a repeat runs nothing", flush=True)
        commit(first)
        changed = experiment(first, "loss.pos_weight=1800")
        if changed != WEIGHTED:
            sys.exit(
                f"loss.pos_weight=1800 ran {', '.join(sorted(changed))}, "
                f"not {', '.join(sorted(WEIGHTED))}"
            )
        print("loss.pos_weight=1800 reruns the four weighted models and the comparison", flush=True)
        scores = compared(first)
        strange = [
            name
            for name, score in scores.items()
            if None in (score["old"], score["new"])
            or (score["old"] != score["new"] and f"train@{name.split('.')[-1]}" not in WEIGHTED)
        ]
        if strange or not scores:
            sys.exit(f"dvc metrics diff compares {', '.join(strange) or 'nothing'}")
        print(f"dvc metrics diff sets {len(scores)} scores beside those of the commit before")


if __name__ == "__main__":
    main()
