"""What was tried to make training and evaluation faster, and what each change gives by itself.

Run as ``python -m tests.benchmarks.tried`` where ``data/`` holds the real corpus. Each line is
one operation the plain way and the other way, with whether it was kept.
"""

import ctypes
import os
import shutil
from collections.abc import Callable
from typing import Any

import pyarrow.parquet as pq
import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence

from stages.recommender.evaluation.rankings import top
from stages.recommender.modeling import encoder as encoder_module
from stages.recommender.modeling.dropout import attention, draws, kept
from stages.recommender.modeling.encoder import SentenceEncoder
from stages.recommender.modeling.mentions import MentionNetwork
from stages.recommender.modeling.ragged import Ragged
from stages.recommender.params import Compute
from stages.recommender.training.allocation import keep_freed_memory
from stages.recommender.training.batches import DialogueExamples, batches_of, dialogue_batches
from stages.recommender.training.determinism import Machine, prepare
from stages.recommender.training.scoring import best_movies
from tests.benchmarks import common

Both = tuple[Callable[[], object], Callable[[], object]]


def mention_network(machine: Machine) -> Both:
    """Forward and backward, batch 32: torch's packed GRU; the gradient written out."""
    network = MentionNetwork(common.movies(), common.MODEL.mentions)
    dialogues = DialogueExamples.from_table(common.examples("train").slice(0, 32))
    mentions = dialogues.mentions
    some = mentions.lengths.nonzero()[:, 0]
    present = mentions.take(some)
    lengths = present.lengths.clamp(max=network.most)

    def packed() -> None:
        network.zero_grad()
        steps = network.embedding(present.padded(network.padding, int(lengths.max())))
        network.gru(pack_padded_sequence(steps, lengths, batch_first=True, enforce_sorted=False))[
            1
        ].sum().backward()

    def ours() -> None:
        network.zero_grad()
        network(mentions).sum().backward()

    return packed, ours


def dropping(machine: Machine) -> Both:
    """Which of 3,510,000 elements are kept, a chunk's attention weights: torch's draws; SFC64's."""
    weights = torch.empty(13 * 12, 150, 150)
    return lambda: weights.bernoulli_(0.9), lambda: kept(draws(weights.shape), 0.1)


def attending(machine: Machine) -> Both:
    """Forward and backward of 13 texts' attention with dropout: torch's; gradient written out."""
    inputs = [torch.randn(13, 12, 150, 32, requires_grad=True) for _ in range(3)]
    mask = torch.ones(13, 1, 1, 150, dtype=torch.bool)

    def torchs() -> None:
        functional.scaled_dot_product_attention(*inputs, mask, dropout_p=0.1).sum().backward()

    def ours() -> None:
        attention(torch.nn.Module(), *inputs, mask, 0.1, 32**-0.5)[0].sum().backward()

    return torchs, ours


def looking_up(machine: Machine) -> Both:
    """Forward and backward of 32 requests' token embeddings: chunk by chunk; for all chunks."""
    encoder = _trained("all")
    table = encoder.transformer.get_input_embeddings()
    texts = _requests(32)
    order = torch.argsort(texts.lengths, stable=True)
    chunks = list(encoder._chunks(texts, order))

    def each() -> None:
        table.zero_grad()
        read = [table(texts.take(rows).padded(0)) for rows in chunks]
        torch.stack([vectors.sum() for vectors in read]).sum().backward()

    def once() -> None:
        table.zero_grad()
        looked_up = table(texts.values)
        places = Ragged(torch.arange(len(texts.values)), texts.lengths)
        read = [functional.embedding(places.take(rows).padded(0), looked_up) for rows in chunks]
        torch.stack([vectors.sum() for vectors in read]).sum().backward()

    return each, once


