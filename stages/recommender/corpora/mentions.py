"""How a ReDial message names a movie: ``@`` and the movie's id."""

import re

MENTION = re.compile(r"@(\d+)")


def mentioned_ids(text: str) -> list[int]:
    """The ReDial ids that a message names, in order, repeats kept."""
    return [int(digits) for digits in MENTION.findall(text)]
