"""The parameters in ``params.yaml``, typed and checked; nothing else reads that file.

Sections stand in the file's order. Each stage takes the sections it needs from
:func:`load_params`; ``dvc.yaml`` names the same sections under the stage's ``params``.
"""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from stages.recommender.errors import UserError
from stages.recommender.yaml_files import checked, read_yaml

PARAMS_FILE = Path("params.yaml")

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Revision = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
Name = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(gt=0, lt=1)]

_USER_IN_URL = re.compile(r"\s*[A-Za-z][A-Za-z0-9+.-]+:/*[^/?#]*@")
_SECRET_IN_URL = re.compile(
    r"\s*[A-Za-z][A-Za-z0-9+.-]+:[^?#]*\?([^#]*&)?"
    r"([^=&#]*(token|secret|passw|signature|credential|api[-_]?key)[^=&#]*|sig|key|auth)=",
    re.IGNORECASE,
)
"""A query with a value that a storage or service takes for who asks."""


class Section(BaseModel):
    """A part of ``params.yaml``: no unknown keys, no silent conversion of types."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True
    )


class Hub(Section):
    """A repository on the Hugging Face hub at one commit."""

    repository: Name
    revision: Revision


class Archive(Section):
    """A zip archive."""

    location: Name
    """URL (http, https) without user and password, or local path."""
    sha256: Sha256 | None
    """Checked before the archive is opened; ``None``: not checked."""


class Redial(Section):
    """Where the ReDial dialogues come from."""

    source: Literal["hub", "zip", "sample"]
    hub: Hub
    zip: Archive


class MovieLens(Section):
    """Where the MovieLens movies and tags come from."""

    source: Literal["zip", "sample"]
    zip: Archive


class Sample(Section):
    """Size and seed of the corpus that the project makes."""

    seed: Seed
    movies: Annotated[int, Field(ge=20)]
    train_dialogues: Annotated[int, Field(ge=20)]
    test_dialogues: Annotated[int, Field(ge=5)]


class EncoderFile(Section):
    """A file of the encoder's folder."""

    name: Name
    sha256: Sha256 | None
    """``None``: recorded, not checked."""


class Encoder(Section):
    """Where the sentence encoder's files come from."""

    source: Literal["hub", "package", "folder"]
    hub: Hub
    package: Name
    """Import name of an installed package that carries the files."""
    folder: str | None
    files: Annotated[list[EncoderFile], Field(min_length=1)]
    """The files to take."""

    @property
    def sha256(self) -> dict[str, str | None]:
        """Checksum by file name, ``None`` where it is only recorded."""
        return {file.name: file.sha256 for file in self.files}

    @model_validator(mode="after")
    def _folder_is_named(self) -> "Encoder":
        if self.source == "folder" and not self.folder:
            raise ValueError("encoder.source is folder, so encoder.folder must name one")
        return self


class MovieMap(Section):
    """How ReDial's movies are joined to MovieLens."""

    join: Literal["title", "id"]
    fuzzy_threshold: Annotated[float, Field(ge=0, le=100)]
    """Least similarity of two titles of one year, 0 to 100."""


class Dialogues(Section):
    """How dialogues become examples."""

    protocol: Literal["corrected", "notebook"]
    text_form: Literal["masked", "ids", "titles"]
    split: Literal["official", "paper"]
    test_fraction: Fraction
    validation_fraction: Fraction
    split_seed: Seed
    max_tokens: Annotated[int, Field(ge=8, le=512)]


class Tags(Section):
    """How MovieLens tags become examples."""

    max_per_movie: Count
    min_characters: Count
    held_out_fraction: Fraction
    seed: Seed
    max_tokens: Annotated[int, Field(ge=4, le=512)]


class Titles(Section):
    """The gate's texts: dialogues with their movies' titles in them, and a text for each movie."""

    max_tokens: Annotated[int, Field(ge=8, le=512)]
    """Of a dialogue's beginning."""
    max_turn_tokens: Annotated[int, Field(ge=8, le=512)]
    """Of the end of what was said before a turn."""
    context_tokens: Annotated[int, Field(ge=1, le=64)]
    """On either side of a mention."""
    max_movie_tokens: Annotated[int, Field(ge=8, le=512)]
    tags_per_movie: Count


class Mentions(Section):
    """The network that reads the movies a seeker mentions."""

    max: Count
    embedding_size: Count
    hidden_size: Count
    reads_padding: bool


class Model(Section):
    """What every model is made of."""

    pooling: Literal["mean", "cls"]
    hidden_size: Count
    dropout: Annotated[float, Field(ge=0, lt=1)]
    mentions: Mentions


class Focal(Section):
    """Focal loss (Lin et al. 2017)."""

    enabled: bool
    alpha: Positive
    gamma: NotNegative


class Loss(Section):
    """What the trainers ``original`` and ``weighted`` minimise."""

    reduction: Literal["mean", "sum"]
    """Of the original trainer's cross-entropy, over movies; over requests it is always the mean."""
    pos_weight: Positive | Literal["auto"]
    """Weight of a positive label; ``auto``: movies over mean labels an example."""
    tag_weight: NotNegative
    focal: Focal


class Training(Section):
    """The optimisation."""

    trainable_layers: Annotated[int, Field(ge=1)] | Literal["all", "none"]
    """Which of the encoder's layers learn: all, none, or the last n."""
    encoder_learning_rate: Positive
    head_learning_rate: Positive
    epochs: Count
    dialogue_batch: Count
    tag_batch: Count
    warmup_fraction: Annotated[float, Field(ge=0, lt=1)]
    weight_decay: NotNegative
    max_gradient_norm: Positive
    seed: Seed
    repeats: Count
    """How often each model is trained, with seeds seed, seed + 1, ...; the first is kept."""


