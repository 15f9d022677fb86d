"""Run a search as DVC's experiments, and log what it gave on the validation split.

Run from the root as ``python docs/search.py gate``: the trials of ``docs/searches/gate.yaml``, each
an experiment that trains one model, one after another; those that have run already are not run
again. The log, ``docs/results/searches/gate.txt`` and ``gate.json``, tells their validation scores
alone: what the test split says is for the configuration that is chosen.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import dvc.api
from tabulate import tabulate

from stages.recommender import artifacts
from stages.recommender.errors import UserError, run_stage
from stages.recommender.presets import flatten, load_preset, options
from stages.recommender.workspace import PATHS, from_here
from stages.recommender.yaml_files import read_yaml

SEARCHES, LOGS = Path("docs/searches"), Path("docs/results/searches")
SCORES = ("ndcg@10", "recall@10", "loss")
"""Of the validation split, the first the one that the epoch is selected by."""


def experiment_name(search: str, trial: Mapping[str, Any]) -> str:
    """A name that is the same for the same trial, and that git takes for a reference."""
    text = json.dumps(dict(trial), sort_keys=True)
    return f"{search}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def told(trial: Mapping[str, Any]) -> str:
    """What a trial changes."""
    return ", ".join(f"{key} {value}" for key, value in trial.items()) or "as committed"


def missing(name: str, search: Mapping[str, Any], have: Iterable[str]) -> list[dict[str, Any]]:
    """The trials of a search that no experiment has run."""
    known = set(have)
    return [dict(each) for each in search["trials"] if experiment_name(name, each) not in known]


def run_trial(name: str, search: Mapping[str, Any], trial: Mapping[str, Any]) -> None:
    """Run one trial in a folder of its own, which DVC makes and removes.

    Raises:
        UserError: It failed; its own message stands above.
    """
    presets = [load_preset(preset) for preset in search["presets"]]
    words = [word for preset in presets for word in options(preset)]
    words += options(_paths(presets)) + options(search["base"]) + options(trial)
    stage = f"train@{search['model']}"
    command = ["exp", "run", "--temp", "--name", experiment_name(name, trial), *words, stage]
    environment = os.environ | {"DVC_NO_ANALYTICS": "true"}
    if subprocess.run([sys.executable, "-m", "dvc", *command], env=environment).returncode:
        raise UserError(f"the trial with {told(trial)} failed, see above; run the search again")


def _paths(presets: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The presets' relative paths, as they are called from a folder elsewhere."""
    known = {".".join(path) for path in PATHS}
    return {
        key: from_here(value)
        for preset in presets
        for key, value in flatten(preset)
        if key in known
    }


def results(name: str, search: Mapping[str, Any]) -> dict[str, Any]:
    """What each trial that has run wrote to the model's metrics, by the experiment's name."""
    wanted = {experiment_name(name, trial) for trial in search["trials"]}
    path = str(artifacts.METRICS / f"{search['model']}.json")
    return {
        experiment["Experiment"]: json.loads(dvc.api.read(path, rev=experiment["rev"]))
        for experiment in dvc.api.exp_show()
        if experiment["Experiment"] in wanted
    }


def log(
    name: str, search: Mapping[str, Any], found: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """A row a trial that has run, the best first.

    Args:
        name: The search's.
        search: Its file.
        found: See :func:`results`.
    """
    rows = []
    for trial in search["trials"]:
        metrics = found.get(experiment_name(name, trial))
        if metrics is not None:
            scores = {score: float(metrics["validation"][score]) for score in SCORES}
            rows.append({"trial": told(trial), **scores})
    return sorted(rows, key=lambda row: -row[SCORES[0]])


def as_table(rows: list[dict[str, Any]]) -> str:
    """The log, for a reader."""
    cells = [[row["trial"], *(f"{row[score]:.4f}" for score in SCORES)] for row in rows]
    headers = ["trial", *(f"validation {score}" for score in SCORES)]
    return tabulate(cells, headers, disable_numparse=True, colalign=["left"] + ["right"] * 3)


def main() -> None:
    """Run the search that the command line names, and write its log."""
    if len(sys.argv) != 2:
        raise UserError("name one search, as in: gate")
    name = sys.argv[1]
    known = sorted(path.stem for path in SEARCHES.glob("*.yaml"))
    if name not in known:
        raise UserError(f"no search is called {name}; name one of {', '.join(known)}")
    search = read_yaml(SEARCHES / f"{name}.yaml")
    for trial in missing(name, search, (str(e.get("Experiment")) for e in dvc.api.exp_show())):
        print(f"\ntrial: {told(trial)}", flush=True)
        run_trial(name, search, trial)
        rows = log(name, search, results(name, search))
        artifacts.write_json(LOGS / f"{name}.json", rows)
        artifacts.write_text(LOGS / f"{name}.txt", as_table(rows) + "\n")
    print(f"\n{as_table(log(name, search, results(name, search)))}")


if __name__ == "__main__":
    run_stage(main)
