"""What a report tells, as plain data: :class:`Report` and the sections it is made of.

Every section may be absent; the page then leaves it out. All texts are plain text.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from stages.recommender.reporting.published import TurnSystem
from stages.recommender.reporting.results import Score

SIGNIFICANCE = 0.05
"""The corrected p value under which one model may be said to beat another."""

TRAININGS = 3
"""The least trainings of a model, each with another seed, of which that may be said."""


@dataclass(frozen=True)
class Change:
    """A score less that of the rung before, on the same examples.

    Attributes:
        difference: The change with its 95% interval.
        p_value: Of a paired test, corrected for the number of changes tested.
    """

    difference: Score
    p_value: float


@dataclass(frozen=True)
class Rung:
    """One step of the ladder from the notebook to the repaired pipeline.

    Attributes:
        name: What this step repairs, in a few words.
        scores: Its scores by column, such as ``all ndcg@10``.
        note: One sentence on what was wrong before it.
        popular: What recommending the most popular movies scores on the same examples, by column.
        changes: From the rung before, by column; none where that one was scored on other examples.
    """

    name: str
    scores: Mapping[str, Score]
    note: str = ""
    popular: Mapping[str, Score] = field(default_factory=dict)
    changes: Mapping[str, Change] = field(default_factory=dict)


@dataclass(frozen=True)
class Ladder:
    """One defect repaired at a time.

    Attributes:
        score_columns: The scores to show, such as ``all ndcg@10`` and ``new ndcg@10``.
        rungs: From the notebook as published to the last repair.
        variant: The model that was trained at every rung.
        trainings: How it was trained there: ``20 epochs, 3 seeds``.
    """

    score_columns: tuple[str, ...]
    rungs: tuple[Rung, ...]
    variant: str
    trainings: str = ""


@dataclass(frozen=True)
class WithoutPart:
    """The gate trained without one of its parts.

    Attributes:
        name: The part, in a few words.
        note: One sentence on what the model is without it.
        scores: Its scores by column, such as ``all ndcg@10``.
        changes: From the full model, by column; none where that was not tested.
    """

    name: str
    note: str
    scores: Mapping[str, Score]
    changes: Mapping[str, Change]


@dataclass(frozen=True)
class CurvePoint:
    """The full model trained on some of the dialogues.

    Attributes:
        dialogues: How many.
        scores: By column.
    """

    dialogues: int
    scores: Mapping[str, Score]


@dataclass(frozen=True)
class Altered:
    """What the full model would score if something were decided otherwise.

    Attributes:
        name: Who decides, in a few words.
        note: One sentence on what it does.
        scores: By column.
    """

    name: str
    note: str
    scores: Mapping[str, Score]


@dataclass(frozen=True)
class Ablation:
    """What each part of a model is worth.

    Attributes:
        model: The model.
        score_columns: The scores whose changes are tested; the first one is the headline.
        recall_columns: Further scores.
        scores: The full model's, by column.
        parts: What it is without each part, the one that is missed most first.
        curve: On fewer dialogues first, on all of them last.
        altered: Its answers decided otherwise, by an oracle or never to repeat.
        trainings: How each was trained: ``6 epochs, one seed``.
        split: On which all are scored.
    """

    model: str
    score_columns: tuple[str, ...]
    recall_columns: tuple[str, ...]
    scores: Mapping[str, Score]
    parts: tuple[WithoutPart, ...]
    curve: tuple[CurvePoint, ...] = ()
    altered: tuple[Altered, ...] = ()
    trainings: str = ""
    split: str = "validation"


@dataclass(frozen=True)
class PairedTest:
    """Two models compared on the same dialogues.

    Attributes:
        first: The model that is compared.
        second: The model that it is compared with.
        difference: The first one's mean score minus the second one's, with its 95% interval.
        p_value: Corrected for the number of comparisons made.
        trainings: With how many seeds each trained model of the two was trained, the fewer.
        apart: Whether every training of the one scores higher than every training of the other.
        reading: Under which they are compared.
    """

    first: str
    second: str
    difference: Score
    p_value: float
    trainings: int = 1
    apart: bool = False
    reading: str = "all"

    @property
    def verdict(self) -> str:
        """What may be said of the first model and the second one."""
        if self.trainings < TRAININGS:
            return "too few seeds"
        if self.p_value >= SIGNIFICANCE or not self.apart:
            return "not told apart from"
        return "beats" if self.difference.value > 0 else "is beaten by"


@dataclass(frozen=True)
class Matched:
    """What one rule joined to MovieLens.

    Attributes:
        rule: The rule's name.
        movies: Movies of the catalogue that it joined.
        mentions: How often the corpus mentions those movies.
    """

    rule: str
    movies: int
    mentions: int


@dataclass(frozen=True)
class Coverage:
    """How much of the catalogue is joined to MovieLens.

    Attributes:
        matched: The rules in the order in which they are tried.
        unmatched: What no rule joined.
    """

    matched: tuple[Matched, ...]
    unmatched: Matched


@dataclass(frozen=True)
class Group:
    """Some of the test examples.

    Attributes:
        label: What they have in common.
        examples: How many they are.
        score: Their mean score.
    """

    label: str
    examples: int
    score: Score


@dataclass(frozen=True)
class Breakdown:
    """The test examples, or their labels, divided by one property.

    Attributes:
        title: The property.
        groups: In its order.
    """

    title: str
    groups: tuple[Group, ...]


@dataclass(frozen=True)
class RankedMovie:
    """A movie with its place in the model's ranking.

    Attributes:
        title: As a person knows it, with the year.
        rank: From 1; ``None`` where it was not ranked.
    """

    title: str
    rank: int | None


@dataclass(frozen=True)
class Dialogue:
    """A dialogue that the model fails on.

    Attributes:
        conversation_id: ReDial's id.
        score: The model's score on it.
        request: What the seeker said, the movies by their titles.
        labels: What the recommender recommended, and where the model ranks it.
        recommended: The model's first movies.
    """

    conversation_id: int
    score: float
    request: str
    labels: tuple[RankedMovie, ...]
    recommended: tuple[RankedMovie, ...]


@dataclass(frozen=True)
class ErrorAnalysis:
    """Where one model does well and where it fails.

    Attributes:
        model: The model.
        score_column: The score that is shown, such as ``all ndcg@10``.
        overall: Its score on the whole test split.
        breakdowns: By popularity of the label, number of mentions, length of the request, ...
        worst: The dialogues with the lowest scores, worst first.
        training: Which of its trainings answered: ``first seed of 3``; empty where it has one.
    """

    model: str
    score_column: str
    overall: Score
    breakdowns: tuple[Breakdown, ...] = ()
    worst: tuple[Dialogue, ...] = ()
    training: str = ""


@dataclass(frozen=True)
class Report:
    """Everything that the page shows.

    Attributes:
        corpus: Which corpus, in one phrase: ``ReDial, official test split``.
        run: What was run, by name: protocol, encoder, epochs, seed, ...
        results: The table of results; its columns are told in
            :mod:`stages.recommender.reporting.results`.
        score_columns: The scores that tables and pictures show; the first one is the headline.
        measure_columns: Further scores, in a table of their own.
        readings: A sentence on each reading that the score columns name.
        references: The baselines that stand beside the published figures, simplest first.
        tests: Paired tests between models.
        histories: By model, as :func:`~stages.recommender.reporting.plots.curves.training_curves`
            takes them.
        evaluation_split: The split that was scored after each epoch.
        published_column: The score to set beside the paper's and the notebook's nDCG@10.
        turn_systems: Our systems under the per-turn protocol, beside the published ones.
        ladder: One defect repaired at a time.
        ablation: What each part of the gate is worth.
        coverage: How much of the catalogue is joined to MovieLens.
        errors: Error analysis of one model.
        figures: Figures of the corpus, by name.
        parameters: Every parameter, by its dotted key.
        command: The command that makes this report again.
    """

    corpus: str
    run: Mapping[str, str]
    results: pd.DataFrame | None = None
    score_columns: tuple[str, ...] = ("all ndcg@10", "all recall@10")
    measure_columns: tuple[str, ...] = ()
    readings: Mapping[str, str] = field(default_factory=dict)
    references: tuple[str, ...] = ()
    tests: tuple[PairedTest, ...] = ()
    histories: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    evaluation_split: str = "validation"
    published_column: str = "all ndcg@10"
    turn_systems: tuple[TurnSystem, ...] = ()
    ladder: Ladder | None = None
    ablation: Ablation | None = None
    coverage: Coverage | None = None
    errors: ErrorAnalysis | None = None
    figures: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    command: str = ""
