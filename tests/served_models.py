"""Untrained models whose movies have real titles, one of them written by an attacker; served."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import small_project
import torch
import uvicorn

from stages.recommender import artifacts
from stages.recommender.modeling.cooccurrence import Cooccurrence
from stages.recommender.modeling.encoder import SentenceEncoder
from stages.recommender.modeling.gate import GatedRecommender
from stages.recommender.modeling.mention_context import MentionContext
from stages.recommender.modeling.model_folder import ModelConfig, save_model
from stages.recommender.modeling.neighbours import Neighbours
from stages.recommender.modeling.ragged import Ragged
from stages.recommender.modeling.variants import VARIANTS, OneShotRecommender
from stages.recommender.params import Gate, Mentions, Model, Titles
from stages.recommender.serving import web

HOSTILE = "<img src=x onerror=window.hacked=1>${window.hacked=2}{{7}}`"
TITLES = ("The Babadook", "Alien", "Toy Story", "Finding Nemo", HOSTILE)
WIDTHS = Model(
    pooling="mean",
    hidden_size=12,
    dropout=0.0,
    mentions=Mentions(max=4, embedding_size=6, hidden_size=5, reads_padding=False),
)
GATE = Gate(
    trainable_layers="none",
    encoder_learning_rate=1e-5,
    hidden_size=12,
    dropout=0.0,
    sentence_dropout=0.0,
    context_embedding_size=4,
    context_hidden_size=6,
    shrinkage=2.0,
    neighbours=2,
    neighbour_sharpness=3.0,
    neighbour_mentions=0.5,
    movie_text_weight=0.2,
    learning_rate=0.001,
    rule_learning_rate=0.03,
    epochs=1,
    batch=4,
    movie_batch=4,
    repeats=1,
)
READ_TITLES = Titles(
    max_tokens=64, max_turn_tokens=64, context_tokens=3, max_movie_tokens=24, tags_per_movie=2
)
SCORES = {"weighted-rnn": 0.1, "original-baseline": 0.05}
"""nDCG@10 of each model; they are in this order."""


def _tables() -> tuple[pa.Table, pa.Table]:
    """Catalogue and training requests."""
    catalogue = small_project.movies(len(TITLES) + 8)
    titles = [*TITLES, *catalogue["title"].to_pylist()[len(TITLES) :]]
    catalogue = catalogue.set_column(
        catalogue.column_names.index("title"), "title", pa.array(titles, pa.string())
    )
    rows = small_project.requests().num_rows
    requests = pa.table(
        {
            "text": pa.array([f"<b>scary</b> request {row}" for row in range(rows)]),
            "mentions": pa.array([[]] * rows, pa.list_(pa.int32())),
            "labels": pa.array([[row % len(titles)] for row in range(rows)], pa.list_(pa.int32())),
            "vector": small_project.requests()["vector"],
        }
    )
    return catalogue, requests


def write_gate(root: Path, encoder_files: Path) -> Path:
    """A model that reads what its movies are, without metrics; its folder."""
    catalogue, requests = _tables()
    torch.manual_seed(0)
    encoder = SentenceEncoder(encoder_files, "mean", trainable_layers="none")
    movies = catalogue.num_rows
    named = Ragged(torch.tensor([0, 1, 2, 1, 3]), torch.tensor([3, 2]))
    counts = Cooccurrence.count(
        named,
        Ragged(torch.tensor([1, 2, 3]), torch.tensor([2, 1])),
        movies,
        GATE.shrinkage,
    )
    neighbours = Neighbours(2, 5, movies, encoder.width, GATE)
    neighbours.remember(torch.randn(2, encoder.width), named)
    context = MentionContext(encoder.sizes.vocabulary, READ_TITLES.context_tokens, GATE)
    texts = torch.randn(movies, encoder.width)
    model = GatedRecommender(texts, counts, neighbours, context, GATE)
    model.start_from(torch.randn(20, encoder.width))
    # as if it had learned to read around mentions
    torch.nn.init.normal_(model.repeat_said.weight)
    config = ModelConfig(
        trainer="softmax",
        variant="gate",
        movies=movies,
        model=WIDTHS,
        text_form="titles",
        max_tokens=64,
        gate=GATE,
        titles=READ_TITLES,
    )
    folder = root / "models" / "softmax-gate"
    known = small_project.known_for()
    save_model(folder, config, model, None, encoder_files, catalogue, known, requests)
    return folder


def write_models(root: Path, encoder_files: Path) -> Path:
    """Two models with metrics; the folder of models."""
    catalogue, requests = _tables()
    for name, score in SCORES.items():
        torch.manual_seed(len(name))
        trainer, _, variant = name.partition("-")
        encoder = SentenceEncoder(encoder_files, "mean", trainable_layers="none")
        config = ModelConfig(
            trainer=trainer,
            variant=variant,
            movies=catalogue.num_rows,
            model=WIDTHS,
            text_form="masked",
            max_tokens=64,
        )
        save_model(
            root / "models" / name,
            config,
            OneShotRecommender(VARIANTS[variant], encoder.width, catalogue.num_rows, WIDTHS),
            None,
            encoder_files,
            catalogue,
            small_project.known_for(),
            requests,
        )
        test = {reading: {"ndcg@10": score, "recall@10": score} for reading in ("all", "new")}
        metrics = {
            "epochs": 3,
            "selected_epoch": 2,
            "validation": {"ndcg@10": score},
            "test": test,
        }
        artifacts.write_json(root / "metrics" / f"{name}.json", metrics)
    return root / "models"


@contextmanager
def served(models: Path, requests_per_minute: int = 10_000) -> Iterator[str]:
    """Page and API in a thread; their address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        app = web.build(models, requests_per_minute=requests_per_minute)
        config = uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
