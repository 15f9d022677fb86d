"""Tables of scores, once as data, to be written as text, HTML or CSV."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd
from tabulate import tabulate

from stages.recommender.reporting import published, results
from stages.recommender.reporting.content import Ablation, Change, Coverage, Ladder, PairedTest
from stages.recommender.reporting.gains import Gain
from stages.recommender.reporting.published import TurnRecall, TurnSystem
from stages.recommender.reporting.results import Score

_NONE = "-"


@dataclass(frozen=True)
class Column:
    """A column of a table, as it is read.

    Attributes:
        heading: Its name.
        cells: Its texts from top to bottom.
        kind: ``name`` for the column that names the rows, ``number`` (right-aligned), ``text``.
        best: The rows with the highest value, where that is worth showing.
    """

    heading: str
    cells: tuple[str, ...]
    kind: Literal["name", "number", "text"] = "number"
    best: tuple[int, ...] = ()


@dataclass(frozen=True)
class Table:
    """Columns of equal length."""

    columns: tuple[Column, ...]

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """The cells row by row."""
        return list(zip(*(column.cells for column in self.columns), strict=True))

    def text(self) -> str:
        """Aligned plain text for a terminal, without a newline at the end."""
        rows = self.rows
        aligned = ["right" if each.kind == "number" else "left" for each in self.columns]
        return str(
            tabulate(
                rows,
                headers=[each.heading for each in self.columns],
                tablefmt="simple",
                colalign=aligned if rows else None,
                disable_numparse=True,
            )
        )


def csv(frame: pd.DataFrame) -> str:
    """A frame as CSV in full precision, without its index, with a newline at the end."""
    return str(frame.to_csv(index=False, lineterminator="\n"))


def models(table: pd.DataFrame, score_columns: Sequence[str]) -> Table:
    """A row a model: its scores with their 95% intervals and the selected epoch.

    Args:
        table: The table of results.
        score_columns: The scores to show, such as ``all ndcg@10``.
    """
    rows = results.rows(table)
    columns = [Column("model", tuple(str(row[results.MODEL]) for row in rows), "name")]
    for score_column in score_columns:
        scores = [results.score(row, score_column) for row in rows]
        columns += _with_interval(results.heading(score_column), scores)
    epochs = results.selected_epochs(table)
    if epochs:
        cells = tuple(str(epochs.get(str(row[results.MODEL]), _NONE)) for row in rows)
        columns.append(Column("epoch", cells))
    return Table(tuple(columns))


def measures(table: pd.DataFrame, score_columns: Sequence[str]) -> Table:
    """A row a model: scores without their intervals, those of no share with one digit.

    Args:
        table: The table of results.
        score_columns: The scores to show, such as ``all recall@10`` and ``all popularity@10``.
    """
    rows = results.rows(table)
    columns = [Column("model", tuple(str(row[results.MODEL]) for row in rows), "name")]
    for score_column in score_columns:
        scores = [results.score(row, score_column) for row in rows]
        _, metric = results.parts(score_column)
        digits = 1 if metric.startswith("popularity") else 4
        texts = _texts([None if each is None else each.value for each in scores], digits)
        columns.append(Column(results.heading(score_column), texts))
    return Table(tuple(columns))


def gains(found: Sequence[Gain], names: tuple[str, str] = ("original", "weighted")) -> Table:
    """A row a variant: both trainers' scores, absolute and relative gain.

    Args:
        found: The gains.
        names: The two trainers.
    """
    return Table(
        (
            Column("variant", tuple(each.variant for each in found), "name"),
            *_with_interval(names[0], [each.before for each in found], best=False),
            *_with_interval(names[1], [each.after for each in found], best=False),
            Column("gain", tuple(f"{each.absolute:+.4f}" for each in found)),
            Column(
                "relative",
                tuple(
                    _NONE if each.relative is None else f"{each.relative:+.1%}" for each in found
                ),
            ),
        )
    )


def against_published(table: pd.DataFrame, score_column: str) -> Table:
    """A row a trained model: our nDCG@10, the paper's of its variant, and the notebook's.

    A model of a variant that the paper does not have stands beside the paper's best.

    Args:
        table: The table of results.
        score_column: Our score to set beside theirs.
    """
    rows = [row for row in results.rows(table) if results.is_trained(row)]
    variants = [str(row[results.VARIANT]) for row in rows]
    scores = [results.score(row, score_column) for row in rows]
    best = max(published.PAPER_NDCG_AT_10.values())
    paper = [published.PAPER_NDCG_AT_10.get(variant, best) for variant in variants]
    notebook = [published.NOTEBOOK_NDCG_AT_10.get(variant) for variant in variants]
    return Table(
        (
            Column("model", tuple(str(row[results.MODEL]) for row in rows), "name"),
            *_with_interval("here", scores),
            Column(published.PAPER, _texts(paper, 3)),
            Column(f"here - {published.PAPER}", _differences(scores, paper)),
            Column(published.NOTEBOOK, _texts(notebook)),
        )
    )


def turn_systems(own: Sequence[TurnSystem]) -> Table:
    """Recall turn by turn: the published systems, then ours with their intervals.

    Args:
        own: Our systems; their names are marked as ours.
    """
    systems = [*published.TURN_SYSTEMS, *own]
    names = [each.name for each in published.TURN_SYSTEMS] + [f"{each.name}, here" for each in own]
    columns = [Column("system", tuple(names), "name")]
    labels: tuple[tuple[str, Callable[[TurnSystem], TurnRecall | None]], ...] = (
        ("all", lambda system: system.every_movie),
        ("fresh", lambda system: system.fresh),
    )
    for label, of_system in labels:
        recalls = [of_system(system) for system in systems]
        for place, cut in enumerate((1, 10, 50)):
            scores = [None if each is None else _recall_at(each, place, cut) for each in recalls]
            columns += _with_interval(f"{label} Recall@{cut}", scores, digits=3)
    return Table(tuple(columns))


def _recall_at(recall: TurnRecall, place: int, cut: int) -> Score:
    ends = recall.intervals[place] if recall.intervals else (None, None)
    return Score(getattr(recall, f"at_{cut}"), *ends)


def ladder(steps: Ladder) -> Table:
    """A row a rung: its scores with their intervals, popularity's, and the tested change.

    Args:
        steps: The ladder.
    """
    columns = [Column("rung", tuple(rung.name for rung in steps.rungs), "name")]
    for score_column in steps.score_columns:
        scores = [rung.scores.get(score_column) for rung in steps.rungs]
        columns += _with_interval(results.heading(score_column), scores, best=False)
        popular = [rung.popular.get(score_column) for rung in steps.rungs]
        if any(popular):
            values = [None if score is None else score.value for score in popular]
            columns.append(Column("popular", _texts(values)))
        changes = [rung.changes.get(score_column) for rung in steps.rungs]
        if any(changes):
            columns.append(Column("change", tuple(_change(each) for each in changes)))
            p_values = tuple(_NONE if each is None else p_value(each.p_value) for each in changes)
            columns.append(Column("corrected p", p_values))
    return Table(tuple(columns))


def ablation(found: Ablation, score_columns: Sequence[str] | None = None) -> Table:
    """The full model, then it without each part: a score and its tested change from the full one.

    Args:
        found: The ablation.
        score_columns: Of those that were tested, the ones to show; all where not given.
    """
    names = ("nothing: the full model", *(part.name for part in found.parts))
    columns = [Column("without", names, "name")]
    for score_column in score_columns or found.score_columns:
        scores = [found.scores[score_column], *(part.scores[score_column] for part in found.parts)]
        changes = [None, *(part.changes[score_column] for part in found.parts)]
        columns += [
            Column(results.heading(score_column), _texts([score.value for score in scores])),
            Column("change", tuple(_change(each) for each in changes)),
            Column(
                "95% interval",
                tuple(_NONE if c is None else interval(c.difference, "+.4f") for c in changes),
            ),
            Column(
                "corrected p",
                tuple(_NONE if c is None else p_value(c.p_value) for c in changes),
            ),
        ]
    return Table(tuple(columns))


def ablation_recall(found: Ablation) -> Table:
    """The full model, then it without each part: the scores whose changes are not tested."""
    rows = {"nothing: the full model": found.scores} | {p.name: p.scores for p in found.parts}
    return _of_scores("without", rows, found.recall_columns)


def learning_curve(found: Ablation) -> Table:
    """A row for each number of training dialogues: the tested scores."""
    rows = {f"{point.dialogues:,}": point.scores for point in found.curve}
    return _of_scores("dialogues", rows, found.score_columns)


def altered(found: Ablation) -> Table:
    """The full model, then what it would score if something were decided otherwise."""
    rows = {"by the model": found.scores} | {each.name: each.scores for each in found.altered}
    return _of_scores("decided", rows, found.score_columns)


def ablation_text(found: Ablation) -> str:
    """All that an ablation tells, one table below another, without a newline at the end."""
    shown = [ablation(found, [score_column]) for score_column in found.score_columns]
    shown += [ablation_recall(found), learning_curve(found), altered(found)]
    return "\n\n".join(table.text() for table in shown)


def paired_tests(tests: Sequence[PairedTest]) -> Table:
    """A row a comparison of two models on the same dialogues.

    Args:
        tests: The comparisons.
    """
    return Table(
        (
            Column("model", tuple(each.first for each in tests), "name"),
            Column("reading", tuple(each.reading for each in tests), "text"),
            Column("verdict", tuple(each.verdict for each in tests), "text"),
            Column("compared with", tuple(each.second for each in tests), "text"),
            Column("difference", tuple(f"{each.difference.value:+.4f}" for each in tests)),
            Column("95% interval", tuple(interval(each.difference, "+.4f") for each in tests)),
            Column("corrected p", tuple(p_value(each.p_value) for each in tests)),
        )
    )


def coverage(joined: Coverage) -> Table:
    """A row a rule: the movies and mentions it joins, as counts and parts.

    Args:
        joined: The counts by rule.
    """
    rules = [*joined.matched, joined.unmatched]
    movies, mentions = [each.movies for each in rules], [each.mentions for each in rules]
    return Table(
        (
            Column("rule", tuple(each.rule for each in rules), "name"),
            Column("movies", tuple(f"{count:,}" for count in movies)),
            Column("of all movies", _parts(movies)),
            Column("mentions", tuple(f"{count:,}" for count in mentions)),
            Column("of all mentions", _parts(mentions)),
        )
    )


def interval(score: Score, form: str = ".4f") -> str:
    """The ends of a score's interval: ``[0.0981, 0.1120]``."""
    if score.low is None or score.high is None:
        return _NONE
    return f"[{score.low:{form}}, {score.high:{form}}]"