def freed_memory(machine: Machine) -> Both:
    """Forward and backward of 32 requests: freed memory given back to the system; kept."""
    encoder = _trained("all")
    texts = _requests(32)
    mallopt = ctypes.CDLL(None).mallopt

    def given_back() -> None:
        # what glibc comes to by itself: it maps pieces larger than any that was freed, at most
        # 32 MiB, and trims what is free beyond twice that
        mallopt(-3, 32 * 2**20)
        mallopt(-1, 64 * 2**20)
        _learn(encoder, texts)

    def stays() -> None:
        keep_freed_memory()
        _learn(encoder, texts)

    return given_back, stays


def padding(longest: int | None) -> Callable[[Machine], Both]:
    """Forward and backward of 32 requests: padded to ``longest``; each chunk to its own longest."""

    def both(machine: Machine) -> Both:
        encoder = _trained("all")
        texts = _requests(32)
        width = longest or int(texts.lengths.max())

        def together() -> None:
            encoder.zero_grad()
            encoder.encode(texts.padded(0, width), texts.sizes).sum().backward()

        return together, lambda: _learn(encoder, texts)

    return both


def one_pass(machine: Machine) -> Both:
    """Forward and backward of 32 requests and 64 tags: one after the other; in one batch."""
    encoder = _trained("all")
    requests, tags = _requests(32), _tags(64)
    both = Ragged.concatenate([requests, tags])

    def two() -> None:
        encoder.zero_grad()
        (encoder(requests).sum() + encoder(tags).sum()).backward()

    return two, lambda: _learn(encoder, both)


def upper_layers(machine: Machine) -> Both:
    """Forward and backward of 32 requests: all layers learn; the last two."""
    every, last = _trained("all"), _trained(2)
    texts = _requests(32)
    return lambda: _learn(every, texts), lambda: _learn(last, texts)


def cached_layers(machine: Machine) -> Both:
    """The last two layers learn, 8 requests: through the others; from what these gave before."""
    encoder = _trained(2)
    texts = _requests(8)
    ids, lengths = encoder.padded(texts)
    mask = (torch.arange(ids.shape[1]) < lengths[:, None])[:, None, None, :]
    given: list[Tensor] = []
    last = encoder.transformer.encoder.layer[-2:]
    hook = last[0].register_forward_pre_hook(lambda _, inputs: given.append(inputs[0].detach()))
    with torch.no_grad():
        encoder.encode(ids, lengths)
    hook.remove()

    def through_all() -> None:
        encoder.zero_grad()
        encoder.encode(ids, lengths).sum().backward()

    def from_cached() -> None:
        encoder.zero_grad()
        hidden = given[0]  # (requests, longest, width)
        for layer in last:
            found = layer(hidden, mask)
            hidden = found[0] if isinstance(found, tuple) else found
        hidden.sum().backward()

    return through_all, from_cached


def compiled(machine: Machine) -> Both:
    """Forward and backward of 32 requests: as the library has it; by ``torch.compile``."""
    plain, quick = _trained("all"), _trained("all")
    quick.transformer = torch.compile(quick.transformer, dynamic=True)
    texts = _requests(32)
    return lambda: _learn(plain, texts), lambda: _learn(quick, texts)


def columns(machine: Machine) -> Both:
    """The training examples' input ids as tensors: by lists of Python; from Arrow's buffers."""
    column = common.examples("train")["input_ids"]

    def lists() -> None:
        every = column.to_pylist()
        torch.tensor([each for ids in every for each in ids])
        torch.tensor([len(ids) for ids in every])

    return lists, lambda: Ragged.from_column(column)


def fused_step(machine: Machine) -> Both:
    """AdamW on two tables: torch's plain one; the fused one."""

    def step(fused: bool) -> Callable[[], object]:
        tables = [torch.nn.Parameter(torch.randn(common.movies(), 256)) for _ in range(2)]
        for table in tables:
            table.grad = torch.randn_like(table)
        return torch.optim.AdamW(tables, fused=fused, foreach=False).step

    return step(False), step(True)


