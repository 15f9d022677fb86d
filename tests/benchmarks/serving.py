"""How long a trained model takes to load and to answer.

Run as ``python -m tests.benchmarks.serving MODELS`` with a folder of trained models; ``MODELS``
holds, beside others, those that are measured.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import torch

from stages.recommender.serving.recommender import Recommender, Request, _tokens
from stages.recommender.serving.web_examples import EXAMPLE_REQUESTS
from tests.benchmarks import common
from tests.benchmarks.preparation import run

MEASURED = ("weighted-baseline", "weighted-rnn-multitask", "softmax-gate")
TIMES = 20


def loading(folder: Path) -> dict[str, Any]:
    """Seconds that a process which has imported all that it needs takes to load a model."""
    started = time.perf_counter()
    Recommender.load(folder)
    return {"load_seconds": time.perf_counter() - started}


def answering(folder: Path) -> dict[str, Any]:
    """Milliseconds of a request, of the encoder in it, and of each of 64 requests at once."""
    torch.set_num_threads(2)
    recommender = Recommender.load(folder)

    def each() -> None:
        for text in EXAMPLE_REQUESTS:
            recommender.recommend(text)

    @torch.inference_mode()
    def encoded() -> None:
        for text in EXAMPLE_REQUESTS:
            recommender._encoder(_tokens(recommender._tokenizer, [text]))

    many = [Request(EXAMPLE_REQUESTS[row % len(EXAMPLE_REQUESTS)]) for row in range(64)]
    return {
        "request_ms": _milliseconds(each) / len(EXAMPLE_REQUESTS),
        "encoder_ms": _milliseconds(encoded) / len(EXAMPLE_REQUESTS),
        "of_64_ms": _milliseconds(lambda: recommender.recommend_batch(many)) / len(many),
    }


def _milliseconds(function: Any) -> float:
    return 1e3 * common.median_seconds(function, TIMES, warm=3)


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
                "each of 64 at once, ms": f"{found['of_64_ms']:.1f}",
            }
        )
    common.write("serving", {"machine": common.machine_name("cpu"), "models": content}, rows)


if __name__ == "__main__":
    main()
