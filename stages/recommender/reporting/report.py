"""The report: one HTML page that holds everything it shows and needs no network.

The page is ``report.html.jinja``, its style ``report.css``, both beside this module. It has no
script, and its content security policy lets it load nothing but what is in it.
"""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from stages.recommender.reporting import gains, headline, pictures, published, results, tables
from stages.recommender.reporting.content import Report
from stages.recommender.reporting.plots import style
from stages.recommender.reporting.tables import Table


def html(report: Report) -> str:
    """The page, the same bytes for the same report.

    Every text of the report is escaped; sections without data are left out.

    Args:
        report: What to show.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent, encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("report.html.jinja").render(
        report=report,
        pictures={each.name: each.inline() for each in pictures.pictures(report)},
        tables=_tables(report),
        finding=_finding(report),
        gained=_gained(report),
        joined=headline.joined(report.coverage) if report.coverage else "",
        error_score=results.heading(report.errors.score_column) if report.errors else "",
        published=published,
        light=style.LIGHT,
        dark=style.DARK,
    )


def _tables(report: Report) -> dict[str, Table]:
    """The page's tables by name; those without rows are left out."""
    found: dict[str, Table] = {}
    table = report.results
    if report.ladder is not None:
        found["ladder"] = tables.ladder(report.ladder)
    if report.ablation is not None:
        found["ablation"] = tables.ablation(report.ablation)
        found["ablation_recall"] = tables.ablation_recall(report.ablation)
        found["learning_curve"] = tables.learning_curve(report.ablation)
        found["altered"] = tables.altered(report.ablation)
    if table is not None:
        found["models"] = tables.models(table, report.score_columns)
        if report.measure_columns:
            found["measures"] = tables.measures(table, report.measure_columns)
        found["gains"] = tables.gains(_gains(report), pictures.TRAINERS)
        found["published"] = tables.against_published(table, report.published_column)
    if report.tests:
        found["tests"] = tables.paired_tests(report.tests)
    if report.turn_systems:
        found["turn_systems"] = tables.turn_systems(report.turn_systems)
    if report.coverage is not None:
        found["coverage"] = tables.coverage(report.coverage)
    return {name: each for name, each in found.items() if each.rows}


def _finding(report: Report) -> str:
    if report.results is None:
        return ""
    return headline.finding(
        report.results,
        report.score_columns[0],
        report.references,
        report.tests,
        report.evaluation_split,
    )


def _gained(report: Report) -> str:
    return headline.gain_range(_gains(report), report.score_columns[0], pictures.TRAINERS)


def _gains(report: Report) -> list[gains.Gain]:
    if report.results is None:
        return []
    return gains.gains(report.results, report.score_columns[0], *pictures.TRAINERS)
