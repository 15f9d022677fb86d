"""What ten and a hundred times the data take, estimated from the parameters and one run's figures.

Run as ``python -m tests.benchmarks.scaling``. Nothing is measured: the counts are those that the
stages wrote of the real corpus (``docs/results``), the sizes those of ``params.yaml`` and of the
encoder's ``config.json``; ``docs/scaling.md`` quotes the tables.
"""

import json
from importlib import resources
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from tabulate import tabulate

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "benchmarks"
FIGURES = ROOT / "docs" / "results" / "redial-frozen" / "figures.json"
TIMES = (1, 10, 100)
MILLION = 1_000_000
FLOAT, TRAINED = 4, 16
"""Bytes of a float32; of a parameter that AdamW trains: itself, its gradient and two moments."""
INT32 = 2**31 - 1
"""The most entries of a column of lists, whose offsets are 32 bits wide."""
NEGATIVES = 8_192
"""Movies that a sampled softmax scores beside the labels."""


def counts(figures: dict[str, Any], times: int) -> dict[str, int]:
    """What there is of each thing when there are so many times the dialogues."""
    readings = figures["examples"]

    def of(reading: str, *splits: str) -> int:
        return sum(readings[reading][split]["examples"] for split in splits)

    def tokens(reading: str) -> float:
        return sum(part["examples"] * part["mean_tokens"] for part in readings[reading].values())

    return {
        "dialogues": times * sum(figures["dialogues"].values()),
        "requests, whole": times * of("whole", "train", "validation", "test"),
        "requests, turn": times * of("turn", "train", "validation", "test"),
        "tokens, turn": round(times * tokens("turn")),
        "tokens of an epoch": round(
            times * of("whole", "train") * readings["whole"]["train"]["mean_tokens"]
        ),
        "tested requests": times * of("whole", "test"),
        "training requests": times * of("whole", "train"),
    }


def by_dialogues(figures: dict[str, Any], encoder: dict[str, Any]) -> list[dict[str, str]]:
    """What grows with the dialogues; the catalogue stays."""
    columns = {times: counts(figures, times) for times in TIMES}
    movies, width = figures["movies"], encoder["hidden_size"]
    weights = _encoder_weights(encoder)
    rows = [{"what": name} | _by_times(columns, name) for name in columns[1]]
    # forward, and twice that backward; two operations a weight and token
    flops = {times: 6 * weights * columns[times]["tokens of an epoch"] for times in TIMES}
    vectors = {times: columns[times]["training requests"] * width * FLOAT for times in TIMES}
    similarities = {
        times: columns[times]["tested requests"] * columns[times]["training requests"] * FLOAT
        for times in TIMES
    }
    scores = {times: columns[times]["tested requests"] * movies * FLOAT for times in TIMES}
    rows += [
        {"what": "an epoch, encoder trained, PFLOP"} | _each(flops, 1e15),
        {"what": "sentence vectors kept, GiB"} | _each(vectors, 2**30),
        {"what": "similarities of nearest-dialogues, GiB"} | _each(similarities, 2**30),
        {"what": "a baseline's scores, GiB"} | _each(scores, 2**30),
    ]
    return rows


def by_movies(
    figures: dict[str, Any], params: dict[str, Any], encoder: dict[str, Any]
) -> list[dict[str, str]]:
    """What grows with the catalogue, for the variant rnn-multitask."""
    sizes = {"1 x": figures["movies"], "10 x": 10 * figures["movies"], "a million": MILLION}
    model, batch = params["model"], params["training"]["dialogue_batch"]
    hidden, embedding = model["hidden_size"], model["mentions"]["embedding_size"]
    tags = params["training"]["tag_batch"]
    weights = _encoder_weights(encoder)
    tokens = figures["examples"]["whole"]["train"]["mean_tokens"]

    def row(what: str, of: Any) -> dict[str, str]:
        return {"what": what} | {name: _shown(of(count)) for name, count in sizes.items()}

    def layer(count: int) -> int:
        return (hidden + 1) * count

    def table(count: int) -> int:
        return embedding * (count + 1)

    return [
        row("movies", lambda n: n),
        row("weights of an output layer, millions", lambda n: layer(n) / 1e6),
        row("weights of the movie embedding, millions", lambda n: table(n) / 1e6),
        row(
            "both heads and embedding while they train, GiB",
            lambda n: (2 * layer(n) + table(n)) * TRAINED / 2**30,
        ),
        row("logits of a step, GiB", lambda n: (batch + tags) * n * FLOAT / 2**30),
        row(
            "logits, targets and their gradients, GiB",
            lambda n: (3 * batch + 2 * tags) * n * FLOAT / 2**30,
        ),
        row("output layer on one request, GFLOP", lambda n: 6 * hidden * n / 1e9),
        row("encoder on one request, GFLOP", lambda _: 6 * weights * tokens / 1e9),
        row(
            f"the same layer on {NEGATIVES} sampled movies, GFLOP",
            lambda n: 6 * hidden * min(n, NEGATIVES) / 1e9,
        ),
        row("logits of them in a step, GiB", lambda n: batch * min(n, NEGATIVES) * FLOAT / 2**30),
        row("gradients that two GPUs exchange a step, GiB", lambda n: _exchanged(n, layer, table)),
        row(
            "an output layer's shard on 8 GPUs while it trains, GiB",
            lambda n: layer(n) / 8 * TRAINED / 2**30,
        ),
    ]


def _exchanged(movies: int, layer: Any, table: Any) -> float:
    return (2 * layer(movies) + table(movies)) * FLOAT / 2**30


def limit(figures: dict[str, Any]) -> int:
    """How many times the dialogues the largest column of lists holds."""
    train = figures["examples"]["turn"]["train"]
    return int(INT32 // (train["examples"] * train["mean_tokens"]))


def _encoder_weights(encoder: dict[str, Any]) -> int:
    """The weights that a token passes: attention and feed-forward, without the embeddings."""
    width, inner = encoder["hidden_size"], encoder["intermediate_size"]
    layers: int = encoder["num_hidden_layers"]
    return layers * (4 * width * width + 2 * width * inner)


def _by_times(columns: dict[int, dict[str, int]], name: str) -> dict[str, str]:
    return {f"{times} x": _shown(columns[times][name]) for times in TIMES}


def _each(values: dict[int, float], unit: float) -> dict[str, str]:
    return {f"{times} x": _shown(values[times] / unit) for times in TIMES}


def _shown(value: float) -> str:
    if isinstance(value, int) or value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def tables() -> dict[str, list[dict[str, str]]]:
    """Both tables, and how far the files' format goes."""
    figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    params = YAML(typ="safe").load(ROOT / "params.yaml")
    package = resources.files(params["encoder"]["package"])
    encoder = json.loads(package.joinpath("model", "config.json").read_text(encoding="utf-8"))
    return {
        "scaling-dialogues": by_dialogues(figures, encoder),
        "scaling-movies": by_movies(figures, params, encoder),
        "scaling-limit": [
            {
                "what": "times the dialogues that one column of input ids holds",
                "at most": str(limit(figures)),
            }
        ],
    }


def text(rows: list[dict[str, str]]) -> str:
    """A table for people."""
    align = ("left", *["right"] * (len(rows[0]) - 1))
    return tabulate(rows, headers="keys", tablefmt="simple", disable_numparse=True, colalign=align)


def main() -> None:
    """Write the tables."""
    for name, rows in tables().items():
        (RESULTS / f"{name}.txt").write_text(text(rows) + "\n", encoding="utf-8")
        print(text(rows), end="\n\n")


if __name__ == "__main__":
    main()
