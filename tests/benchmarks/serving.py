"""How long a trained model takes to load and to answer.

Run as ``python -m tests.benchmarks.serving MODELS`` with a folder of trained models; ``MODELS``
holds, beside others, those that are measured.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stages.recommender.modeling.ragged import Ragged
from stages.recommender.serving.recommender import Recommender, Request
from stages.recommender.serving.web_examples import EXAMPLE_REQUESTS
from tests.benchmarks import common
from tests.benchmarks.preparation import run

MEASURED = ("weighted-baseline", "weighted-rnn-multitask", "softmax-gate")
TIMES = 20
WARM = 3
"""Rounds before, whose time is not taken."""


def loading(folder: Path) -> dict[str, Any]:
    """Seconds that a process which has imported all that it needs takes to load a model."""
    started = time.perf_counter()
    Recommender.load(folder)
    return {"load_seconds": time.perf_counter() - started}


def answering(folder: Path) -> dict[str, Any]:
    """Milliseconds of a request, of the encoder in it, and of each of 64 requests at once."""
    torch.set_num_threads(2)
    recommender = Recommender.load(folder)
    encoder, encoding = recommender._encoder, Stopwatch()
    # within the same requests: this machine's speed changes from one second to the next
    recommender._encoder = encoding.timing(encoder)  # type: ignore[assignment]
    requests, encoders = [], []
    for _ in range(WARM + TIMES):
        encoding.seconds = 0.0
        started = time.perf_counter()
        for text in EXAMPLE_REQUESTS:
            recommender.recommend(text)
        requests.append(time.perf_counter() - started)
        encoders.append(encoding.seconds)
    beyond = [request - inside for request, inside in zip(requests, encoders, strict=True)]
    many = [Request(EXAMPLE_REQUESTS[row % len(EXAMPLE_REQUESTS)]) for row in range(64)]
    seconds = common.median_seconds(lambda: recommender.recommend_batch(many), TIMES, warm=WARM)
    return {
        "request_ms": _milliseconds(requests),
        "encoder_ms": _milliseconds(encoders),
        "beyond_ms": _milliseconds(beyond),
        "of_64_ms": 1e3 * seconds / len(many),
    }


class Stopwatch:
    """Adds up the time that calls of a function take."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def timing(self, function: Callable[[Ragged], Tensor]) -> Callable[[Ragged], Tensor]:
        """The function, its time taken."""

        def timed(tokens: Ragged) -> Tensor:
            started = time.perf_counter()
            result = function(tokens)
            self.seconds += time.perf_counter() - started
            return result

        return timed


def _milliseconds(rounds: list[float]) -> float:
    """Of one request: the median of the rounds after warming up, each over all example requests."""
    return 1e3 * statistics.median(rounds[WARM:]) / len(EXAMPLE_REQUESTS)


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=Path)
    models: Path = parser.parse_args().models
    rows, content = [], {}
    for name in MEASURED:
        folder = (models / name).absolute()
        load = f"""if True:
            from stages.recommender.serving.recommender import Recommender
            from pathlib import Path
            Recommender.load(Path({str(folder)!r}))"""
        seconds, memory = run([sys.executable, "-c", load], Path.cwd())
        loaded = common.in_own_process(loading, folder)["load_seconds"]
        found = common.in_own_process(answering, folder)
        started = {"start_seconds": seconds, "start_memory_gib": memory, "load_seconds": loaded}
        content[name] = started | found
        rows.append(
            {
                "model": name,
                "start and load, s": f"{seconds:.1f}",
                "of it the load, s": f"{loaded:.1f}",
                "a request, ms": f"{found['request_ms']:.1f}",
                "of it the encoder, ms": f"{found['encoder_ms']:.1f}",
                "beyond it, ms": f"{found['beyond_ms']:.1f}",
                "each of 64 at once, ms": f"{found['of_64_ms']:.1f}",
            }
        )
    common.write("serving", {"machine": common.machine_name("cpu"), "models": content}, rows)


if __name__ == "__main__":
    main()
