"""What was collected, put together as results table, summary and report."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pandas as pd

from stages.recommender.evaluation import errors
from stages.recommender.evaluation.baselines import registry
from stages.recommender.evaluation.intervals import (
    Comparison,
    Dialogues,
    Interval,
    compare,
    holm,
)
from stages.recommender.evaluation.rankings import Rankings
from stages.recommender.evaluation.readings import MEANINGS
from stages.recommender.evaluation.scores import by_example
from stages.recommender.params import Encoder, Params
from stages.recommender.reporting import results
from stages.recommender.reporting.collected import SELECTED_BY, Collected, Entry
from stages.recommender.reporting.content import (
    Ablation,
    Altered,
    Breakdown,
    Change,
    Coverage,
    CurvePoint,
    Dialogue,
    ErrorAnalysis,
    Group,
    Ladder,
    Matched,
    PairedTest,
    RankedMovie,
    Report,
    Rung,
    WithoutPart,
)
from stages.recommender.reporting.published import TurnRecall, TurnSystem
from stages.recommender.reporting.results import Score, column

HEADLINE = column("all", "ndcg@10")
TESTED = [reading for reading in MEANINGS if not reading.startswith("turn")]
"""The readings of whole dialogues, under which models are compared in paired tests."""
SHOWN = [column(reading, "ndcg@10") for reading in TESTED]
TURN = [
    column(reading, f"micro recall@{k}") for reading in ("turn", "turn fresh") for k in (1, 10, 50)
]
MEASURES = [
    column("all", metric)
    for metric in ("recall@10", "mrr@10", "hit@10", "recall@50", "coverage@10", "popularity@10")
]
"""What else is worth knowing of a model: what it finds, and how various its answers are."""
SUMMARY = {"nDCG@10 all": HEADLINE, "nDCG@10 new": column("new", "ndcg@10")}
"""The few figures of a model that DVC compares, by the name it shows."""


def results_table(collected: Collected) -> pd.DataFrame:
    """A row a model with every score; columns as in ``reporting.results``."""
    rows = []
    for name, entry in collected.entries.items():
        row: dict[str, object] = {
            results.MODEL: name,
            results.TRAINER: entry.parts and entry.parts.trainer,
            results.VARIANT: entry.parts and entry.parts.variant,
            results.SELECTED_EPOCH: entry.selected and entry.selected["epoch"],
        }
        for reading, scores in entry.scores.items():
            for key, interval in scores.intervals.items():
                name_of = column(reading, key)
                row |= {
                    name_of: interval.value,
                    f"{name_of} low": interval.low,
                    f"{name_of} high": interval.high,
                }
            row |= {column(reading, key): value for key, value in scores.coverage.items()}
        rows.append(row)
    # more digits than any table shows, so that none is rounded twice to another last digit
    return pd.DataFrame(rows).round(9)


def summary(table: pd.DataFrame) -> dict[str, dict[str, float]]:
    """The headline figures of each trained model: score → model → value."""
    trained = [row for row in results.rows(table) if results.is_trained(row)]
    return {
        shown: {str(row[results.MODEL]): round(_float(row[score]), 6) for row in trained}
        for shown, score in SUMMARY.items()
        if score in table
    }


def report(collected: Collected, table: pd.DataFrame, params: Params) -> Report:
    """The report's content."""
    histories = {
        name: entry.history
        for name, entry in collected.entries.items()
        if entry.history is not None
    }
    split = "test" if params.dialogues.protocol == "notebook" else "validation"
    return Report(
        corpus=corpus_name(params),
        run=how_it_ran(params),
        results=table,
        score_columns=tuple(score for score in [*SHOWN, *TURN] if score in table),
        measure_columns=tuple(score for score in MEASURES if score in table),
        readings={
            reading: meaning
            for reading, meaning in MEANINGS.items()
            if column(reading, "ndcg@10") in table
        },
        references=registry.NAMES,
        tests=tuple(_tests(collected)),
        histories=histories,
        evaluation_split=split,
        published_column=_paper_column(table),
        turn_systems=tuple(_turn_systems(collected)),
        ladder=None if collected.ladder is None else ladder(collected.ladder),
        ablation=None if collected.ablation is None else ablation(collected.ablation, split),
        coverage=_coverage(collected.coverage),
        errors=_errors(collected, best_on_validation(collected)),
        figures=dict(_flat(collected.figures)),
        parameters=dict(_flat(params.model_dump(exclude={"models"}))),
        command="dvc repro",
    )


def how_it_ran(params: Params) -> dict[str, str]:
    """The settings that the head of the report shows."""
    training = params.training
    weight = params.loss.pos_weight
    heads = f"heads {training.head_learning_rate:g}"
    if training.trainable_layers == "none":
        rates = {"learning rate": heads}
    else:
        rates = {"learning rates": f"encoder {training.encoder_learning_rate:g}, {heads}"}
    learning = _how_it_learns(training.trainable_layers)
    return {
        "protocol": params.dialogues.protocol,
        "encoder": f"{_encoder_name(params.encoder)}, {learning}",
        **_encoder_of_the_gate(params),
        "epochs": str(training.epochs),
        **rates,
        "pos_weight": weight if isinstance(weight, str) else f"{weight:g}",
        "seed": str(training.seed),
    }


