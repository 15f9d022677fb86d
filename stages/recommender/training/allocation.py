"""Memory that a training step frees stays with the process for the next step.

glibc gives freed memory back to the system, which hands it out again page by page, each zeroed
first: in a step that fine-tunes an encoder, time that shows.
"""

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""The numbers of glibc's ``mallopt(3)``."""
_LARGEST_MMAP_THRESHOLD = 32 * 2**20
"""In bytes; glibc takes no larger one."""
_NEVER = 2**31 - 1


def keep_freed_memory() -> None:
    """Have this process keep what it frees, but for pieces over 32 MiB; without glibc, nothing."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)
        mallopt(_TRIM_THRESHOLD, _NEVER)