def _trained(layers: int | str) -> SentenceEncoder:
    return SentenceEncoder(common.DATA / "encoder", "mean", layers).train()


def _requests(count: int) -> Ragged:
    return DialogueExamples.from_table(common.examples("train").slice(0, count)).tokens


def _tags(count: int) -> Ragged:
    table = pq.read_table(common.DATA / "tags" / "train.parquet").slice(0, count)
    return Ragged.from_column(table["input_ids"])


def _learn(encoder: SentenceEncoder, texts: Ragged) -> None:
    encoder.zero_grad()
    encoder(texts).sum().backward()


def batches(machine: Machine) -> Both:
    """The 280 batches of an epoch: each taken at its rows; many laid out at once."""
    dialogues = DialogueExamples.from_table(common.examples("train"))
    rows = dialogue_batches(len(dialogues), 32, 42, 0)
    return lambda: [dialogues.take(each) for each in rows], lambda: list(
        batches_of(dialogues, rows)
    )


def seeding(machine: Machine) -> Both:
    """Seeding dropout before a step: every device there might be; this one."""
    return lambda: torch.manual_seed(1), lambda: machine.seed(1)


def clipping(machine: Machine) -> Both:
    """Clipping two tables and AdamW: gradients scaled first; scaled by the fused step."""
    tables = [torch.nn.Parameter(torch.randn(common.movies(), 256)) for _ in range(2)]
    for table in tables:
        table.grad = torch.randn_like(table)
    optimizer = torch.optim.AdamW(tables, fused=True)

    def scaled_first() -> None:
        optimizer.grad_scale = None  # type: ignore[attr-defined]
        torch.nn.utils.clip_grad_norm_(tables, 1.0)
        optimizer.step()

    def scaled_within() -> None:
        norm = torch.nn.utils.get_total_norm([t.grad for t in tables if t.grad is not None])
        optimizer.grad_scale = (norm + 1e-6).clamp(min=1.0)  # type: ignore[attr-defined]
        optimizer.step()

    return scaled_first, scaled_within


def ranking(machine: Machine) -> Both:
    """The best 10 of 64 requests: sorting keys in numpy; choosing them in torch."""
    logits = torch.randn(64, common.movies())
    return lambda: top(logits.numpy(), 10), lambda: best_movies(logits, 10)


def repeated_texts(machine: Machine) -> Both:
    """Sentence vectors of 2,048 tags: each text; each distinct text."""
    encoder = SentenceEncoder(common.DATA / "encoder", "mean", "none").eval()
    table = pq.read_table(common.DATA / "tags" / "train.parquet").slice(0, 2048)
    tokens = Ragged.from_column(table["input_ids"])
    rows = {bytes(str(ids), "ascii"): row for row, ids in enumerate(table["input_ids"].to_pylist())}
    distinct = tokens.take(torch.tensor(sorted(rows.values())))

    def encode(texts: Ragged) -> Tensor:
        with torch.inference_mode():
            vectors: Tensor = encoder(texts)
        return vectors

    return lambda: encode(tokens), lambda: encode(distinct)


def sparse_loss(machine: Machine) -> Both:
    """Weighted cross-entropy, forward and backward: multi-hot; softplus and the positives."""
    logits = torch.randn(32, common.movies(), requires_grad=True)
    labels = DialogueExamples.from_table(common.examples("train").slice(0, 32)).labels
    targets = torch.zeros(32, common.movies())
    targets[labels.rows(), labels.values] = 1
    rows = labels.rows()

    def dense() -> None:
        logits.grad = None
        common.OBJECTIVE.dialogue_loss(logits, targets).backward()

    def sparse() -> None:
        logits.grad = None
        positive = logits[rows, labels.values]
        extra = common.POS_WEIGHT * functional.softplus(-positive) - functional.softplus(positive)
        ((functional.softplus(logits).sum() + extra.sum()) / logits.numel()).backward()

    return dense, sparse


