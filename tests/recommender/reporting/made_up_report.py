"""A small report with made-up figures and with texts that try to break out of the page."""

import math

import pandas as pd

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
from stages.recommender.reporting.results import Score

ATTACK = "<script>alert('x')</script> --> ]]> \"'&"
"""Text that ends an element, a comment, a CDATA section and an attribute."""

BEST = "weighted-rnn-multitask"


def results() -> pd.DataFrame:
    """Two baselines and four models; ``new`` is missing for one of them."""
    rows: list[dict[str, object]] = [
        _row("popular", None, None, None, 0.05, 0.04),
        _row("mentions-then-popular", None, None, None, 0.21, 0.04),
        _row("original-baseline", "original", "baseline", 2, 0.04, 0.04),
        _row("original-rnn-multitask", "original", "rnn-multitask", 1, 0.05, math.nan),
        _row("weighted-baseline", "weighted", "baseline", 3, 0.10, 0.08),
        _row(BEST, "weighted", "rnn-multitask", 3, 0.12, 0.10),
    ]
    return pd.DataFrame(rows)


def _row(
    model: str,
    trainer: str | None,
    variant: str | None,
    epoch: int | None,
    every: float,
    new: float,
) -> dict[str, object]:
    row: dict[str, object] = {
        "model": model,
        "trainer": trainer,
        "variant": variant,
        "selected epoch": epoch,
    }
    for column, value in (("all ndcg@10", every), ("new ndcg@10", new)):
        row |= {column: value, f"{column} low": value - 0.01, f"{column} high": value + 0.02}
    return row


def histories() -> dict[str, pd.DataFrame]:
    """Three epochs of the four models; the losses of the two trainers are far apart."""
    found = {}
    for trainer, loss, score in (("original", 0.004, 0.04), ("weighted", 1.2, 0.06)):
        for variant in ("baseline", "rnn-multitask"):
            tags = math.nan if variant == "baseline" else 8.5
            found[f"{trainer}-{variant}"] = pd.DataFrame(
                {
                    "epoch": [1, 2, 3],
                    "train_loss": [loss * 9, loss * 2, loss],
                    "train_dialogue_loss": [loss * 9, loss * 2, loss],
                    "train_tag_loss": [tags, tags - 0.5, tags - 1.0],
                    "eval_loss": [loss * 2, loss, loss * 1.1],
                    "eval_ndcg_at_10": [score, score + 0.02, score + 0.03],
                    "eval_recall_at_10": [score * 2, score * 2 + 0.03, score * 2 + 0.04],
                }
            )
    return found


def ladder() -> Ladder:
    """Three rungs; the second one lowers ``new``; the third is scored on other examples."""
    columns = ("all ndcg@10", "new ndcg@10")
    steps = (("the notebook", 0.044, 0.041), ("+ roles", 0.05, 0.04), ("+ loss", 0.1, 0.09))
    changes = {columns[0]: Change(Score(0.006, 0.001, 0.011), 0.0321)}
    changes[columns[1]] = Change(Score(-0.001, -0.002, 0.0), 1.0)
    rungs = tuple(
        Rung(
            name,
            {
                column: Score(value, value - 0.01, value + 0.01)
                for column, value in zip(columns, values, strict=True)
            },
            f"What was wrong before {name}.",
            {columns[0]: Score(0.03, 0.02, 0.04)},
            changes if name == "+ roles" else {},
        )
        for name, *values in steps
    )
    return Ladder(columns, rungs, BEST, "20 epochs, 3 seeds")


def ablation() -> Ablation:
    """Two parts, one of which only chance tells from nothing, on a quarter and on all dialogues."""
    columns = ("all ndcg@10", "new ndcg@10")

    def scores(*values: float) -> dict[str, Score]:
        named = (*columns, "turn micro recall@10")
        found = zip(named, (*values, 0.2), strict=True)
        return {name: Score(value, value - 0.01, value + 0.01) for name, value in found}

    def changes(*values: float) -> dict[str, Change]:
        found = zip(columns, values, strict=True)
        return {
            name: Change(Score(value, value - 0.01, value + 0.01), 0.0004 if value < -0.01 else 1.0)
            for name, value in found
        }

    return Ablation(
        model="softmax-gate",
        score_columns=columns,
        recall_columns=("turn micro recall@10",),
        scores=scores(0.3, 0.17),
        parts=(
            WithoutPart("counts", "Nothing.", scores(0.2, 0.13), changes(-0.1, -0.04)),
            WithoutPart(f"text {ATTACK}", ATTACK, scores(0.302, 0.17), changes(0.002, 0.0)),
        ),
        curve=(CurvePoint(2_000, scores(0.25, 0.11)), CurvePoint(8_000, scores(0.3, 0.17))),
        altered=(Altered("perfect gate", "Decides well.", scores(0.5, 0.17)),),
        trainings="6 epochs, one seed",
    )


def errors() -> ErrorAnalysis:
    """Two breakdowns, one with an empty group, and two dialogues, one of them an attack."""
    groups = (Group("none", 30, Score(0.08, 0.06, 0.1)), Group("some", 90, Score(0.13)))
    empty = (Group("seen", 120, Score(0.12)), Group("never seen", 0, Score(0.0)))
    movie = RankedMovie(f"Movie {ATTACK}", 1432)
    return ErrorAnalysis(
        BEST,
        "all ndcg@10",
        Score(0.12, 0.11, 0.14),
        (Breakdown("Movies mentioned", groups), Breakdown("Label in training", empty)),
        (
            Dialogue(7, 0.0, f"I like {ATTACK}", (movie,), (RankedMovie("It (2017)", 1),)),
            Dialogue(9, 0.1, "Something " + "long " * 300, (RankedMovie("Up", None),), ()),
        ),
        "first seed of 3",
    )


def report() -> Report:
    """Every section filled."""
    return Report(
        corpus=f"Made up {ATTACK}",
        run={"Protocol": "corrected", "Encoder": "none", ATTACK: ATTACK},
        results=results(),
        score_columns=("all ndcg@10", "new ndcg@10"),
        measure_columns=("new ndcg@10",),
        readings={"all": "every movie", "new": "only movies that are new to the seeker"},
        references=("popular", "mentions-then-popular"),
        tests=(PairedTest(BEST, "weighted-baseline", Score(0.02, -0.001, 0.04), 0.0004),),
        histories=histories(),
        turn_systems=(TurnSystem("co-occurrence", None, TurnRecall(0.027, 0.143, 0.297)),),
        ladder=ladder(),
        ablation=ablation(),
        coverage=Coverage(
            (Matched("title and year", 70, 900), Matched("year off by one", 20, 60)),
            Matched("not joined", 10, 40),
        ),
        errors=errors(),
        figures={"Dialogues": "1,342"},
        parameters={"training.epochs": "20", "encoder.sha256": "a" * 64},
        command="dvc repro",
    )


def short_report() -> Report:
    """One section with a picture, one without."""
    return Report("short", {"Seed": "42"}, ladder=ladder(), parameters={"a": "1", "b": "2"})
