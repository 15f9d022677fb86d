"""How well a movie that training never saw is recommended by its text alone.

``python -m stages.recommender.serving.measure_new_movies MODELS`` (``make new-movies``) takes the
movies that no training dialogue names out of the trained model, adds them again as new ones, and
looks for those of them that the test dialogues recommend. It writes what came of it to
``docs/results/serving``: ``new-movies.json``, and ``new-movies.txt`` as a table.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tabulate import tabulate
from torch import Tensor, nn
from tqdm import tqdm

from stages.recommender import artifacts
from stages.recommender.errors import UserError, run_stage
from stages.recommender.evaluation.intervals import Dialogues, Interval
from stages.recommender.modeling.cooccurrence import Cooccurrence
from stages.recommender.modeling.encoder import SentenceEncoder
from stages.recommender.modeling.gate import READINGS, GatedRecommender
from stages.recommender.modeling.model_folder import load_model
from stages.recommender.modeling.ragged import Ragged
from stages.recommender.serving.catalogue import READS_MOVIE_TEXTS, check_reads_movie_texts
from stages.recommender.serving.models_folder import find_model
from stages.recommender.serving.sentences import load_encoder

TARGET = Path("docs/results/serving")
AMONG_NEW, AMONG_ALL = (10, 50), (10, 50, 100)
"""Cutoffs of recall among the movies that training never saw, and among the whole catalogue."""
_AT_ONCE = 32

Figures = dict[str, NDArray[np.float64]]


def without(model: GatedRecommender, movies: Tensor) -> GatedRecommender:
    """A model of a catalogue without some movies that no training dialogue names.

    Args:
        model: To leave as it is.
        movies: Whether each movie goes. (movies,)
    """
    smaller, kept, old = deepcopy(model), ~movies, model.cooccurrence
    place = torch.cumsum(kept, 0) - 1  # (movies,) of those that stay
    smaller.cooccurrence = Cooccurrence(int(kept.sum()), len(old.counts), old.shrinkage)
    smaller.cooccurrence.counts.copy_(old.counts)
    smaller.cooccurrence.recommended.copy_(place[old.recommended.long()])
    for name in ("partners", "named", "share"):
        getattr(smaller.cooccurrence, name).copy_(getattr(old, name)[kept])
    smaller.neighbours.naming = model.neighbours.naming[kept]
    smaller.neighbours.movies = place[model.neighbours.movies.long()]
    smaller.movie_texts = model.movie_texts[kept]
    smaller.bias = nn.Parameter(model.bias[kept].detach())
    return smaller


class AddedAgain:
    """A model whose movies that training never saw are taken out and added as new ones.

    Args:
        model: As trained.
        unseen: Whether training never saw a movie. (movies,)
        texts: Sentence vectors of the unseen movies' texts, in their order. (unseen, width)
    """

    def __init__(self, model: GatedRecommender, unseen: Tensor, texts: Tensor) -> None:
        self.model = without(model, unseen).with_new_movies(texts)
        moved = torch.cat([(~unseen).nonzero()[:, 0], unseen.nonzero()[:, 0]])
        self._place = torch.argsort(moved)  # (movies,) where each movie stands now

    def __call__(self, sentences: Tensor, mentions: Ragged, readings: Tensor) -> Tensor:
        """Logits in the order of the catalogue as it was; see :class:`GatedRecommender`."""
        moved = Ragged(self._place[mentions.values], mentions.lengths)
        logits: Tensor = self.model(sentences, moved, readings)
        return logits[:, self._place]


def figures(scores: Tensor, unseen: Tensor, mentioned: Tensor, wanted: Tensor) -> Figures:
    """How high each request's unseen labels stand.

    Mentioned movies are no candidates. A tie counts half.

    Args:
        scores: (requests, movies)
        unseen: Whether training never saw a movie. (movies,)
        mentioned: Whether each request mentions it. (requests, movies)
        wanted: Whether it is a label, unseen and not mentioned; one at least in each row.
            (requests, movies)

    Returns:
        By figure, the mean over each request's labels: (requests,). ``percentile`` is the share of
        the other unseen movies that a label stands above.
    """
    found: Figures = {}
    rows, columns = wanted.nonzero().T  # (labels,)
    labels = wanted.sum(1).double()
    own = scores[rows, columns][:, None]
    for among, allowed, cutoffs in (
        ("new", unseen & ~mentioned, AMONG_NEW),
        ("all", ~mentioned, AMONG_ALL),
    ):
        candidates = allowed[rows]  # (labels, movies)
        above = ((scores[rows] > own) & candidates).sum(1).double()
        ties = ((scores[rows] == own) & candidates).sum(1).double() - 1
        others = candidates.sum(1).double() - 1
        rank = 1 + above + ties / 2

        def mean(values: Tensor) -> NDArray[np.float64]:
            summed = torch.zeros(len(labels), dtype=torch.float64).index_add_(0, rows, values)
            return (summed / labels).numpy()

        if among == "new":
            found["percentile"] = mean((others - rank + 1) / others.clamp(min=1))
            found["chance percentile"] = np.full(len(labels), 0.5)
        for k in cutoffs:
            found[f"recall@{k} among {among}"] = mean((rank <= k).double())
            found[f"chance recall@{k} among {among}"] = mean((k / (others + 1)).clamp(max=1))
    return found


def measure(
    model: GatedRecommender,
    encoder: SentenceEncoder,
    movie_tokens: Ragged,
    examples: Mapping[str, Any],
) -> dict[str, Any]:
    """Measure on each reading of the test dialogues.

    Args:
        model: As trained.
        encoder: Its encoder.
        movie_tokens: Input ids of each movie's text, a row a movie.
        examples: Tables of ``artifacts.TITLE_EXAMPLE_SCHEMA`` by reading.

    Raises:
        UserError: Training saw every movie, or all those that the test dialogues recommend.
    """
    unseen = model.cooccurrence.named == 0  # (movies,)
    if not unseen.any():
        raise UserError("training saw every movie of the catalogue, so that none can be new")
    texts = _vectors(encoder, movie_tokens.take(unseen.nonzero()[:, 0]), "new movies")
    scorers: dict[str, Callable[[Tensor, Ragged, Tensor], Tensor]] = {
        "as new": AddedAgain(model, unseen, texts),
        "as trained": model,
    }
    found: dict[str, Any] = {
        "movies": len(unseen),
        "movies that training never saw": int(unseen.sum()),
        "readings": {},
    }
    for reading, table in examples.items():
        labels, mentions = (Ragged.from_column(table[name]) for name in ("labels", "mentions"))
        mentioned, wanted = (_marked(lists, len(unseen)) for lists in (mentions, labels))
        wanted &= unseen & ~mentioned
        rows = wanted.any(1).nonzero()[:, 0]  # the requests that are measured
        if not len(rows):
            continue
        tokens = Ragged.from_column(table["input_ids"])
        sentences = _vectors(encoder, tokens.take(rows), f"requests, {reading}")
        which = torch.full((len(rows),), READINGS.index(reading))
        with torch.no_grad():
            figures_of = {
                name: figures(
                    scorer(sentences, mentions.take(rows), which),
                    unseen,
                    mentioned[rows],
                    wanted[rows],
                )
                for name, scorer in scorers.items()
            }
        dialogues = Dialogues(table["conversation_id"].to_numpy()[rows.numpy()])
        found["readings"][reading] = {
            "requests": len(rows),
            "labels": int(wanted.sum()),
            "distinct movies": int(wanted.any(0).sum()),
            "figures": _summary(figures_of, dialogues),
        }
    if not found["readings"]:
        raise UserError("no test dialogue recommends a movie that training never saw")
    return found


def _vectors(encoder: SentenceEncoder, tokens: Ragged, title: str) -> Tensor:
    parts = torch.split(torch.arange(len(tokens)), _AT_ONCE)
    with torch.no_grad():
        return torch.cat([encoder(tokens.take(rows)) for rows in tqdm(parts, title, leave=False)])


def _marked(lists: Ragged, width: int) -> Tensor:
    marked = torch.zeros(len(lists), width, dtype=torch.bool)
    marked[lists.rows(), lists.values] = True
    return marked


def _summary(of_scorers: Mapping[str, Figures], dialogues: Dialogues) -> dict[str, Any]:
    """By figure: chance, and for each scorer the mean with its interval."""
    columns: Figures = {}
    for scorer, found in of_scorers.items():
        for name, values in found.items():
            columns[name if name.startswith("chance ") else f"{scorer} {name}"] = values
    intervals = dict(
        zip(columns, dialogues.means(np.stack(list(columns.values()), axis=1)), strict=True)
    )
    names = [name.removeprefix("chance ") for name in columns if name.startswith("chance ")]
    return {
        name: {
            "chance": round(intervals[f"chance {name}"].value, 4),
            **{scorer: _rounded(intervals[f"{scorer} {name}"]) for scorer in of_scorers},
        }
        for name in names
    }


def _rounded(interval: Interval) -> dict[str, float]:
    return {name: round(value, 4) for name, value in asdict(interval).items()}


def as_text(found: Mapping[str, Any]) -> str:
    """What :func:`measure` found, as a table."""
    unseen = found["movies that training never saw"]
    parts = [
        f"Of {found['movies']:,} movies training never saw {unseen:,}: no training dialogue names\n"
        "them. They are taken out of the model and added as new movies, known by their texts\n"
        "alone; it learned from these texts too, though never as an answer to a request.\n"
        "Mean over requests, in brackets the 95 % interval over dialogues."
    ]
    for reading, of_reading in found["readings"].items():
        rows = [
            [name, f"{figure['chance']:.4f}", _cell(figure["as new"]), _cell(figure["as trained"])]
            for name, figure in of_reading["figures"].items()
        ]
        title = (
            f"{reading}: {of_reading['requests']:,} test requests with {of_reading['labels']:,} "
            f"such labels, {of_reading['distinct movies']:,} distinct movies"
        )
        headers = ["", "chance", "as new movies", "as trained"]
        table = tabulate(rows, headers, disable_numparse=True, colalign=["left"] + ["right"] * 3)
        parts.append(f"{title}\n\n{table}")
    return "\n\n".join(parts) + "\n"


def _cell(interval: Mapping[str, float]) -> str:
    return f"{interval['value']:.4f} [{interval['low']:.4f}, {interval['high']:.4f}]"


def main() -> None:
    """Measure a trained model."""
    parser = argparse.ArgumentParser(description="How well new movies are recommended.")
    parser.add_argument(
        "models", type=Path, nargs="?", default=artifacts.MODELS, help="folder, beside data"
    )
    parser.add_argument("--write", type=Path, default=TARGET, help="folder for the figures")
    given = parser.parse_args()
    folder = find_model(READS_MOVIE_TEXTS, given.models).folder
    check_reads_movie_texts(folder)
    _, model, encoder, _ = load_model(folder, load_encoder)
    if not isinstance(model, GatedRecommender):
        raise UserError(f"{folder} is no model of the variant gate; name the folder of one")
    workspace = given.models.parent
    texts = artifacts.read_table(
        workspace / artifacts.MOVIE_TEXTS, artifacts.MOVIE_TEXT_SCHEMA, "tokenize_titles"
    )
    examples = {
        reading: artifacts.read_table(
            workspace / artifacts.TITLES / reading / "test.parquet",
            artifacts.TITLE_EXAMPLE_SCHEMA,
            "tokenize_titles",
        )
        for reading in READINGS
    }
    found = measure(model, encoder, Ragged.from_column(texts["input_ids"]), examples)
    artifacts.write_json(given.write / "new-movies.json", found)
    artifacts.write_text(given.write / "new-movies.txt", as_text(found))
    print(as_text(found), end="")


if __name__ == "__main__":
    run_stage(main)
