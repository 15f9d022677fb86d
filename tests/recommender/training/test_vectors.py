import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from stages.recommender.errors import UserError
from stages.recommender.modeling.encoder import SentenceEncoder
from stages.recommender.modeling.ragged import Ragged
from stages.recommender.training import vectors as vectors_module
from stages.recommender.training.determinism import Machine
from stages.recommender.training.vectors import (
    FrozenEncoder,
    encoder_identity,
    frozen_encoder,
    frozen_vectors,
)

CPU = Machine(torch.device("cpu"), 1, torch.float32)
LENGTHS = [3, 1, 9, 2, 30, 4, 4, 17, 2, 5]
TOKENS = Ragged(torch.arange(sum(LENGTHS)) % 35 + 5, torch.tensor(LENGTHS))
BLOCKS = 4  # of three texts, the last of one


@pytest.fixture(autouse=True)
def blocks_of_three(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors_module, "BLOCK", 3)


@dataclass
class Cache:
    """Vectors through a cache, and how many texts were encoded for them."""

    folder: Path
    encoder: SentenceEncoder
    encoded: list[int] = field(default_factory=list)
    loads: int = 0

    def __post_init__(self) -> None:
        self.encoder.register_forward_hook(lambda _, given, __: self.encoded.append(len(given[0])))

    def frozen(self, identity: str = "an encoder") -> FrozenEncoder:
        return FrozenEncoder(identity, self.encoder.pooling, self.load)

    def load(self) -> SentenceEncoder:
        self.loads += 1
        return self.encoder

    def vectors(
        self, tokens: Ragged = TOKENS, identity: str = "an encoder", machine: Machine = CPU
    ) -> Tensor:
        self.encoded.clear()
        return frozen_vectors(self.frozen(identity), tokens, machine, self.folder, "vectors")

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.folder.glob("*.safetensors")}


@pytest.fixture
def cache(tmp_path: Path, tiny_encoder: Path) -> Cache:
    return Cache(tmp_path / "cache", SentenceEncoder(tiny_encoder, "mean", "none"))


def test_vectors_are_the_encoders_in_evaluation_mode(cache: Cache) -> None:
    cache.encoder.train()
    vectors = cache.vectors()
    assert sorted(cache.encoded) == [1, 3, 3, 3]
    assert vectors.shape == (10, 16)
    assert vectors.dtype is torch.float32
    assert not vectors.requires_grad
    torch.testing.assert_close(vectors, cache.encoder.eval()(TOKENS))


def test_a_block_that_is_kept_is_read_and_gives_the_same_bytes(cache: Cache) -> None:
    first = cache.vectors()
    files = cache.files()
    assert len(files) == BLOCKS
    again = cache.vectors()
    assert cache.encoded == []
    assert again.numpy().tobytes() == first.numpy().tobytes()
    assert cache.files() == files
    # training may change what it is given
    assert (again + torch.ones(16, requires_grad=True)).sum().requires_grad


def test_nothing_is_loaded_where_all_is_kept(cache: Cache) -> None:
    cache.vectors()
    sizes = cache.frozen().sizes(cache.folder)
    assert cache.loads > 0
    assert (sizes.width, sizes.vocabulary) == (16, cache.encoder.transformer.config.vocab_size)
    assert sizes.parameters == sum(len(p.flatten()) for p in cache.encoder.parameters())
    cache.loads = 0
    cache.vectors()
    assert cache.frozen().sizes(cache.folder) == sizes
    assert cache.loads == 0
    (cache.folder / "an encoder.json").write_text('{"width": 16', encoding="utf-8")  # damaged
    assert cache.frozen().sizes(cache.folder) == sizes
    assert cache.loads == 1


def test_to_load_an_encoder_draws_no_random_number(tiny_encoder: Path) -> None:
    encoder = frozen_encoder(tiny_encoder, "an encoder", "mean", CPU.device)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = encoder.load()
    assert torch.equal(torch.rand(3), expected)
    assert encoder.load() is first


def test_blocks_are_shared_by_texts_that_begin_alike(cache: Cache) -> None:
    cache.vectors(TOKENS.take(torch.arange(6)))
    cache.vectors(TOKENS.take(torch.arange(8)))
    assert cache.encoded == [2]


