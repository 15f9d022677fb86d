"""Sentence vectors of a frozen encoder: computed once, kept, shared by all models."""

import hashlib
from pathlib import Path

import torch
from filelock import FileLock
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from tqdm import tqdm

from stages.recommender.artifacts import atomic_file
from stages.recommender.modeling.encoder import SentenceEncoder
from stages.recommender.modeling.ragged import Ragged
from stages.recommender.training.determinism import Machine

BLOCK = 1_024
"""Texts in a file of the cache: what a kill can lose, and what is never computed twice."""


def frozen_vectors(
    encoder: SentenceEncoder,
    identity: str,
    tokens: Ragged,
    machine: Machine,
    cache: Path,
    title: str,
) -> Tensor:
    """Encode texts without gradients, a block at a time; a block that the cache holds is read.

    Args:
        encoder: In any mode; used in evaluation mode.
        identity: What tells the encoder from any other; see :func:`encoder_identity`.
        tokens: Input ids, one sequence a text.
        machine: What to compute on; its vectors are kept apart from those of others, since last
            digits differ.
        cache: Folder of the cache.
        title: Of the progress bar.

    Returns:
        (texts, width) float32, on the CPU
    """
    encoder.eval()
    blocks: list[Tensor] = []
    starts = range(0, len(tokens), BLOCK)
    for start in tqdm(starts, desc=title, unit="block", disable=len(starts) < 2, leave=False):
        rows = torch.arange(start, min(start + BLOCK, len(tokens)))
        block = tokens.take(rows)
        path = cache / f"{_key(identity, encoder.pooling, str(machine), block)}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            vectors = _read(path)
            if vectors is None:
                with torch.inference_mode(), machine.autocast():
                    vectors = encoder(block.to(machine.device)).cpu()
                with atomic_file(path) as partial:
                    save_file({"vectors": vectors.contiguous()}, partial)
        blocks.append(vectors)
    return torch.cat(blocks) if blocks else torch.empty(0, encoder.width)


def encoder_identity(folder: Path) -> str:
    """What tells an encoder from any other: the sha256 of its configuration and weights."""
    digest = hashlib.sha256()
    for name in ("config.json", "model.safetensors"):
        with (folder / name).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _read(path: Path) -> Tensor | None:
    try:
        return load_file(path)["vectors"]
    except (FileNotFoundError, SafetensorError, KeyError):
        return None


def _key(identity: str, pooling: str, machine: str, block: Ragged) -> str:
    digest = hashlib.sha256()
    for part in (identity, pooling, machine):
        digest.update(part.encode() + b"\0")
    digest.update(block.lengths.numpy().tobytes())
    digest.update(block.values.numpy().tobytes())
    return digest.hexdigest()
