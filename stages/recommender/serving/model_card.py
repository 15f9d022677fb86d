"""The model card of an exported model, filled from its configuration and metrics."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from tabulate import tabulate

from stages.recommender import artifacts
from stages.recommender.modeling.model_folder import CONFIG
from stages.recommender.params import PARAMS_FILE
from stages.recommender.yaml_files import read_yaml

_SHOWN = (
    ("all", "ndcg@10"),
    ("all", "recall@10"),
    ("new", "ndcg@10"),
    ("new", "recall@10"),
    ("before", "ndcg@10"),
    ("before", "recall@10"),
)
_BASELINE = "mentions-cooccurrence"
_SAMPLE = "sample"


def model_card(model: Path, own: dict[str, Any], metrics: Path) -> str:
    """A card in the hub's conventions: metadata in YAML, then Markdown.

    Args:
        model: The model's folder.
        own: Its metrics.
        metrics: The folder of metrics; its report has the intervals, once models were compared.
            The strongest baseline's figure is taken from there as well, and from the parameters
            beside it what the model was trained on. Where these are not there, the card says
            nothing of that.

    Raises:
        UserError: The model's configuration is missing or damaged, or the parameters are no YAML.
    """
    here = Path(__file__).parent
    environment = Environment(
        loader=FileSystemLoader(here),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown, of the project's own words and figures
    )
    scores = own["test"]
    intervals = _intervals(metrics / artifacts.REPORT.name / "models.csv", model.name)
    rows = [
        (
            reading,
            measure,
            f"{scores[reading][measure]:.4f}",
            intervals.get((reading, measure), "-"),
        )
        for reading, measure in _SHOWN
        if reading in scores
    ]
    baseline = metrics / f"{_BASELINE}.json"
    return environment.get_template("model_card.md.jinja").render(
        name=model.name,
        config=artifacts.read_json(model / CONFIG, f"train@{model.name}"),
        own=own,
        trained_on=_trained_on(metrics.parent / PARAMS_FILE),
        results=tabulate(
            rows, ("reading", "measure", "score", "95% interval"), "github", disable_numparse=True
        ),
        scores=scores,
        baseline=(
            artifacts.read_json(baseline, "fit_baselines")["test"]["all"]["ndcg@10"]
            if baseline.is_file()
            else None
        ),
    )


class TrainedOn(NamedTuple):
    """What a model was trained on; ``None`` where nothing tells.

    Attributes:
        dialogues: ``redial``, or ``sample``: invented by the project.
        movies: ``movielens``, or ``sample`` likewise.
        protocol: ``corrected`` or ``notebook``, see ``params.yaml``.
    """

    dialogues: str | None
    movies: str | None
    protocol: str | None


def _trained_on(params_file: Path) -> TrainedOn:
    params = read_yaml(params_file) if params_file.is_file() else {}

    def value(section: str, key: str) -> str | None:
        found = params.get(section)
        told = found.get(key) if isinstance(found, dict) else None
        return told if isinstance(told, str) else None

    def corpus(section: str) -> str | None:
        source = value(section, "source")
        return section if source and source != _SAMPLE else source

    return TrainedOn(corpus("redial"), corpus("movielens"), value("dialogues", "protocol"))


def _intervals(file: Path, name: str) -> dict[tuple[str, str], str]:
    """The model's 95% intervals by reading and measure, from the report's table."""
    if not file.is_file():
        return {}
    with file.open(encoding="utf-8", newline="") as lines:
        row = next((row for row in csv.DictReader(lines) if row["model"] == name), {})
    return {
        (reading, measure): f"[{float(low):.4f}, {float(high):.4f}]"
        for reading, measure in _SHOWN
        if (low := row.get(f"{reading} {measure} low"))
        and (high := row.get(f"{reading} {measure} high"))
    }
