import subprocess
import sys

import pytest

from stages.recommender.training import allocation

TOUCH = """
import resource
import torch
from stages.recommender.training.allocation import keep_freed_memory

if {keep}:
    keep_freed_memory()
for _ in range(3):
    torch.ones(4 * 2**20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    first, second, third = (torch.ones(4 * 2**20) for _ in range(3))
    del first, second, third
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
"""Thirty tensors of 16 MiB, three at once; prints how many pages the system gave."""


def test_what_was_freed_is_used_again() -> None:
    pages = []
    for keep in (False, True):
        code = TOUCH.format(keep=keep)
        ran = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        pages.append(int(ran.stdout))
    assert pages[1] < pages[0] / 2


def test_another_c_library_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocation.ctypes, "CDLL", lambda _: object())
    allocation.keep_freed_memory()
