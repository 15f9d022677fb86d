"""What a user is told."""

from collections.abc import Callable

import pytest

from stages.recommender.errors import UserError


def one_sentence(function: Callable[..., object], *arguments: object) -> str:
    """The one line with which a call ends."""
    with pytest.raises(UserError) as caught:
        function(*arguments)
    message = str(caught.value)
    assert "\n" not in message
    return message