class Gate(Section):
    """The repeat-explore gate and its optimisation."""

    trainable_layers: Annotated[int, Field(ge=1)] | Literal["all", "none"]
    """Which of its encoder's layers learn. With ``none`` the sentence vectors are computed once and
    kept, and training takes minutes on a CPU."""
    encoder_learning_rate: Positive
    """Of those layers."""
    hidden_size: Count
    dropout: Annotated[float, Field(ge=0, lt=1)]
    sentence_dropout: Annotated[float, Field(ge=0, lt=1)]
    context_embedding_size: Count
    context_hidden_size: Count
    """Of the network that reads the words around a mention."""
    shrinkage: Positive
    """Dialogues imagined beside those that are counted for the co-occurrence term."""
    neighbours: Count
    """Training dialogues most like a request, which vote for the movies that they name."""
    neighbour_sharpness: NotNegative
    """How much more the more similar of them count."""
    neighbour_mentions: NotNegative
    """Of the movies that both name, in a similarity, beside the sentence vectors."""
    movie_text_weight: NotNegative
    """Of the cross-entropy of a movie from its own text."""
    learning_rate: Positive
    rule_learning_rate: Positive
    """Of the gate's and the co-occurrence term's few parameters, which act on all requests."""
    epochs: Count
    batch: Count
    movie_batch: Count
    repeats: Count
    """How often it is trained, with seeds ``training.seed``, and so on; the first is kept."""


class Evaluation(Section):
    """Scoring."""

    batch: Count
    readings: list[Literal["before", "turn", "paper-split"]]
    """How the test dialogues are read beside ``whole``."""

    @model_validator(mode="after")
    def _readings_stand_once(self) -> "Evaluation":
        for reading in self.readings:
            if self.readings.count(reading) > 1:
                raise ValueError(
                    f"evaluation.readings names {reading} more than once; leave one of them"
                )
        return self


class Ladder(Section):
    """The trainings from the notebook to the repaired pipeline, one repair at a time."""

    epochs: Count
    seed: Seed
    repeats: Count
    """How often each rung is trained, with seeds seed, seed + 1, ..."""


class Ablation(Section):
    """The trainings of the gate without each of its parts, and on fewer dialogues."""

    epochs: Count | None
    """``None``: as many as the gate's."""
    seed: Seed
    repeats: Count
    """How often each is trained, with seeds seed, seed + 1, ..."""


class Compute(Section):
    """The machine."""

    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")]
    threads: Count
    """CPU threads of each process."""
    processes: Count = 1
    """Of this machine, that train one model together."""
    precision: Literal["auto", "float32", "bfloat16"]


class ModelEntry(Section):
    """One model to train."""

    trainer: Literal["original", "weighted", "softmax"]
    variant: Literal["baseline", "rnn", "multitask", "rnn-multitask", "gate"]
    data: Name
    """The input that DVC watches for this model beyond what all models read."""
    watches: Annotated[list[Name], Field(min_length=3, max_length=3)]
    """The parameters that DVC watches for this model's loss."""


class Params(Section):
    """All of ``params.yaml``."""

    redial: Redial
    movielens: MovieLens
    sample: Sample
    encoder: Encoder
    movie_map: MovieMap
    dialogues: Dialogues
    tags: Tags
    titles: Titles
    model: Model
    loss: Loss
    training: Training
    gate: Gate
    evaluation: Evaluation
    ladder: Ladder
    ablation: Ablation
    compute: Compute
    models: Annotated[dict[str, ModelEntry], Field(min_length=1)]

    @model_validator(mode="after")
    def _no_location_tells_a_secret(self) -> "Params":
        archives = {"redial": self.redial.zip, "movielens": self.movielens.zip}
        for name, archive in archives.items():
            if _USER_IN_URL.match(archive.location):
                raise ValueError(
                    f"{name}.zip.location has a user, password or token before its host, which "
                    "dvc.lock and a pushed run-cache would keep; write them to ~/.netrc, or fetch "
                    "the file yourself and name its path"
                )
            if _SECRET_IN_URL.match(archive.location):
                raise ValueError(
                    f"{name}.zip.location has a token, key or signature in its query, which "
                    "dvc.lock and a pushed run-cache would keep; fetch the file yourself and name "
                    "its path"
                )
        return self

    @model_validator(mode="after")
    def _models_are_named_after_their_parts(self) -> "Params":
        for name, entry in self.models.items():
            if name != f"{entry.trainer}-{entry.variant}":
                raise ValueError(
                    f"models.{name} must be called {entry.trainer}-{entry.variant}, "
                    "its trainer and its variant"
                )
            if (entry.trainer == "softmax") != (entry.variant == "gate"):
                raise ValueError(
                    f"models.{name}: the trainer softmax and the variant gate go together"
                )
        return self


def local_path(location: str) -> Path:
    """A path as a user writes it, ``~`` standing for a home, if there is such a user."""
    path = Path(location)
    try:
        return path.expanduser()
    except RuntimeError:
        return path


def load_params(path: Path = PARAMS_FILE) -> Params:
    """Read and check the parameters.

    Args:
        path: A YAML 1.2 file.

    Raises:
        UserError: The file is missing or no YAML, or a key is unknown, missing, of the wrong
            type or out of range.
    """
    return checked(Params, read_params_file(path), path)


def read_params_file(path: Path = PARAMS_FILE) -> dict[str, Any]:
    """The parameters as they are written, not checked.

    Raises:
        UserError: The file is missing or no YAML.
    """
    if not path.is_file():
        raise UserError(f"no {path} here; run from the root of the project, where it lies")
    return read_yaml(path)