def transposed_head(machine: Machine) -> Both:
    """The last layer's logits of 32 requests: weights by movie; weights transposed."""
    weight, inputs = torch.randn(common.movies(), 256), torch.randn(32, 256)
    other = weight.t().contiguous()
    return lambda: inputs @ weight.t(), lambda: inputs @ other


def _chunks(tokens: int) -> Callable[[Machine], Both]:
    def both(machine: Machine) -> Both:
        encoder = SentenceEncoder(common.DATA / "encoder", "mean", "none").eval()
        texts = DialogueExamples.from_table(common.examples("train").slice(0, 256)).tokens

        def encode(most: int) -> None:
            usual, encoder_module.CHUNK_TOKENS = encoder_module.CHUNK_TOKENS, most
            with torch.inference_mode():
                encoder(texts)
            encoder_module.CHUNK_TOKENS = usual

        return lambda: encode(encoder_module.CHUNK_TOKENS), lambda: encode(tokens)

    return both


def bfloat16(machine: Machine) -> Both:
    """Sentence vectors of 64 requests: float32; bfloat16."""
    encoder = SentenceEncoder(common.DATA / "encoder", "mean", "none").eval()
    texts = DialogueExamples.from_table(common.examples("train").slice(0, 64)).tokens

    def encode(enabled: bool) -> None:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            encoder(texts)

    return lambda: encode(False), lambda: encode(True)


TRIED: list[tuple[str, str, Callable[[Machine], Both]]] = [
    ("mention network: both directions together, gradient written out", "kept", mention_network),
    ("dropout by a quicker generator, four elements a draw", "kept", dropping),
    ("attention with dropout: gradient written out", "kept", attending),
    ("tokens looked up for all chunks at once", "kept", looking_up),
    ("freed memory kept for the next step", "kept", freed_memory),
    ("batches padded to 512 tokens; to their neighbours", "kept", padding(512)),
    ("batches padded to their longest; to their neighbours", "kept", padding(None)),
    ("examples by lists of Python; from Arrow's buffers", "kept", columns),
    ("64 batches laid out at once", "kept", batches),
    ("only this device's draws seeded", "kept", seeding),
    ("AdamW fused", "kept", fused_step),
    ("gradients clipped within the fused step", "kept", clipping),
    ("top 10 chosen beside the scores", "kept", ranking),
    ("texts that come again encoded once (tags)", "kept", repeated_texts),
    ("loss from the positives instead of the multi-hot", "left out", sparse_loss),
    ("last layer's weights transposed", "left out", transposed_head),
    ("tags and dialogues in one pass of the encoder", "left out", one_pass),
    ("torch.compile of the encoder (after compiling)", "left out", compiled),
    ("lower layers' output cached, two layers trained", "left out", cached_layers),
    ("encoder chunks of 1,024 tokens for 2,048", "left out", _chunks(1_024)),
    ("encoder chunks of 8,192 tokens for 2,048", "left out", _chunks(8_192)),
    ("the last two layers trained, not all", "a parameter", upper_layers),
    ("bfloat16 on this processor", "a parameter", bfloat16),
]


def main() -> None:
    """Measure each and write the table."""
    machine = prepare(Compute(device="cpu", threads=2, precision="float32"))
    rows: list[dict[str, Any]] = []
    for what, verdict, make in TRIED:
        if make is compiled and not shutil.which(os.environ.get("CXX", "g++")):
            print(f"not measured without a C++ compiler: {what}")
            continue
        before, after = (1e3 * common.median_seconds(each, 5, warm=2) for each in make(machine))
        rows.append(
            {
                "what": what,
                "before, ms": f"{before:.3f}",
                "after, ms": f"{after:.3f}",
                "times": f"{before / after:.2f}",
                "": verdict,
            }
        )
    common.write("tried", {"machine": common.machine_name("cpu")}, rows)


if __name__ == "__main__":
    main()
