"""The eight models on a frozen encoder, from both archives to the report: how long it takes.

Run as ``python -m tests.benchmarks.eight REDIAL MOVIELENS`` with the paths of the two archives. It
makes a workspace of its own, ``runs/eight``, with nothing in it or in its cache, and without what
is not the eight: the gate, the ablation, the ladder and the paper's split, which trains all anew.
"""

import argparse
import shutil
import time
from pathlib import Path
from typing import Any

import pyarrow.csv
from joblib import cpu_count
from ruamel.yaml import YAML

from stages.recommender import artifacts
from stages.recommender.workspace import alone, prepare, reproduce, workspace
from tests.benchmarks import common

PRESETS = ["local", "frozen"]
READINGS = "[before,turn]"
LEFT_OUT = {"climb_ladder": "metrics/ladder.json", "ablate": "metrics/ablation.json"}
"""Stages, each with what it gives to ``compare``."""


def only_the_eight(folder: Path) -> list[str]:
    """Take all else out of a workspace's ``dvc.yaml`` and ``params.yaml``; their names."""
    yaml = YAML()
    pipeline, params = folder / "dvc.yaml", folder / "params.yaml"
    stages = yaml.load(pipeline)
    for stage, result in LEFT_OUT.items():
        del stages["stages"][stage]
        stages["stages"]["compare"]["deps"].remove(result)
    yaml.dump(stages, pipeline)
    values = yaml.load(params)
    for name in [name for name, model in values["models"].items() if model["variant"] == "gate"]:
        del values["models"][name]
    yaml.dump(values, params)
    return list(values["models"])


def main() -> None:
    """Run it and write the time it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("redial")
    parser.add_argument("movielens")
    given = parser.parse_args()
    folder = workspace("eight")
    archives = [f"{name}.zip.location={getattr(given, name)}" for name in ("redial", "movielens")]
    presets = [*PRESETS, *(["fast"] if common.computes_in_bfloat16() else [])]
    values = [*archives, f"evaluation.readings={READINGS}", "compute.threads=1"]
    with alone(folder) as held:
        shutil.rmtree(folder, ignore_errors=True)
        prepare(folder, presets, values)
        models = only_the_eight(folder)
        # a cache of its own, from which DVC can take nothing
        config = "[core]\n    no_scm = True\n"
        artifacts.write_text(folder / ".dvc" / "config", config)
        started = time.monotonic()
        reproduce(folder, held, cpu_count())
        minutes = (time.monotonic() - started) / 60
    histories = [pyarrow.csv.read_csv(folder / artifacts.HISTORY / f"{m}.csv") for m in models]
    epochs = [history.num_rows for history in histories]
    row = {
        "what": f"{len(models)} models, {min(epochs)} epochs, from both archives to the report",
        "minutes": f"{minutes:.1f}",
        "presets": " ".join(presets),
        "at once": str(cpu_count()),
    }
    content: dict[str, Any] = {"machine": common.machine_name("cpu"), "minutes": minutes}
    common.write("eight", content | {"readings": READINGS, "epochs": epochs}, [row])


if __name__ == "__main__":
    main()
