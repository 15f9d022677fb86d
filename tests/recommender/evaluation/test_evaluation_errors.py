from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from stages.recommender.artifacts import EXAMPLE_SCHEMA, MOVIE_SCHEMA
from stages.recommender.evaluation.errors import (
    Analysis,
    Breakdown,
    Catalogue,
    analyse,
    commonest_year,
)
from stages.recommender.evaluation.rankings import Rankings

LOG2_3 = np.log2(3)


def examples(rows: list[tuple[int, str, list[int], list[int]]]) -> pa.Table:
    """Of (conversation id, text, mentions, labels)."""
    columns = {
        "conversation_id": [row[0] for row in rows],
        "turn": [-1] * len(rows),
        "paper_split": [None] * len(rows),
        "text": [row[1] for row in rows],
        "input_ids": [[] for _ in rows],
        "mentions": [row[2] for row in rows],
        "labels": [row[3] for row in rows],
    }
    return pa.table(
        [pa.array(columns[field.name], field.type) for field in EXAMPLE_SCHEMA],
        schema=EXAMPLE_SCHEMA,
    )


def movies(rows: list[tuple[str | None, int | None]]) -> pa.Table:
    """Of (title, year)."""
    count = len(rows)
    columns = {
        "index": list(range(count)),
        "redial_id": [1000 + index for index in range(count)],
        "title": [title for title, _ in rows],
        "year": [year for _, year in rows],
        "movielens_id": [None] * count,
        "match": ["none"] * count,
        "movielens_title": [None] * count,
        "genres": [[] for _ in rows],
    }
    return pa.table(
        [pa.array(columns[field.name], field.type) for field in MOVIE_SCHEMA],
        schema=MOVIE_SCHEMA,
    )


MOVIES = movies([("Old", 1990), ("Hit", 2017), ("New", 2018), (None, None), ("Rare", 2017)])
TRAIN = examples([(i, "x", [0], [1]) for i in range(5)] + [(9, "x", [], [4])])
TEST = examples(
    [
        (1, "I like @ [SEP] and @ a lot", [0, 4], [1, 2]),
        (2, "anything", [], [3]),
        (3, "write to me@home", [], [4]),
    ]
)


@pytest.fixture
def analysis() -> Analysis:
    scores = np.array([[1, 3, 2, 0, 0]] * 3, dtype=np.float32)  # 1, 2, 0, 3, 4
    rankings = Rankings.from_scores(TEST, "whole", scores)
    return analyse(rankings, TEST, Catalogue.from_tables(MOVIES, TRAIN), resamples=99)


def group_of(analysis: Analysis, title: str) -> dict[str, tuple[int, int, Any]]:
    found: Breakdown = next(b for b in analysis.breakdowns if b.title.startswith(title))
    return {g.name: (g.examples, g.labels, g.ndcg.value) for g in found.groups}


def at(rank: int) -> Any:
    return pytest.approx(1 / np.log2(rank + 1))


def test_popularity_of_the_label(analysis: Analysis) -> None:
    # 5 training examples have movie 1, one has movie 4; in the group of movie 2, movie 1 is taken
    # out of the ranking, so that movie 2 is first
    assert group_of(analysis, "Popularity") == {
        "0": (2, 2, pytest.approx((1 + 1 / np.log2(5)) / 2)),
        "1 to 4": (1, 1, at(5)),
        "5 to 19": (1, 1, at(1)),
    }


def test_movies_that_training_never_names(analysis: Analysis) -> None:
    assert group_of(analysis, "Label in the training") == {
        "named": (2, 2, pytest.approx((1 + 1 / np.log2(6)) / 2)),
        "never named": (2, 2, pytest.approx((1 + 1 / np.log2(5)) / 2)),
    }


def test_years(analysis: Analysis) -> None:
    assert group_of(analysis, "Year of the label: 2017 is the commonest") == {
        "2017 or older": (2, 2, pytest.approx((1 + 1 / np.log2(6)) / 2)),
        "newer than 2017": (1, 1, at(1)),
        "unknown": (1, 1, at(4)),
    }


def test_mentions_and_words_of_the_request(analysis: Analysis) -> None:
    first = pytest.approx(1)
    others = pytest.approx((1 / np.log2(5) + 1 / np.log2(6)) / 2)
    assert group_of(analysis, "Movies that the request mentions") == {
        "0": (2, 2, others),
        "2": (1, 2, first),
    }
    assert group_of(analysis, "Words") == {"0 to 9": (3, 4, analysis.overall.value)}


def test_labels_that_the_request_mentions() -> None:
    asked = examples([(1, "@", [0], [0, 1])])
    rankings = Rankings.from_scores(asked, "whole", np.array([[1, 3, 2, 0, 0]], dtype=np.float32))
    found = analyse(rankings, asked, Catalogue.from_tables(MOVIES, TRAIN), resamples=9)
    assert group_of(found, "Label in the request") == {
        "mentioned": (1, 1, at(2)),
        "new": (1, 1, at(1)),
    }


def test_the_worst_requests_can_be_read(analysis: Analysis) -> None:
    worst = analysis.worst
    assert [each.conversation_id for each in worst] == [3, 2, 1]
    assert worst[2].request == "I like Old (1990) / and Rare (2017) a lot"
    assert worst[2].labels == (("Hit (2017)", 1), ("New (2018)", 2))
    assert worst[1].labels == (("movie 1003", 4),)
    # an @ that is no mention leaves the text as it is
    assert worst[0].request == "write to me@home"
    assert worst[0].recommended[:2] == ("Hit (2017)", "New (2018)")
    assert worst[0].ndcg == at(5)


def test_a_label_out_of_the_ranking_has_no_rank() -> None:
    many = movies([(f"Movie {i}", 2000) for i in range(200)])
    asked = examples([(1, "hi", [], [150])])
    rankings = Rankings.from_scores(asked, "whole", -np.arange(200, dtype=np.float32)[None, :])
    worst = analyse(rankings, asked, Catalogue.from_tables(many, TRAIN), resamples=9).worst[0]
    assert worst.labels == (("Movie 150 (2000)", None),)
    assert len(worst.recommended) == 10
    assert worst.ndcg == 0


def test_no_more_than_twenty_and_the_most_labels_first() -> None:
    asked = examples([(i, "hi", [], [1, 2] if i == 30 else [1]) for i in range(40)])
    many = movies([("A", None)] * 120)
    scores = np.zeros((40, 120), dtype=np.float32)
    scores[:, [1, 2]] = -1  # past the movies kept
    rankings = Rankings.from_scores(asked, "whole", scores)
    worst = analyse(rankings, asked, Catalogue.from_tables(many, TRAIN), resamples=9).worst
    assert [each.conversation_id for each in worst] == [30, *range(19)]


def test_commonest_year_of_nothing() -> None:
    nothing = Catalogue.from_tables(movies([("A", None), ("B", None)]), examples([]))
    assert commonest_year(nothing) == 0


def test_an_answer_without_an_example_is_refused() -> None:
    rankings = Rankings.from_scores(TEST, "whole", np.zeros((3, 5), dtype=np.float32))
    with pytest.raises(ValueError, match=r"no example .* \(1, -1\)"):
        analyse(rankings, TEST.slice(1), Catalogue.from_tables(MOVIES, TRAIN))
