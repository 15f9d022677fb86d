import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.recommender.dialogues.splits import assign_training_file, draw

IDS = st.lists(st.integers(0, 10**6), unique=True, max_size=200)


@given(IDS, st.floats(0.01, 0.99), st.integers(0, 10))
def test_draw_takes_its_share_whatever_the_order(ids: list[int], share: float, seed: int) -> None:
    drawn = draw(ids, share, seed)
    assert drawn.sum() == round(share * len(ids))
    backwards = draw(ids[::-1], share, seed)
    np.testing.assert_array_equal(drawn, backwards[::-1])


def test_seeds_draw_differently() -> None:
    ids = list(range(1000))
    assert not np.array_equal(draw(ids, 0.5, 1), draw(ids, 0.5, 2))


@pytest.mark.parametrize("count", [0, 1, 10, 1001])
def test_sizes(count: int) -> None:
    official, paper = assign_training_file(range(count), 0.2, 0.1, 42)
    assert official.count("validation") == round(0.1 * count)
    assert official.count("train") == count - official.count("validation")
    assert paper.count("test") == round(0.2 * count)
    assert paper.count("validation") == round(0.1 * (count - paper.count("test")))
    assert len(paper) == count


def test_the_papers_sizes() -> None:
    """The paper divides 10,010 dialogues into 8,008 and 2,002."""
    _, paper = assign_training_file(range(10_010), 0.2, 0.1, 42)
    assert paper.count("test") == 2002
