import pyarrow as pa
import pytest

from stages.recommender.artifacts import RANKING_SCHEMA
from stages.recommender.errors import UserError
from stages.recommender.evaluation.readings import by_reading, mean_scores


def rankings(reading: str, labels: list[list[int]]) -> pa.Table:
    """One request for each list of labels; each mentions movie 1, and movie 2 is ranked first."""
    rows = [
        {
            "reading": reading,
            "repeat": 0,
            "conversation_id": number,
            "turn": -1,
            "mentions": [1],
            "labels": each,
            "ranking": [2, 1, 0],
        }
        for number, each in enumerate(labels)
    ]
    columns = {name: [row[name] for row in rows] for name in RANKING_SCHEMA.names}
    return pa.table(columns, schema=RANKING_SCHEMA)


def test_a_filtered_reading_comes_from_the_scoring_that_it_filters() -> None:
    found = by_reading(rankings("whole", [[1], [1, 2]]))
    assert list(found) == ["all", "new"]
    assert mean_scores(found["all"])["hit@1"] == 0.5
    assert [len(each) for each in found["new"]] == [1]  # the other one's only label was mentioned
    assert mean_scores(found["new"])["ndcg@1"] == 1.0


@pytest.mark.parametrize(("scored", "empty"), [("whole", "new"), ("turn", "turn fresh")])
def test_a_reading_that_a_filter_empties_is_told(scored: str, empty: str) -> None:
    with pytest.raises(UserError, match=rf"^reading {empty}: no example has a label that its"):
        by_reading(rankings(scored, [[1], [1]]))
