"""A trained model as a folder: all that answering a request needs, and nothing to unpickle.

=========================  ==================================================================
``config.json``            :class:`ModelConfig`
``recommender.safetensors``  mention network and heads
``encoder/``               the sentence encoder, a Hugging Face model folder with its tokenizer
``movies.parquet``         the catalogue, ``artifacts.MOVIE_SCHEMA``
``tags.parquet``           what its movies are known for, ``artifacts.KNOWN_FOR_SCHEMA``
``requests.parquet``       what it was trained on, ``artifacts.REQUEST_SCHEMA``
``title_usage.parquet``    how these use words, ``artifacts.TITLE_USAGE_SCHEMA``
=========================  ==================================================================
"""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from stages.recommender import artifacts
from stages.recommender.errors import UserError
from stages.recommender.modeling.cooccurrence import Cooccurrence
from stages.recommender.modeling.encoder import SentenceEncoder
from stages.recommender.modeling.gate import GatedRecommender
from stages.recommender.modeling.mention_context import MARKS, MentionContext
from stages.recommender.modeling.neighbours import Neighbours
from stages.recommender.modeling.variants import VARIANTS, OneShotRecommender, RecommenderNetwork
from stages.recommender.params import Gate, Model, Titles
from stages.recommender.title_usage import TitleUsage

CONFIG, WEIGHTS, ENCODER, MOVIES, TAGS, REQUESTS, TITLE_USAGE = (
    "config.json",
    "recommender.safetensors",
    "encoder",
    "movies.parquet",
    "tags.parquet",
    "requests.parquet",
    "title_usage.parquet",
)


class ModelConfig(BaseModel):
    """What a model was made with."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    trainer: str
    variant: str
    movies: int
    """Size of the catalogue."""
    model: Model
    text_form: str
    """What stands in a request's text for a movie."""
    max_tokens: int
    """Of a request."""
    gate: Gate | None = None
    """Sizes of the variant ``gate``; ``None`` for all others, and then not in the file."""
    titles: Titles | None = None
    """How the texts of its movies were made, likewise."""


def save_model(
    folder: Path,
    config: ModelConfig,
    model: RecommenderNetwork,
    encoder: SentenceEncoder | None,
    encoder_files: Path,
    catalogue: pa.Table,
    tags: pa.Table,
    requests: pa.Table,
) -> None:
    """Write a model's folder, whole or not at all.

    Args:
        folder: To write, in the place of what was there.
        config: What the model was made with.
        model: Its weights.
        encoder: Its encoder; ``None``: one that was frozen, which is copied as it came.
        encoder_files: The folder that the encoder comes from.
        catalogue: Of ``artifacts.MOVIE_SCHEMA``.
        tags: Of ``artifacts.KNOWN_FOR_SCHEMA``.
        requests: Of ``artifacts.REQUEST_SCHEMA``.
    """
    with artifacts.atomic_folder(folder) as partial:
        artifacts.write_json(partial / CONFIG, _fields(config))
        save_file({k: v.cpu() for k, v in model.state_dict().items()}, partial / WEIGHTS)
        # the files alone: those of a DVC cache may not be written over
        shutil.copytree(encoder_files, partial / ENCODER, copy_function=shutil.copyfile)
        if encoder is not None:
            weights = {k: v.cpu() for k, v in encoder.transformer.state_dict().items()}
            save_file(weights, partial / ENCODER / "model.safetensors", {"format": "pt"})
            (partial / ENCODER / "manifest.json").unlink(missing_ok=True)
        artifacts.write_table(partial / MOVIES, catalogue, artifacts.MOVIE_SCHEMA)
        artifacts.write_table(partial / TAGS, tags, artifacts.KNOWN_FOR_SCHEMA)
        artifacts.write_table(partial / REQUESTS, requests, artifacts.REQUEST_SCHEMA)
        titles = [title or "" for title in catalogue["title"].to_pylist()]
        usage = TitleUsage.of_requests(
            requests["text"].to_pylist(), requests["mentions"].to_pylist(), titles
        )
        artifacts.write_table(partial / TITLE_USAGE, usage.to_table(), artifacts.TITLE_USAGE_SCHEMA)


def _fields(config: ModelConfig) -> dict[str, Any]:
    return config.model_dump(exclude_none=True)


def _network(config: ModelConfig, width: int, weights: Mapping[str, Tensor]) -> RecommenderNetwork:
    """The network that the weights are for, with others in it."""
    if config.gate is None or config.titles is None:
        return OneShotRecommender(VARIANTS[config.variant], width, config.movies, config.model)
    pairs = len(weights["cooccurrence.counts"])
    counts = Cooccurrence(config.movies, pairs, config.gate.shrinkage)
    vocabulary = len(weights["context.words.weight"]) - MARKS
    context = MentionContext(vocabulary, config.titles.context_tokens, config.gate)
    dialogues, named = len(weights["neighbours.keys"]), len(weights["neighbours.movies"])
    neighbours = Neighbours(dialogues, named, config.movies, width, config.gate)
    texts = torch.zeros(config.movies, width)
    return GatedRecommender(texts, counts, neighbours, context, config.gate)


def frozen_encoder(folder: Path, pooling: str) -> SentenceEncoder:
    """An encoder that does not learn."""
    return SentenceEncoder(folder, pooling, trainable_layers="none")


def load_model(
    folder: Path, read_encoder: Callable[[Path, str], SentenceEncoder] = frozen_encoder
) -> tuple[ModelConfig, RecommenderNetwork, SentenceEncoder, pa.Table]:
    """Read a model's folder; both networks in evaluation mode, on the CPU.

    Args:
        folder: As :func:`save_model` writes it.
        read_encoder: Reads the encoder, from its folder and pooling.

    Raises:
        UserError: The folder is missing, not whole, or of another shape than its configuration.
    """
    remedy = f"train it again with: dvc repro -f -s train@{folder.name}"
    try:
        config = ModelConfig.model_validate_json((folder / CONFIG).read_text(encoding="utf-8"))
        weights = load_file(folder / WEIGHTS)
    except FileNotFoundError as error:
        raise UserError(
            f"{error.filename or folder} is missing; train it with: dvc repro train@{folder.name}"
        ) from None
    except (ValidationError, SafetensorError, UnicodeDecodeError) as error:
        problem = str(error).splitlines()[0]
        raise UserError(f"{folder} holds no whole model ({problem}); {remedy}") from None
    if config.variant not in VARIANTS:
        raise UserError(
            f"{folder / CONFIG} names the variant {config.variant}, but there are only "
            f"{', '.join(VARIANTS)}; {remedy}"
        )
    try:
        encoder = read_encoder(folder / ENCODER, config.model.pooling)
    except (UserError, SafetensorError):
        raise UserError(f"{folder / ENCODER} holds no whole encoder; {remedy}") from None
    try:
        model = _network(config, encoder.width, weights)
        model.load_state_dict(weights)
    except (RuntimeError, KeyError):
        raise UserError(
            f"{folder / WEIGHTS} does not fit {CONFIG} and {ENCODER} beside it; {remedy}"
        ) from None
    movies = artifacts.read_table(folder / MOVIES, artifacts.MOVIE_SCHEMA, f"train@{folder.name}")
    if movies.num_rows != config.movies:
        raise UserError(
            f"{folder / MOVIES} has {movies.num_rows} movies, but {CONFIG} beside it says "
            f"{config.movies}; {remedy}"
        )
    return config, model.eval(), encoder.eval(), movies
