"""What is written beside the ladder's dots."""

import pytest

from stages.recommender.reporting.plots.ladder import signed


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (0.0123, "+0.012"),
        (-0.0123, "\N{MINUS SIGN}0.012"),
        (0.0004, "0.000"),
        (-0.0003, "0.000"),
        (0.0, "0.000"),
    ],
)
def test_a_change_has_a_sign_where_it_is_one(change: float, text: str) -> None:
    assert signed(change) == text
