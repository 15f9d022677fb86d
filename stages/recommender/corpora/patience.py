"""Trying again what may pass: how often, how long to wait, when to give up."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

Result = TypeVar("Result")


@dataclass(frozen=True)
class Patience:
    """How long to bear with a host."""

    attempts: int = 4
    """Attempts in a row that bring nothing, after which it is given up."""
    first_wait: float = 1.0
    """Seconds before the second attempt; doubled before each further one."""
    longest_wait: float = 60.0
    """Seconds that a host may ask to be left alone; the most that is waited at once."""
    timeout: float = 30.0
    """Seconds without a connection, or without a byte, that count as no answer."""
    least_rate: float = 1_000.0
    """Bytes a second, over as many seconds, that a download has to bring."""


PATIENCE = Patience()
"""What hosts on the internet deserve."""


class PassingTroubleError(Exception):
    """What went wrong may go right the next time.

    Attributes:
        wait: Seconds that the host asked to be left alone.
        progressed: Whether the attempt brought enough that it does not count as in vain.
        unreachable: Whether no host was reached at all.
    """

    def __init__(
        self,
        message: str,
        *,
        wait: float = 0.0,
        progressed: bool = False,
        unreachable: bool = False,
    ) -> None:
        super().__init__(message)
        self.wait = wait
        self.progressed = progressed
        self.unreachable = unreachable


def persist(action: Callable[[], Result], patience: Patience) -> Result:
    """Call ``action`` until it ends without passing trouble.

    Args:
        action: What to do; safe to do again.
        patience: How often and with which waits.

    Returns:
        What ``action`` returns.

    Raises:
        PassingTroubleError: The last of ``patience.attempts`` attempts in a row in vain.
    """
    in_vain = 0
    while True:
        try:
            return action()
        except PassingTroubleError as trouble:
            in_vain = 1 if trouble.progressed else in_vain + 1
            if in_vain >= patience.attempts:
                raise
            wait = max(trouble.wait, patience.first_wait * 2 ** (in_vain - 1))
            time.sleep(min(wait, patience.longest_wait))
