"""Many clients at once for a while: ``make load``.

    python tests/load_api.py models --clients 50 --seconds 60

serves the models of a folder in a process of its own, and lets each client ask, wait for the
answer, and ask again. ``docs/results/serving/load.json`` then says how many requests were
answered, how many failed, how long answers took, and what memory the server held over the time.
"""

import argparse
import asyncio
import itertools
import json
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import psutil

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from stages.recommender import artifacts  # noqa: E402
from stages.recommender.serving.web_examples import EXAMPLE_REQUESTS  # noqa: E402

TARGET = ROOT / "docs" / "results" / "serving" / "load.json"
_SERVE = """
import sys
from pathlib import Path
from stages.recommender.serving.web import serve
serve(Path(sys.argv[1]), "127.0.0.1", 0, requests_per_minute=10**9)
"""
_SAMPLE_SECONDS = 0.5
_MEBIBYTE = 2**20


@contextmanager
def serving(models: Path) -> Iterator[tuple[str, psutil.Process]]:
    """A server in a process of its own, without a limit of rate: its address and process."""
    command = [sys.executable, "-c", _SERVE, str(models.resolve())]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            address = server.stdout.readline().split(" at ")[1].split()[0].rstrip("/")
            yield address, psutil.Process(server.pid)
        finally:
            server.terminate()


async def load(
    address: str, process: psutil.Process, clients: int, seconds: float
) -> dict[str, Any]:
    """Ask for a while; what came of it.

    Args:
        address: Of the server.
        process: Whose memory is watched.
        clients: That ask at the same time, each again as soon as it is answered.
        seconds: After a first fifth of that, in which the server may still fill its pools.
    """
    latencies: list[float] = []
    failures: list[str] = []
    memory: list[float] = []
    texts = itertools.cycle(EXAMPLE_REQUESTS)
    connector = aiohttp.TCPConnector(limit=clients)
    async with aiohttp.ClientSession(address, connector=connector) as session:

        async def client(end: float) -> None:
            while time.monotonic() < end:
                start = time.monotonic()
                try:
                    async with session.post("/api/recommend", json={"text": next(texts)}) as answer:
                        body = await answer.json()
                        if answer.status != 200 or len(body["recommendations"]) == 0:
                            failures.append(f"{answer.status}: {body}")
                except (aiohttp.ClientError, ValueError, KeyError) as error:
                    failures.append(f"{type(error).__name__}: {error}")
                latencies.append(time.monotonic() - start)

        async def watch(end: float) -> None:
            while time.monotonic() < end:
                memory.append(process.memory_info().rss / _MEBIBYTE)
                await asyncio.sleep(_SAMPLE_SECONDS)

        async def all_for(duration: float) -> None:
            end = time.monotonic() + duration
            await asyncio.gather(watch(end), *(client(end) for _ in range(clients)))

        await all_for(seconds / 5)
        latencies.clear()
        memory.clear()
        await all_for(seconds)
    return {
        "clients": clients,
        "seconds": seconds,
        "answered": len(latencies) - len(failures),
        "failed": len(failures),
        "first_failures": failures[:3],
        "per_second": round((len(latencies) - len(failures)) / seconds, 1),
        "latency_ms": _percentiles(latencies),
        "memory_mib": {
            "first": round(_median(memory[:5]), 1),
            "last": round(_median(memory[-5:]), 1),
            "most": round(max(memory), 1),
        },
    }


def _percentiles(seconds: Sequence[float]) -> dict[str, float]:
    points = {"median": 50, "p95": 95, "p99": 99, "longest": 100}
    return {name: round(float(np.percentile(seconds, at)) * 1000, 1) for name, at in points.items()}


def _median(values: Sequence[float]) -> float:
    return float(np.median(values))


def main() -> None:
    """Load the server of a folder of models, and write what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("models", type=Path, nargs="?", default=artifacts.MODELS)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--write", type=Path, default=TARGET)
    given = parser.parse_args()
    with serving(given.models) as (address, process):
        found = asyncio.run(load(address, process, given.clients, given.seconds))
    machine = f"{psutil.cpu_count()} CPU cores, Python {platform.python_version()}"
    print(json.dumps(found, indent=2))
    if found["failed"]:
        sys.exit(f"{found['failed']} requests were not answered; nothing was written")
    artifacts.write_json(given.write, {"machine": machine, **found})


if __name__ == "__main__":
    main()
