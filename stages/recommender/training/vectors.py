"""Sentence vectors of a frozen encoder: computed once, kept, shared by all models."""

import hashlib
import inspect
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path
from threading import Lock

import torch
from filelock import FileLock
from joblib import cpu_count
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from tqdm import tqdm

from stages.recommender.artifacts import atomic_file, write_json
from stages.recommender.errors import UserError
from stages.recommender.modeling.encoder import EncoderSizes, SentenceEncoder
from stages.recommender.modeling.ragged import Ragged
from stages.recommender.training.determinism import Machine, within_memory

BLOCK = 256
"""Texts in a file of the cache: what a kill can lose, and what is never computed twice."""


@dataclass(frozen=True)
class FrozenEncoder:
    """An encoder that does not learn, loaded when a text has to be encoded and no sooner.

    To load one takes seconds, mostly for its library, and from the second model on the cache
    holds every vector.

    Attributes:
        identity: What tells it from any other; see :func:`encoder_identity`.
        pooling: ``mean`` or ``cls``.
        load: Gives the encoder, each time the same one, in any mode.
    """

    identity: str
    pooling: str
    load: Callable[[], SentenceEncoder]

    def sizes(self, folder: Path) -> EncoderSizes:
        """Its sizes, which the cache keeps as well.

        Args:
            folder: Of the cache.

        Raises:
            UserError: It has to be loaded and cannot be.
        """
        file = folder / f"{self.identity}.json"
        try:
            return EncoderSizes(**json.loads(file.read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError, TypeError):
            sizes = self.load().sizes
            write_json(file, asdict(sizes))
            return sizes


def frozen_vectors(
    encoder: FrozenEncoder,
    tokens: Ragged,
    machine: Machine,
    folder: Path,
    title: str,
    cut_at: str = "dialogues.max_tokens",
) -> Tensor:
    """Encode texts without gradients, a block at a time; a block that the cache holds is read.

    A text that comes again, as most tags do, is encoded once. On a CPU each core encodes blocks of
    its own in one thread, whatever ``machine.threads`` is: that is quicker than all cores on one
    block, and the vectors do not depend on how many cores there are.

    Args:
        encoder: Used in evaluation mode.
        tokens: Input ids, one sequence a text.
        machine: What to compute on; its vectors are kept apart from those of others, since last
            digits differ.
        folder: Of the cache.
        title: Of the progress bar.
        cut_at: The parameters that say how long a text may be.

    Returns:
        (texts, width) float32, on the CPU

    Raises:
        UserError: The encoder cannot be loaded, the device's memory does not suffice, or a vector
            has what is no finite number.
    """
    first, number = _distinct(tokens)
    if len(first) < len(tokens):
        tokens = tokens.take(first)
    on_cpu = machine.device.type == "cpu"
    by = str(replace(machine, threads=1) if on_cpu else machine)
    folder.mkdir(parents=True, exist_ok=True)

    def encoded(start: int) -> Tensor:
        block = tokens.take(torch.arange(start, min(start + BLOCK, len(tokens))))
        path = folder / f"{_key(encoder.identity, encoder.pooling, by, block)}.safetensors"
        with FileLock(path.with_suffix(".lock")):
            vectors = _read(path)
            if vectors is None:
                network = encoder.load().eval()
                with torch.inference_mode(), machine.autocast():
                    vectors = network(block.to(machine.device)).cpu()
                with atomic_file(path) as partial:
                    save_file({"vectors": vectors.contiguous()}, partial)
        return vectors

    starts = range(0, len(tokens), BLOCK)
    workers = ThreadPoolExecutor(cpu_count() if on_cpu else 1, initializer=_in_one_thread)
    done = workers.map(encoded, starts)
    try:
        with within_memory(cut_at):
            blocks = list(
                tqdm(done, title, len(starts), unit="block", leave=False, disable=len(starts) < 2)
            )
    finally:
        workers.shutdown(cancel_futures=True)  # who interrupts waits for no more than is begun
        torch.set_num_threads(machine.threads)  # a worker's number is taken for new threads' too
    if not blocks:
        return torch.empty(0, encoder.sizes(folder).width)
    distinct = torch.cat(blocks)
    if not torch.isfinite(distinct).all():
        rounds = machine.precision is torch.bfloat16
        other = ", or set compute.precision to float32" if rounds else ""
        raise UserError(
            "the encoder's vectors of some texts are no finite numbers; name another encoder in "
            f"section encoder{other}"
        )
    return distinct if len(distinct) == len(number) else distinct[number]


def _in_one_thread() -> None:
    torch.set_num_threads(1)


@lru_cache(maxsize=1)
def frozen_encoder(
    folder: Path, identity: str, pooling: str, device: torch.device
) -> FrozenEncoder:
    """An encoder that does not learn; all that is trained on it in this process shares it.

    Args:
        folder: Its files.
        identity: What tells it from any other; see :func:`encoder_identity`.
        pooling: ``mean`` or ``cls``.
        device: Where it computes.
    """
    lock = Lock()

    @cache
    def loaded() -> SentenceEncoder | UserError:
        try:
            # what a folder lacks is drawn: a seed that is set means the same without loading
            with torch.random.fork_rng([device] if device.type == "cuda" else []):
                return SentenceEncoder(folder, pooling, "none").to(device)
        except UserError as error:
            return error

    def load() -> SentenceEncoder:
        with lock:
            encoder = loaded()
        if isinstance(encoder, UserError):
            raise encoder  # of all that wait for it, one alone tries
        return encoder

    return FrozenEncoder(identity, pooling, load)


def _distinct(tokens: Ragged) -> tuple[Tensor, Tensor]:
    """Which texts differ.

    Returns:
        The row of each distinct text, where it first comes, (distinct,), and for each text the
        number of its like among them, (texts,).
    """
    first: list[int] = []
    numbers: dict[bytes, int] = {}
    number_of_row = []
    values, ends = tokens.values.numpy(), torch.cumsum(tokens.lengths, 0).tolist()
    for row, (start, end) in enumerate(zip([0, *ends], ends, strict=False)):
        number = numbers.setdefault(values[start:end].tobytes(), len(first))
        if number == len(first):
            first.append(row)
        number_of_row.append(number)
    return torch.tensor(first, dtype=torch.int64), torch.tensor(number_of_row, dtype=torch.int64)


def encoder_identity(folder: Path) -> str:
    """What tells an encoder's vectors from those of any other.

    The sha256 of its configuration and weights, and of the code that makes vectors by them.
    """
    digest = hashlib.sha256(version("transformers").encode())
    for part in (SentenceEncoder, Ragged):
        digest.update(Path(inspect.getfile(part)).read_bytes())
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