@pytest.mark.parametrize("how", ["empty", "half", "text", "zeros", "other tensors"])
def test_a_damaged_block_is_computed_again(cache: Cache, how: str) -> None:
    first = cache.vectors()
    files = cache.files()
    damaged = cache.folder / max(files)
    content = damaged.read_bytes()
    match how:
        case "empty":
            damaged.write_bytes(b"")
        case "half":
            damaged.write_bytes(content[: len(content) // 2])
        case "text":
            damaged.write_text("no vectors here", encoding="utf-8")
        case "zeros":
            damaged.write_bytes(bytes(len(content)))
        case "other tensors":
            save_file({"other": torch.zeros(1)}, damaged)
    assert torch.equal(cache.vectors(), first)
    assert len(cache.encoded) == 1
    assert cache.files() == files


def test_a_half_written_block_beside_it_does_not_matter(cache: Cache) -> None:
    first = cache.vectors()
    (cache.folder / f".{max(cache.files())}.1234.partial").write_bytes(b"half")
    assert torch.equal(cache.vectors(), first)
    assert cache.encoded == []


def other_pooling(cache: Cache) -> None:
    cache.encoder.pooling = "cls"
    cache.vectors()


OTHERS: dict[str, Callable[[Cache], object]] = {
    "encoder": lambda cache: cache.vectors(identity="another encoder"),
    "precision": lambda cache: cache.vectors(machine=Machine(CPU.device, 1, torch.bfloat16)),
    "pooling": other_pooling,
    "bounds": lambda cache: cache.vectors(Ragged(TOKENS.values, TOKENS.lengths.flip(0))),
    "tokens": lambda cache: cache.vectors(Ragged(TOKENS.values + 1, TOKENS.lengths)),
}


@pytest.mark.parametrize("what", OTHERS)
def test_other_vectors_have_other_keys(cache: Cache, what: str) -> None:
    cache.vectors()
    OTHERS[what](cache)
    assert sum(cache.encoded) == len(TOKENS)
    assert len(cache.files()) == 2 * BLOCKS


@pytest.mark.parametrize("cores", [1, 3])
def test_threads_and_cores_change_nothing(
    cache: Cache, monkeypatch: pytest.MonkeyPatch, cores: int
) -> None:
    first = cache.vectors()
    two = Machine(CPU.device, 2, torch.float32)
    torch.set_num_threads(two.threads)
    monkeypatch.setattr(vectors_module, "cpu_count", lambda: cores)
    assert torch.equal(cache.vectors(machine=two), first)
    assert cache.encoded == []
    other = frozen_vectors(cache.frozen(), TOKENS, two, cache.folder / "new", "")
    assert other.numpy().tobytes() == first.numpy().tobytes()
    assert torch.get_num_threads() == 2


def test_no_texts_give_no_vectors(cache: Cache) -> None:
    nothing = Ragged(torch.empty(0, dtype=torch.int64), torch.empty(0, dtype=torch.int64))
    assert cache.vectors(nothing).shape == (0, 16)


def test_a_kill_keeps_the_blocks_that_are_done(cache: Cache) -> None:
    child = os.fork()
    if not child:
        # as a block is begun after two or more are computed, which is the fourth at the latest:
        # two cores leave no more than one other unfinished then
        cache.encoder.register_forward_pre_hook(
            lambda *_: os.kill(os.getpid(), signal.SIGKILL) if len(cache.encoded) >= 2 else None
        )
        torch.set_num_threads(1)
        cache.vectors()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
    # the other core may have been about to write its block
    kept = len(cache.files())
    assert kept in {1, 2, 3}
    vectors = cache.vectors()
    assert sum(cache.encoded) == len(TOKENS) - 3 * kept
    torch.testing.assert_close(vectors, cache.encoder(TOKENS))


def test_an_interruption_waits_for_no_more_than_is_begun(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> list[Tensor]:
        raise KeyboardInterrupt

    monkeypatch.setattr(vectors_module, "cpu_count", lambda: 1)
    monkeypatch.setattr(vectors_module, "tqdm", interrupted)
    cache.encoder.register_forward_pre_hook(lambda *_: time.sleep(0.3))
    torch.set_num_threads(2)
    with pytest.raises(KeyboardInterrupt):
        cache.vectors(machine=Machine(CPU.device, 2, torch.float32))
    assert len(cache.encoded) < BLOCKS
    assert torch.get_num_threads() == 2


def test_two_at_once_compute_each_block_once(cache: Cache) -> None:
    def encode(_: int) -> Tensor:
        return frozen_vectors(cache.frozen(), TOKENS, CPU, cache.folder, "vectors")

    with ThreadPoolExecutor(2) as workers:
        one, other = workers.map(encode, range(2))
    assert sorted(cache.encoded) == [1, 3, 3, 3]
    assert torch.equal(one, other)


def test_an_encoder_is_known_by_configuration_and_weights(
    tiny_encoder: Path, tmp_path: Path
) -> None:
    copies = [tmp_path / name for name in ("same", "other weights", "other configuration")]
    for copy in copies:
        shutil.copytree(tiny_encoder, copy)
    (copies[0] / "manifest.json").write_text("{}", encoding="utf-8")
    weights = copies[1] / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    config = json.loads((copies[2] / "config.json").read_text(encoding="utf-8"))
    config["num_attention_heads"] = 1
    (copies[2] / "config.json").write_text(json.dumps(config), encoding="utf-8")
    identities = [encoder_identity(folder) for folder in (tiny_encoder, *copies)]
    assert identities[0] == identities[1]
    assert len(set(identities)) == 3


def test_vectors_that_are_no_numbers_are_told(cache: Cache) -> None:
    with torch.no_grad():
        cache.encoder.transformer.embeddings.LayerNorm.bias.fill_(torch.nan)
    told = "no finite numbers; name another encoder in section encoder$"
    with pytest.raises(UserError, match=told):
        cache.vectors(TOKENS)


def test_want_of_memory_names_where_its_texts_are_cut(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raising(*_: object) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(SentenceEncoder, "forward", raising)
    for given, told in ([], "dialogues.max_tokens"), (["tags.max_tokens"], "tags.max_tokens"):
        with pytest.raises(UserError, match=f"lower {told}, end"):
            frozen_vectors(cache.frozen(), TOKENS, CPU, cache.folder, "", *given)


def test_a_text_that_comes_again_is_encoded_once(cache: Cache) -> None:
    rows = torch.tensor([3, 0, 3, 4, 0, 9])
    vectors = cache.vectors(TOKENS.take(rows))
    assert sorted(cache.encoded) == [1, 3]  # texts 3, 0, 4 and 9
    torch.testing.assert_close(vectors, cache.encoder.eval()(TOKENS)[rows])
