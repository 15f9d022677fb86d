"""The model card of an exported model, filled from its configuration and metrics."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from tabulate import tabulate

from stages.recommender import artifacts
from stages.recommender.modeling.model_folder import CONFIG

_SHOWN = (
    ("all", "ndcg@10"),
    ("all", "recall@10"),
    ("new", "ndcg@10"),
    ("new", "recall@10"),
    ("before", "ndcg@10"),
    ("before", "recall@10"),
)
_BASELINE = "mentions-cooccurrence"


def model_card(model: Path, own: dict[str, Any], metrics: Path) -> str:
    """A card in the hub's conventions: metadata in YAML, then Markdown.

    Args:
        model: The model's folder.
        own: Its metrics.
        metrics: The folder of metrics; its report has the intervals, once models were compared.
            The strongest baseline's figure is taken from there as well.
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
