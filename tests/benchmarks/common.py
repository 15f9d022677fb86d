"""What the benchmarks share: examples and models, timing, a process of its own for each part."""

import json
import multiprocessing
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from tabulate import tabulate

from stages.recommender.modeling.losses import TRAINERS
from stages.recommender.modeling.variants import VARIANTS, OneShotRecommender
from stages.recommender.params import Focal, Loss, Mentions, Model, Training
from stages.recommender.training.batches import DialogueExamples, TagExamples
from stages.recommender.training.loop import Trainee

RESULTS = Path("docs/benchmarks")
DATA = Path(os.environ.get("BENCHMARK_DATA", "data")).absolute()
"""Of the real corpus."""
POS_WEIGHT = 1200.0
# the notebook's hyperparameters, which are the committed ones
MODEL = Model(
    pooling="mean",
    hidden_size=256,
    dropout=0.1,
    mentions=Mentions(max=20, embedding_size=256, hidden_size=128, reads_padding=False),
)
TRAINING = Training(
    trainable_layers="all",
    encoder_learning_rate=2e-5,
    head_learning_rate=2e-5,
    epochs=20,
    dialogue_batch=32,
    tag_batch=64,
    warmup_fraction=0.1,
    weight_decay=0.01,
    max_gradient_norm=1.0,
    seed=42,
    repeats=1,
)
LOSS = Loss(
    reduction="mean",
    pos_weight=POS_WEIGHT,
    tag_weight=0.001,
    focal=Focal(enabled=False, alpha=1.0, gamma=2.0),
)
OBJECTIVE = TRAINERS["weighted"](LOSS, 1, 1.0)


def examples(split: str, reading: str = "whole") -> pa.Table:
    """Examples that ``tokenize_dialogues`` has made."""
    return pq.read_table(DATA / "examples" / reading / f"{split}.parquet")


def movies() -> int:
    """Size of the catalogue."""
    return pq.read_metadata(DATA / "movies.parquet").num_rows


def frozen_trainee(variant: str, count: int, dialogues: DialogueExamples) -> Trainee:
    """A model on a frozen encoder whose sentence vectors are random: it trains at the same pace.

    Args:
        variant: Of the weighted trainer.
        count: Size of the catalogue.
        dialogues: To train on, and to evaluate.
    """
    generator = torch.Generator().manual_seed(1)
    dialogues = dialogues.with_vectors(torch.randn(len(dialogues), 384, generator=generator))
    tags = None
    if VARIANTS[variant].learns_tags:
        tags = TagExamples.from_table(pq.read_table(DATA / "tags" / "train.parquet"))
        tags = tags.with_vectors(torch.randn(len(tags), 384, generator=generator))
    torch.manual_seed(42)
    model = OneShotRecommender(VARIANTS[variant], 384, count, MODEL)
    return Trainee(model, None, None, None, dialogues, dialogues, tags, OBJECTIVE, 64)


def median_seconds(
    function: Callable[[], object], times: int, device: torch.device | None = None, warm: int = 1
) -> float:
    """The median time of a call, after ``warm`` calls that do not count."""
    taken = []
    for number in range(warm + times):
        wait(device)
        started = time.perf_counter()
        function()
        wait(device)
        if number >= warm:
            taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def wait(device: torch.device | None) -> None:
    """Until a GPU has done what it was told."""
    if device is not None and device.type == "cuda":
        torch.cuda.synchronize(device)


def in_own_process(function: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """What a function returns in a new process, and the most memory that this took, in GiB."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_with_memory, function, arguments).result()


def _with_memory(function: Callable[..., dict[str, Any]], arguments: Any) -> dict[str, Any]:
    found = function(*arguments)
    return found | {"memory_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}


def machine_name(device: str) -> str:
    """What the figures were measured on."""
    if device == "cuda":
        return f"{torch.cuda.get_device_name()}, torch {torch.__version__}"
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return f"{model}, {torch.get_num_threads()} threads, torch {torch.__version__}"


def computes_in_bfloat16() -> bool:
    """Whether this processor has instructions for it; any can be asked to."""
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def write(name: str, content: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    """Results as JSON, and as a table for people, in ``docs/benchmarks``."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content | {"rows": rows}, indent=2, ensure_ascii=False)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    table = tabulate(rows, headers="keys", tablefmt="simple", disable_numparse=True)
    (RESULTS / f"{name}.txt").write_text(table + "\n", encoding="utf-8")
    print(table)
    sys.stdout.flush()