def _encoder_of_the_gate(params: Params) -> dict[str, str]:
    """How it learns with the gate, which has parameters of its own; nothing where none learns."""
    layers = params.gate.trainable_layers
    gates = [name for name, entry in params.models.items() if entry.variant == "gate"]
    if not gates or layers == params.training.trainable_layers == "none":
        return {}
    rate = "" if layers == "none" else f", learning rate {params.gate.encoder_learning_rate:g}"
    return {f"encoder of {gates[0]}": f"{_how_it_learns(layers)}{rate}"}


def _how_it_learns(layers: int | str) -> str:
    """What ``trainable_layers`` makes of an encoder, in words."""
    if layers == "none":
        return "frozen"
    return "fine-tuned in full" if layers == "all" else f"last {layers} layers fine-tuned"


def _encoder_name(encoder: Encoder) -> str:
    """The model's name, wherever its files came from.

    A package carries the files of the hub's repository, and the checksums of ``encoder.files``
    hold for both. Of a folder its last part alone: the rest says where it lies on this machine.
    """
    if encoder.source == "folder" and encoder.folder is not None:
        return Path(encoder.folder).name
    return encoder.hub.repository


def ladder(found: Mapping[str, Any]) -> Ladder:
    """The ladder that ``stages.climb_ladder`` wrote."""
    rungs = tuple(
        Rung(
            rung["name"],
            _scores(rung["scores"]),
            rung["note"],
            _scores(rung["popular"]),
            _changes(rung["changes"]),
        )
        for rung in found["rungs"]
    )
    return Ladder(tuple(rungs[0].scores), rungs, found["variant"], _trainings(found))


def ablation(found: Mapping[str, Any], split: str) -> Ablation:
    """The ablation that ``stages.ablate`` wrote, with the part first that is missed most.

    Args:
        found: What it wrote.
        split: On which it scored.
    """
    parts = [
        WithoutPart(part["name"], part["note"], _scores(part["scores"]), _changes(part["changes"]))
        for part in found["parts"]
    ]
    tested = tuple(parts[0].changes)
    parts.sort(key=lambda part: part.changes[tested[0]].difference.value)
    return Ablation(
        model=found["model"],
        score_columns=tested,
        recall_columns=tuple(each for each in found["scores"] if each not in tested),
        scores=_scores(found["scores"]),
        parts=tuple(parts),
        curve=tuple(
            CurvePoint(point["dialogues"], _scores(point["scores"])) for point in found["curve"]
        ),
        altered=tuple(
            Altered(each["name"], each["note"], _scores(each["scores"]))
            for each in found["altered"]
        ),
        trainings=_trainings(found),
        split=split,
    )


def best_on_validation(collected: Collected) -> str:
    """The trained model with the best validation nDCG@10.

    The test split has no part in it, but under the notebook's protocol, whose validation it is.
    """
    scores = {
        name: entry.selected[SELECTED_BY]
        for name, entry in collected.entries.items()
        if entry.selected
    }
    return max(scores, key=lambda name: scores[name])


def comparisons(collected: Collected) -> list[tuple[str, Comparison]]:
    """Paired tests on nDCG@10, each with its reading, corrected for the number of all of them.

    The model that :func:`best_on_validation` chose is tested against each baseline under every
    reading of :data:`TESTED` that was scored, the weighted trainer against the original one under
    the first.

    Raises:
        ValueError: Two models answer different examples under one reading.
    """
    best = best_on_validation(collected)
    against = [(best, baseline) for baseline in registry.NAMES if baseline in collected.entries]
    pairs = dict.fromkeys(TESTED, against)
    pairs[TESTED[0]] = [*_weighted_and_original(collected), *against]
    made: list[tuple[str, Comparison]] = []
    for reading, of_reading in pairs.items():
        answers = {
            name: entry.rankings[reading]
            for name, entry in collected.entries.items()
            if reading in entry.rankings
        }
        scored = [pair for pair in of_reading if answers.keys() >= set(pair)]
        names = dict.fromkeys(name for pair in scored for name in pair)
        values = {name: by_example(answers[name], "ndcg", 10) for name in names}
        if values:
            dialogues = _dialogues_of_all(reading, [answers[name][0] for name in names])
            made += [(reading, each) for each in compare(values, dialogues, scored)]
    corrected = holm(np.array([each.p_value for _, each in made])).tolist()
    return [
        (reading, replace(each, adjusted_p_value=p_value))
        for (reading, each), p_value in zip(made, corrected, strict=True)
    ]


