"""Rows of numbers as tests write them, ragged."""

import torch

from stages.recommender.modeling.ragged import Ragged


def ragged(rows: list[list[int]]) -> Ragged:
    values = [value for row in rows for value in row]
    lengths = [len(row) for row in rows]
    return Ragged(torch.tensor(values, dtype=torch.int64), torch.tensor(lengths, dtype=torch.int64))
