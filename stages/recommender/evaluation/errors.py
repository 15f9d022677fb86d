"""Where a model does well and where it fails: scores of groups of labels and of requests."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from stages.recommender.dialogues.text import SEPARATOR
from stages.recommender.evaluation import metrics
from stages.recommender.evaluation.intervals import RESAMPLES, Dialogues, Interval
from stages.recommender.evaluation.movie_lists import MovieLists
from stages.recommender.evaluation.rankings import Rankings

CUTOFF = 10
WORST = 20

POPULARITY_STARTS = (0, 1, 5, 20, 100)
MENTION_STARTS = (0, 1, 2, 3, 5)
WORD_STARTS = (0, 10, 25, 50, 100)

_MENTION = re.compile(r"@\d*")


@dataclass(frozen=True)
class Group:
    """Some labels, or some requests, with what they have in common."""

    name: str
    examples: int
    labels: int
    ndcg: Interval
    """Mean nDCG@10. Of a group of labels: against these labels alone, with the example's other
    labels taken out of the ranking, since to recommend them is no error."""


@dataclass(frozen=True)
class Breakdown:
    """All labels, or all requests, divided by one property; groups without any are left out."""

    title: str
    groups: tuple[Group, ...]


@dataclass(frozen=True)
class Failure:
    """A request that a model fails on, to be read by a person."""

    conversation_id: int
    turn: int
    ndcg: float
    """nDCG@10."""
    request: str
    """The messages, parted by ``/``, with titles where it mentions movies."""
    labels: tuple[tuple[str, int | None], ...]
    """Titles, each with its rank from 1, or ``None`` where it is not among the movies kept."""
    recommended: tuple[str, ...]
    """Titles of the first ten movies, best first."""


@dataclass(frozen=True)
class Catalogue:
    """What the analysis knows of each movie, by catalogue index."""

    titles: tuple[str, ...]
    """With the year, as a person knows the movie."""
    years: NDArray[np.int64]
    """0 where unknown."""
    training_labels: NDArray[np.int64]
    """In how many training examples the movie is a label."""
    training_mentions: NDArray[np.int64]
    """How often training requests mention the movie."""

    @classmethod
    def from_tables(cls, movies: pa.Table, train: pa.Table) -> Self:
        """From tables of ``artifacts.MOVIE_SCHEMA`` and ``artifacts.EXAMPLE_SCHEMA``."""
        years = movies["year"].fill_null(0).to_numpy().astype(np.int64)
        titles, ids = movies["title"].to_pylist(), movies["redial_id"].to_pylist()
        counts = (
            np.bincount(MovieLists.from_column(train[column]).values, minlength=movies.num_rows)
            for column in ("labels", "mentions")
        )
        return cls(tuple(map(_title, titles, years.tolist(), ids)), years, *counts)


@dataclass(frozen=True)
class Analysis:
    """Where one model does well and where it fails, under one reading."""

    overall: Interval
    """Mean nDCG@10."""
    breakdowns: tuple[Breakdown, ...]
    worst: tuple[Failure, ...]
    """Lowest nDCG@10 first, then lowest over all movies kept, then most labels."""


def analyse(
    rankings: Rankings, examples: pa.Table, catalogue: Catalogue, resamples: int = RESAMPLES
) -> Analysis:
    """Analyse the errors of a model under one reading.

    Args:
        rankings: Its answers, each example with a label.
        examples: Of ``artifacts.EXAMPLE_SCHEMA``, with all examples that were answered.
        catalogue: The movies.
        resamples: Of the dialogues, for the intervals.

    Raises:
        ValueError: An answered example is not in ``examples``.
    """
    texts = _texts(rankings, examples)
    words = np.array([len(_words(text)) for text in texts])
    return Analysis(
        overall=_ndcg(rankings, resamples),
        breakdowns=(
            *_by_label(rankings, catalogue, resamples),
            _by_request(
                "Movies that the request mentions",
                rankings,
                rankings.mentions.distinct().lengths,
                MENTION_STARTS,
                resamples,
            ),
            _by_request("Words of the request", rankings, words, WORD_STARTS, resamples),
        ),
        worst=_worst(rankings, texts, catalogue),
    )


def _by_label(rankings: Rankings, catalogue: Catalogue, resamples: int) -> list[Breakdown]:
    labels = rankings.labels.values
    counts = catalogue.training_labels[labels]
    seen = counts + catalogue.training_mentions[labels] > 0
    years = catalogue.years[labels]
    commonest = commonest_year(catalogue)
    repeated = rankings.labels.isin(rankings.mentions)
    return [
        Breakdown(title, tuple(_label_groups(rankings, groups, resamples)))
        for title, groups in {
            "Popularity of the label: training examples that have it": [
                (name, (counts >= start) & (counts < end))
                for name, start, end in _spans(POPULARITY_STARTS)
            ],
            "Label in the training dialogues": [("named", seen), ("never named", ~seen)],
            f"Year of the label: {commonest} is the commonest in training": [
                (f"{commonest} or older", (years > 0) & (years <= commonest)),
                (f"newer than {commonest}", years > commonest),
                ("unknown", years == 0),
            ],
            "Label in the request": [("mentioned", repeated), ("new", ~repeated)],
        }.items()
    ]


def commonest_year(catalogue: Catalogue) -> int:
    """The year that most training labels are of, the later one of two; 0 where none is known.

    Dialogues have no dates, so that it stands for the time of the training dialogues; some of
    their labels are newer.
    """
    known = catalogue.years > 0
    totals = np.bincount(catalogue.years[known], weights=catalogue.training_labels[known])
    return len(totals) - 1 - int(np.argmax(totals[::-1])) if totals.any() else 0


def _label_groups(
    rankings: Rankings, groups: Sequence[tuple[str, NDArray[np.bool_]]], resamples: int
) -> list[Group]:
    found = []
    for name, chosen in groups:
        if chosen.any():
            others = rankings.labels.keep_values(~chosen)
            of_group = rankings.without(others).with_labels(rankings.labels.keep_values(chosen))
            found.append(_group(name, of_group, resamples))
    return found


def _by_request(
    title: str,
    rankings: Rankings,
    counts: NDArray[np.integer],
    starts: Sequence[int],
    resamples: int,
) -> Breakdown:
    groups = []
    for name, start, end in _spans(starts):
        chosen = (counts >= start) & (counts < end)
        if chosen.any():
            groups.append(_group(name, rankings.keep(chosen), resamples))
    return Breakdown(title, tuple(groups))


def _spans(starts: Sequence[int]) -> list[tuple[str, int, float]]:
    """Name, first number and end of each span of whole numbers, the last one without an end."""
    ends = [*starts[1:], np.inf]
    return [
        (
            f"{start} or more"
            if end == np.inf
            else str(start)
            if end == start + 1
            else f"{start} to {int(end) - 1}",
            start,
            end,
        )
        for start, end in zip(starts, ends, strict=True)
    ]


def _group(name: str, rankings: Rankings, resamples: int) -> Group:
    labels = len(rankings.labels.values)
    return Group(name, len(rankings), labels, _ndcg(rankings, resamples))


def _ndcg(rankings: Rankings, resamples: int) -> Interval:
    values = metrics.ndcg(rankings.ranking, rankings.labels, CUTOFF)
    return Dialogues(rankings.conversation_id, resamples).means(values[:, None])[0]


def _worst(rankings: Rankings, texts: list[str], catalogue: Catalogue) -> tuple[Failure, ...]:
    first = metrics.ndcg(rankings.ranking, rankings.labels, CUTOFF)
    kept = metrics.ndcg(rankings.ranking, rankings.labels, rankings.ranking.shape[1])
    order = np.lexsort(
        (rankings.turn, rankings.conversation_id, -rankings.labels.lengths, kept, first)
    )[:WORST]
    labels, mentions = rankings.labels.to_rows(), rankings.mentions.to_rows()
    failures = []
    for row in order.tolist():
        ranked = [movie for movie in rankings.ranking[row].tolist() if movie >= 0]
        rank = {movie: place for place, movie in enumerate(ranked, start=1)}
        failures.append(
            Failure(
                conversation_id=int(rankings.conversation_id[row]),
                turn=int(rankings.turn[row]),
                ndcg=float(first[row]),
                request=_readable(texts[row], mentions[row], catalogue.titles),
                labels=tuple((catalogue.titles[m], rank.get(m)) for m in labels[row]),
                recommended=tuple(catalogue.titles[m] for m in ranked[:CUTOFF]),
            )
        )
    return tuple(failures)


def _readable(text: str, mentions: list[int], titles: Sequence[str]) -> str:
    """The text with titles in place of what stands there for a movie, where that is sure."""
    if len(_MENTION.findall(text)) == len(mentions):
        names = iter(mentions)
        text = _MENTION.sub(lambda _: titles[next(names)], text)
    return " / ".join(message.strip() for message in text.split(SEPARATOR) if message.strip())


def _texts(rankings: Rankings, examples: pa.Table) -> list[str]:
    keys = zip(examples["conversation_id"].to_pylist(), examples["turn"].to_pylist(), strict=True)
    texts = dict(zip(keys, examples["text"].to_pylist(), strict=True))
    answered = zip(rankings.conversation_id.tolist(), rankings.turn.tolist(), strict=True)
    try:
        return [texts[key] for key in answered]
    except KeyError as error:
        raise ValueError(f"no example for the answer to (dialogue, turn) {error}") from None


def _words(text: str) -> list[str]:
    return text.replace(SEPARATOR, " ").split()


def _title(title: str | None, year: int, redial_id: int) -> str:
    if title is None:
        return f"movie {redial_id}"
    return f"{title} ({year})" if year else title