def _weighted_and_original(collected: Collected) -> list[tuple[str, str]]:
    """The models of both trainers by variant."""
    return [
        (name, other)
        for name in collected.entries
        if name.startswith("weighted-")
        and (other := name.replace("weighted-", "original-", 1)) in collected.entries
    ]


def _dialogues_of_all(reading: str, answers: Sequence[Rankings]) -> Dialogues:
    """The dialogues that all models answer under a reading, in one order."""
    first, *others = answers
    for other in others:
        if not np.array_equal(other.conversation_id, first.conversation_id):
            raise ValueError(f"two models answer different examples under the reading {reading}")
    return Dialogues(first.conversation_id)


def _tests(collected: Collected) -> Iterator[PairedTest]:
    for reading, each in comparisons(collected):
        one, other = (collected.entries[name] for name in (each.first, each.second))
        means, others = _training_means(one, reading), _training_means(other, reading)
        yield PairedTest(
            each.first,
            each.second,
            _score(each.difference),
            each.adjusted_p_value,
            # a baseline has no seed
            trainings=min(len(e.rankings[reading]) for e in (one, other) if e.parts),
            apart=min(means) > max(others) or max(means) < min(others),
            reading=reading,
        )


def _training_means(entry: Entry, reading: str) -> list[float]:
    """The mean score of each of its trainings."""
    return [float(by_example([each], "ndcg", 10).mean()) for each in entry.rankings[reading]]


def _paper_column(table: pd.DataFrame) -> str:
    """The paper's own kind of split where it was scored, else the official one."""
    paper = column("paper split", "ndcg@10")
    return paper if paper in table else HEADLINE


def _turn_systems(collected: Collected) -> Iterator[TurnSystem]:
    for name, entry in collected.entries.items():
        if "turn" in entry.scores:
            yield TurnSystem(name, _turn(entry, "turn"), _turn(entry, "turn fresh"))


def _turn(entry: Entry, reading: str) -> TurnRecall:
    found = [entry.scores[reading].intervals[f"micro recall@{k}"] for k in (1, 10, 50)]
    at_1, at_10, at_50 = (each.value for each in found)
    return TurnRecall(at_1, at_10, at_50, tuple((each.low, each.high) for each in found))


def _coverage(figures: Mapping[str, Any]) -> Coverage:
    matched = [
        Matched(rule, counts["movies"], counts["mentions"])
        for rule, counts in figures["by_rule"].items()
    ]
    return Coverage(tuple(matched[:-1]), matched[-1])


def _errors(collected: Collected, model: str) -> ErrorAnalysis:
    catalogue = errors.Catalogue.from_tables(collected.movies, collected.train)
    first, *others = collected.entries[model].rankings["all"]
    analysis = errors.analyse(first, collected.test, catalogue)
    return ErrorAnalysis(
        model=model,
        training=f"first seed of {1 + len(others)}" if others else "",
        score_column=HEADLINE,
        overall=_score(analysis.overall),
        breakdowns=tuple(
            Breakdown(
                part.title,
                tuple(Group(g.name, g.examples, _score(g.ndcg)) for g in part.groups),
            )
            for part in analysis.breakdowns
        ),
        worst=tuple(
            Dialogue(
                failure.conversation_id,
                failure.ndcg,
                failure.request,
                tuple(RankedMovie(title, rank) for title, rank in failure.labels),
                tuple(
                    RankedMovie(title, rank)
                    for rank, title in enumerate(failure.recommended, start=1)
                ),
            )
            for failure in analysis.worst
        ),
    )


def corpus_name(params: Params) -> str:
    """Which corpus and which test split, in one phrase."""
    if params.redial.source == "sample":
        return "the sample corpus, which the project makes: its figures say nothing of real movies"
    split = "the paper's random" if params.dialogues.split == "paper" else "official"
    source = params.redial.hub.repository
    if params.redial.source == "zip":
        source = f"archive {_file_name(params.redial.zip.location)}"
    return f"ReDial ({source}), {split} test split"


def _file_name(location: str) -> str:
    """The last part of a URL or path: what stands before or behind it may be private."""
    path = urlsplit(location).path if "://" in location else location
    return Path(path).name


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value)


def _scores(found: Mapping[str, Mapping[str, float]]) -> dict[str, Score]:
    return {name: Score(each["value"], each["low"], each["high"]) for name, each in found.items()}


def _changes(found: Mapping[str, Mapping[str, float]]) -> dict[str, Change]:
    return {
        name: Change(Score(each["value"], each["low"], each["high"]), each["p_value"])
        for name, each in found.items()
    }


def _trainings(found: Mapping[str, Any]) -> str:
    """How often and how long was trained, in words."""
    seeds = "one seed" if found["repeats"] == 1 else f"{found['repeats']} seeds"
    return f"{found['epochs']} epochs, {seeds}"


def _score(interval: Interval) -> Score:
    return Score(interval.value, interval.low, interval.high)


def _float(value: object) -> float:
    return float(str(value))