def p_value(value: float) -> str:
    """A p value with as many digits as it bears."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _change(change: Change | None) -> str:
    return _NONE if change is None else f"{change.difference.value:+.4f}"


def _of_scores(
    heading: str, rows: Mapping[str, Mapping[str, Score]], score_columns: Sequence[str]
) -> Table:
    """A row a name: its scores by column."""
    columns = [Column(heading, tuple(rows), "name")]
    for score_column in score_columns:
        values = [scores[score_column].value for scores in rows.values()]
        columns.append(Column(results.heading(score_column), _texts(values)))
    return Table(tuple(columns))


def _with_interval(
    heading: str, scores: Sequence[Score | None], *, best: bool = True, digits: int = 4
) -> list[Column]:
    values = [None if score is None else score.value for score in scores]
    texts = _texts(values, digits)
    columns = [Column(heading, texts, best=_highest(texts) if best else ())]
    if any(score is not None and score.low is not None for score in scores):
        form = f".{digits}f"
        ends = tuple(_NONE if score is None else interval(score, form) for score in scores)
        columns.append(Column("95% interval", ends))
    return columns


def _texts(values: Sequence[float | None], digits: int = 4) -> tuple[str, ...]:
    return tuple(_NONE if value is None else f"{value:.{digits}f}" for value in values)


def _parts(counts: Sequence[int]) -> tuple[str, ...]:
    whole = sum(counts)
    return tuple(f"{count / whole:.1%}" if whole else _NONE for count in counts)


def _differences(scores: Sequence[Score | None], others: Sequence[float | None]) -> tuple[str, ...]:
    return tuple(
        _NONE if score is None or other is None else f"{score.value - other:+.4f}"
        for score, other in zip(scores, others, strict=True)
    )


def _highest(texts: Sequence[str]) -> tuple[int, ...]:
    """The rows that show the highest number: as written, so that what looks equal is equal."""
    highest = max((float(text) for text in texts if text != _NONE), default=None)
    return tuple(row for row, text in enumerate(texts) if text != _NONE and float(text) == highest)
