"""A model's answers to examples: its loss, and its best movies."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from stages.recommender.artifacts import RANKING_SCHEMA
from stages.recommender.evaluation.rankings import DEPTH
from stages.recommender.modeling.encoder import SentenceEncoder
from stages.recommender.modeling.losses import tag_loss
from stages.recommender.modeling.ragged import multi_hot
from stages.recommender.modeling.variants import RecommenderNetwork
from stages.recommender.training import processes
from stages.recommender.training.batches import DialogueExamples, TagExamples, share_of
from stages.recommender.training.determinism import Machine
from stages.recommender.training.graphs import TextEncoder


@dataclass(frozen=True)
class Scored:
    """What a model makes of examples.

    Attributes:
        loss: Mean of the dialogues' loss over the examples.
        rankings: Catalogue indices of the best movies, best first. (examples, depth or movies)
    """

    loss: float
    rankings: NDArray[np.int32]


def sentence_vectors(
    encoder: TextEncoder | None, examples: DialogueExamples | TagExamples
) -> Tensor:
    """The examples' sentence vectors, kept or computed: (examples, width)."""
    if examples.vectors is not None:
        return examples.vectors
    if encoder is None:
        raise RuntimeError("examples without vectors need an encoder")
    return encoder(examples.tokens)


@torch.inference_mode()
def vectors_of(
    encoder: SentenceEncoder | None, examples: DialogueExamples, batch: int, machine: Machine
) -> pa.Array:
    """The examples' sentence vectors, kept or computed in evaluation mode.

    Returns:
        ``list<float16>``, one row an example.
    """
    if encoder is not None:
        encoder.eval()
    parts = []
    total = len(examples)
    examples, _ = share_of(examples)
    batches = torch.split(torch.arange(len(examples)), batch)
    wait = encoder is None or len(batches) < 2
    for rows in tqdm(batches, desc="vectors of requests", disable=wait, leave=False):
        with machine.autocast():
            vectors = sentence_vectors(encoder, examples.take(rows).to(machine.device))
        parts.append(vectors.cpu().numpy().astype(np.float16))
    matrix = processes.whole(torch.from_numpy(np.concatenate(parts)), total).numpy()
    offsets = pa.array(np.arange(0, matrix.size + 1, matrix.shape[1], dtype=np.int32))
    return pa.ListArray.from_arrays(offsets, pa.array(matrix.ravel()))


def ranking_table(
    reading: str, repeat: int, examples: pa.Table, rankings: NDArray[np.int32]
) -> pa.Table:
    """Rankings beside the examples that they answer, of ``artifacts.RANKING_SCHEMA``.

    Args:
        reading: How the dialogues were read.
        repeat: The number of the model's training, from 0.
        examples: Of ``artifacts.EXAMPLE_SCHEMA``.
        rankings: (examples, depth)
    """
    depth = rankings.shape[1]
    offsets = pa.array(np.arange(0, rankings.size + 1, depth, dtype=np.int32))
    copied = ["conversation_id", "turn", "mentions", "labels"]
    return pa.table(
        {
            "reading": [reading] * len(rankings),
            "repeat": pa.array([repeat] * len(rankings), pa.int32()),
        }
        | {name: examples[name] for name in copied}
        | {"ranking": pa.ListArray.from_arrays(offsets, pa.array(rankings.ravel()))},
        schema=RANKING_SCHEMA,
    )


@torch.inference_mode()
def score(
    model: RecommenderNetwork,
    encoder: SentenceEncoder | None,
    examples: DialogueExamples,
    dialogue_loss: Callable[[Tensor, Tensor], Tensor],
    batch: int,
    machine: Machine,
    depth: int = DEPTH,
) -> Scored:
    """Score examples in evaluation mode, ``batch`` at a time; each process scores its share.

    Args:
        model: The recommender.
        encoder: Where the examples carry no vectors.
        examples: To answer.
        dialogue_loss: See :class:`~stages.recommender.modeling.losses.Objective`.
        batch: Examples at once.
        machine: What it computes on.
        depth: Movies of a ranking that are kept.

    Raises:
        FloatingPointError: The loss is no finite number, nor are then the scores.
    """
    model.eval()
    if encoder is not None:
        encoder.eval()
    size = len(examples)
    examples, weight = share_of(examples.to(machine.device))
    counts = _counts(len(examples), batch)
    # read from the device once, at the end
    total = torch.zeros((), dtype=torch.float64, device=machine.device)
    rankings = []
    for part in examples.split(counts):
        with machine.autocast():
            vectors = sentence_vectors(encoder, part)
        logits = model(vectors, *part.inputs())  # in float32: rounded scores would tie
        targets = multi_hot(part.labels, logits.shape[1])
        total += dialogue_loss(logits, targets).double() * len(part)
        rankings.append(best_movies(logits, depth))
    total = processes.summed(total if weight else 0 * total)
    if not torch.isfinite(total):
        raise FloatingPointError("the loss is no finite number")
    return Scored(float(total) / size, processes.whole(torch.cat(rankings), size).cpu().numpy())


def best_movies(logits: Tensor, depth: int) -> Tensor:
    """What :func:`~stages.recommender.evaluation.rankings.top` gives, on the logits' device.

    Args:
        logits: Numbers all. (requests, movies) float32
        depth: How many movies to keep.

    Returns:
        (requests, depth or movies) int32
    """
    depth = min(depth, logits.shape[1])
    if not logits.is_cuda:
        # without ties there is one answer, and floats are quicker
        values, movies = logits.topk(min(depth + 1, logits.shape[1]), dim=1)
        if not (values[:, 1:] == values[:, :-1]).any():
            return movies[:, :depth].int()
    # One integer for each score and movie that sorts as both do: the bits of a float32 sort as
    # its value does once those of a negative one are turned. Distinct numbers have one order,
    # whatever the algorithm; the lower of two indices has to make the greater number.
    bits = (logits + 0.0).view(torch.int32)  # -0 becomes 0
    ascending = torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits).long()
    last = 2**32 - 1
    keys = ascending << 32 | last - torch.arange(logits.shape[1], device=logits.device)
    best = keys.topk(depth, dim=1).values
    return (last - (best & last)).int()


def _counts(examples: int, batch: int) -> list[int]:
    """How many examples each batch has."""
    return [min(batch, examples - start) for start in range(0, examples, batch)]


@torch.inference_mode()
def score_tags(
    model: RecommenderNetwork,
    encoder: SentenceEncoder | None,
    tags: TagExamples,
    batch: int,
    machine: Machine,
) -> float:
    """Mean cross-entropy of tags' movies, in evaluation mode."""
    model.eval()
    if encoder is not None:
        encoder.eval()
    total = torch.zeros((), dtype=torch.float64, device=machine.device)
    size = len(tags)
    tags, weight = share_of(tags.to(machine.device))
    for part in tags.split(_counts(len(tags), batch)):
        with machine.autocast():
            vectors = sentence_vectors(encoder, part)
        logits = model.tag_logits(vectors)
        total += tag_loss(logits, part.movies).double() * len(part)
    return float(processes.summed(total if weight else 0 * total)) / size
