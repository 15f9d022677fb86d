"""One model trained and scored, from files to results."""

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import torch
from tqdm import tqdm

from stages.recommender import artifacts
from stages.recommender.dialogues import splits
from stages.recommender.errors import UserError
from stages.recommender.evaluation.readings import PAPER_SPLIT
from stages.recommender.modeling.encoder import EncoderSizes, SentenceEncoder
from stages.recommender.modeling.losses import TRAINERS, Objective
from stages.recommender.modeling.model_folder import ModelConfig
from stages.recommender.modeling.variants import (
    VARIANTS,
    OneShotRecommender,
    RecommenderNetwork,
)
from stages.recommender.params import ModelEntry, Params
from stages.recommender.training import processes
from stages.recommender.training.batches import DialogueExamples, TagExamples
from stages.recommender.training.checkpoints import Checkpoints, Progress, code_digest
from stages.recommender.training.determinism import Machine, prepare, within_memory
from stages.recommender.training.graphs import training_encoder
from stages.recommender.training.loop import Trainee, fit
from stages.recommender.training.names import Names, either
from stages.recommender.training.scoring import (
    Scored,
    ranking_table,
    score,
    score_tags,
    vectors_of,
)
from stages.recommender.training.vectors import (
    FrozenEncoder,
    encoder_identity,
    frozen_encoder,
    frozen_vectors,
)


@dataclass(frozen=True)
class Inputs:
    """What a model is trained on and scored with.

    Attributes:
        examples: Tables of ``artifacts.EXAMPLE_SCHEMA`` by (reading, split).
        tags: Tables of ``artifacts.TAG_EXAMPLE_SCHEMA`` by split; empty for a variant without.
        movies: The catalogue, of ``artifacts.MOVIE_SCHEMA``.
        known_for: Its movies' tags, of ``artifacts.KNOWN_FOR_SCHEMA``.
        encoder: Folder with the encoder's files.
        movie_texts: Of ``artifacts.MOVIE_TEXT_SCHEMA``; ``None`` for a variant without.
    """

    examples: Mapping[tuple[str, str], pa.Table]
    tags: Mapping[str, pa.Table]
    movies: pa.Table
    known_for: pa.Table
    encoder: Path
    movie_texts: pa.Table | None = None


@dataclass(frozen=True)
class Trained:
    """A trained model and its answers to the test examples.

    Attributes:
        config: What it was made with.
        model: With the selected epoch's weights.
        encoder: Likewise; ``None`` where it was frozen.
        encoder_parameters: How many it has, frozen or not.
        progress: History and selected epoch.
        test_loss: Of the dialogues, on the test split, ``whole`` reading.
        held_out_tag_loss: Mean cross-entropy of held-out tags; ``None`` for a variant without.
        rankings: Of ``artifacts.RANKING_SCHEMA``, for every reading that was scored.
        requests: What it was trained on, of ``artifacts.REQUEST_SCHEMA``.
    """

    config: ModelConfig
    model: RecommenderNetwork
    encoder: SentenceEncoder | None
    encoder_parameters: int
    progress: Progress
    test_loss: float
    held_out_tag_loss: float | None
    rankings: pa.Table
    requests: pa.Table


class ModelRun:
    """The trainings of one model: one a seed, and what they share.

    Args:
        entry: Trainer and variant.
        params: All parameters.
        inputs: What to train on and score with.
        seed_run: How the variant is trained with one seed.
    """

    def __init__(
        self,
        entry: ModelEntry,
        params: Params,
        inputs: Inputs,
        seed_run: "type[SeedRun] | None" = None,
    ) -> None:
        kind = seed_run or SeedRun
        self._trainings = [
            kind(entry, kind.params_of(params, repeat), inputs, repeat)
            for repeat in range(kind.repeats(params))
        ]
        self.inputs = inputs

    def train(self) -> Trained:
        """Train with each seed; the first model is kept, with the answers of all."""
        first, *others = [training.train() for training in self._trainings]
        rankings = pa.concat_tables([first.rankings, *(other.rankings for other in others)])
        return replace(first, rankings=rankings)

    def finish(self) -> None:
        """Tell that all results are written; the checkpoints are kept while DVC needs them."""
        for training in self._trainings:
            training.finish()

    def forget(self) -> None:
        """Remove the checkpoints; for when nothing needs them."""
        for training in self._trainings:
            training.forget()


class SeedRun:
    """The training of one model with one seed: what all its parts share.

    Args:
        entry: Trainer and variant.
        params: All parameters, ``training.seed`` the seed.
        inputs: What to train on and score with.
        repeat: Its number among the model's trainings, from 0.
    """

    def __init__(self, entry: ModelEntry, params: Params, inputs: Inputs, repeat: int) -> None:
        self.repeat = repeat
        self.entry = entry
        self.params = params
        self.inputs = inputs
        self.machine: Machine = prepare(params.compute)
        self.frozen = params.training.trainable_layers == "none"
        self.encoder_identity = encoder_identity(inputs.encoder)
        self._used: list[Checkpoints] = []

    @classmethod
    def repeats(cls, params: Params) -> int:
        """How many seeds the model is trained with."""
        return params.training.repeats

    @classmethod
    def params_of(cls, params: Params, repeat: int) -> Params:
        """The parameters of one repeat; only the first is trained on the paper's split as well."""
        return for_repeat(params, repeat, PAPER_SPLIT if repeat else None)

    def _names(self) -> Names:
        """What its messages call the parameters that it reads."""
        names = Names()
        if self.entry.trainer != "weighted":
            return names
        weight = "loss.focal.alpha" if self.params.loss.focal.enabled else "loss.pos_weight"
        return replace(names, rates=(*names.rates, weight))

    def train(self) -> Trained:
        """Train on the official split, and once more on the paper's where that is asked for."""
        whole = {
            split: self._dialogues("whole", split) for split in ("train", "validation", "test")
        }
        trainee = self._trainee(self._lessons(whole["train"]), whole["validation"])
        checkpoints = self._checkpoints(trainee)
        foretell = None if self.repeat else self._foretell
        progress = fit(trainee, self.params.training, self.machine, checkpoints, foretell)
        answers = {"whole": whole["test"]}
        for reading in self.params.evaluation.readings:
            if reading != PAPER_SPLIT:
                answers[reading] = self._dialogues(reading, "test")
        scored = {reading: self._score(trainee, examples) for reading, examples in answers.items()}
        tables = [
            self._table(reading, self.inputs.examples[reading, "test"], result)
            for reading, result in scored.items()
        ]
        if PAPER_SPLIT in self.params.evaluation.readings:
            tables.append(self._train_on_paper_split(whole))
        return Trained(
            self._config(),
            trainee.model,
            trainee.encoder,
            self._sizes(trainee.encoder).parameters,
            progress,
            scored["whole"].loss,
            self._held_out_tag_loss(trainee),
            pa.concat_tables(tables),
            self._requests(trainee, whole["train"]),
        )

    def _lessons(self, whole: DialogueExamples, paper: bool = False) -> DialogueExamples:
        """What is trained on, from the training examples of ``whole``.

        Args:
            whole: Those of the split.
            paper: Whether the split is the paper's.
        """
        return whole

    def _requests(self, trainee: Trainee, train: DialogueExamples) -> pa.Table:
        """The training examples with their vectors, by which like requests are found."""
        table = self.inputs.examples["whole", "train"]
        with within_memory(trainee.names.evaluation_batch):
            vectors = vectors_of(trainee.encoder, train, trainee.evaluation_batch, self.machine)
        return table.select(["text", "mentions", "labels"]).append_column("vector", vectors)

    def finish(self) -> None:
        """Tell that all results are written."""
        for checkpoints in self._used:
            checkpoints.finish()

    def forget(self) -> None:
        """Remove the checkpoints."""
        for checkpoints in self._used:
            checkpoints.remove()

    def _train_on_paper_split(self, whole: Mapping[str, DialogueExamples]) -> pa.Table:
        """The same model on a random part of the training file; its rankings of another part."""
        table = self._training_file("whole")
        parts = [whole[split] for split in self._splits_of_file()]
        examples = parts[0].concatenate(parts)
        rows = {split: rows_of_paper_split(table, split) for split in splits.SPLITS}
        train = self._lessons(examples.take(rows["train"]), paper=True)
        trainee = self._trainee(train, examples.take(rows["validation"]))
        fit(trainee, self.params.training, self.machine, self._checkpoints(trainee))
        answered = self._score(trainee, examples.take(rows["test"]))
        return self._table(PAPER_SPLIT, table.take(pa.array(rows["test"].numpy())), answered)

    def _splits_of_file(self) -> list[str]:
        """Those that hold the training file's dialogues, each once.

        Where the paper's split is in use, its test part is in ``test``; under the notebook's
        protocol, ``validation`` is ``test``.
        """
        notebook = self.params.dialogues.protocol == "notebook"
        return ["train", "test"] if notebook else ["train", "validation", "test"]

    def _training_file(self, reading: str) -> pa.Table:
        return pa.concat_tables(
            [self.inputs.examples[reading, split] for split in self._splits_of_file()]
        )

    def _table(self, reading: str, examples: pa.Table, scored: Scored) -> pa.Table:
        return ranking_table(reading, self.repeat, examples, scored.rankings)

    def _trainee(self, train: DialogueExamples, validation: DialogueExamples) -> Trainee:
        torch.manual_seed(self.params.training.seed)
        learning = None if self.frozen else self._learning_encoder()
        model = self._model(self._sizes(learning), train)
        training = self.params.training
        return Trainee(
            model=model.to(self.machine.device),
            encoder=learning,
            dialogue_encoder=training_encoder(learning, training.dialogue_batch, self.machine),
            tag_encoder=training_encoder(learning, training.tag_batch, self.machine),
            train=train.to(self.machine.device),
            validation=validation.to(self.machine.device),
            tags=self._auxiliary(),
            objective=self._objective(train),
            evaluation_batch=self.params.evaluation.batch,
            names=self._names(),
        )

    def _model(self, encoder: EncoderSizes, train: DialogueExamples) -> RecommenderNetwork:
        """A new one, for these training examples."""
        movies = self.inputs.movies.num_rows
        variant = VARIANTS[self.entry.variant]
        return OneShotRecommender(variant, encoder.width, movies, self.params.model)

    def _auxiliary(self) -> TagExamples | None:
        """The auxiliary task's examples."""
        return self._tags("train") if VARIANTS[self.entry.variant].learns_tags else None

    def _objective(self, train: DialogueExamples) -> Objective:
        mean_labels = float(train.labels.lengths.double().mean())
        trainer = TRAINERS[self.entry.trainer]
        return trainer(self.params.loss, self.inputs.movies.num_rows, mean_labels)

    def _learning_encoder(self) -> SentenceEncoder:
        """A new one."""
        folder, pooling = self.inputs.encoder, self.params.model.pooling
        layers = self.params.training.trainable_layers
        encoder = SentenceEncoder(folder, pooling, layers, self._names().trainable_layers)
        return encoder.to(self.machine.device)

    def _frozen_encoder(self) -> FrozenEncoder:
        folder, pooling = self.inputs.encoder, self.params.model.pooling
        return frozen_encoder(folder, self.encoder_identity, pooling, self.machine.device)

    def _sizes(self, learning: SentenceEncoder | None) -> EncoderSizes:
        """The encoder's, which is frozen where none is learning."""
        if learning is not None:
            return learning.sizes
        encoder, folder = self._frozen_encoder(), artifacts.CACHE / "vectors"
        sizes = processes.of_first(lambda: json.dumps(asdict(encoder.sizes(folder))).encode())
        return EncoderSizes(**json.loads(sizes))

    def _dialogues(self, reading: str, split: str) -> DialogueExamples:
        examples = DialogueExamples.from_table(self.inputs.examples[reading, split])
        if not self.frozen:
            return examples
        title = f"sentence vectors, {reading} {split}"
        return examples.with_vectors(self._vectors(examples, title))

    def _tags(self, split: str) -> TagExamples:
        tags = TagExamples.from_table(self.inputs.tags[split])
        if self.frozen:
            tags = tags.with_vectors(self._vectors(tags, f"sentence vectors, tags {split}"))
        return tags.to(self.machine.device)

    def _vectors(self, examples: DialogueExamples | TagExamples, title: str) -> torch.Tensor:
        names = self._names()
        of_tags = isinstance(examples, TagExamples)
        cut_at = either(names.tag_tokens if of_tags else names.request_tokens)
        return processes.tensor_of_first(
            lambda: frozen_vectors(
                self._frozen_encoder(),
                examples.tokens,
                self.machine,
                artifacts.CACHE / "vectors",
                title,
                cut_at,
            )
        )

    def _score(self, trainee: Trainee, examples: DialogueExamples) -> Scored:
        with within_memory(trainee.names.evaluation_batch):
            return score(
                trainee.model,
                trainee.encoder,
                examples,
                trainee.objective.dialogue_loss,
                trainee.evaluation_batch,
                self.machine,
            )

    def _held_out_tag_loss(self, trainee: Trainee) -> float | None:
        if trainee.tags is None:
            return None
        tags = self._tags("held_out")
        with within_memory(trainee.names.evaluation_batch):
            return score_tags(
                trainee.model, trainee.encoder, tags, trainee.evaluation_batch, self.machine
            )

    def _config(self) -> ModelConfig:
        return ModelConfig(
            trainer=self.entry.trainer,
            variant=self.entry.variant,
            movies=self.inputs.movies.num_rows,
            model=self.params.model,
            **self._of_requests(),
        )

    def _of_requests(self) -> dict[str, Any]:
        """The fields of the configuration that say what a request's text looks like."""
        dialogues = self.params.dialogues
        return {"text_form": dialogues.text_form, "max_tokens": dialogues.max_tokens}

    def _checkpoints(self, trainee: Trainee) -> Checkpoints:
        checkpoints = Checkpoints(self._folder(trainee), trainee.learning_parameters())
        self._used.append(checkpoints)
        processes.agree_on("examples, code and parameters", checkpoints.folder.name)
        return checkpoints

    def _folder(self, trainee: Trainee) -> Path:
        """Named after all that the trained weights and their history depend on."""
        text = json.dumps(self._depends_on(trainee), sort_keys=True)
        return artifacts.CACHE / "training" / hashlib.sha256(text.encode()).hexdigest()[:32]

    def _depends_on(self, trainee: Trainee) -> dict[str, object]:
        return {
            "code": code_digest(),
            "entry": [self.entry.trainer, self.entry.variant],
            "model": self.params.model.model_dump(),
            # each repeat is a training of its own, however many there are
            "training": self.params.training.model_dump() | {"repeats": 1},
            "loss": self._loss_parameters(),
            "machine": str(self.machine),
            "processes": processes.count(),
            "encoder": self.encoder_identity,
            "movies": self.inputs.movies.num_rows,
            "examples": [trainee.train.digest(), trainee.validation.digest()],
            "evaluation batch": trainee.evaluation_batch,
            "tags": trainee.tags.digest() if trainee.tags else None,
        }

    def _loss_parameters(self) -> dict[str, object]:
        """All but those that a known trainer is sure not to read."""
        every = set(type(self.params.loss).model_fields)
        learns_tags = VARIANTS[self.entry.variant].learns_tags
        unread = {
            "original": every - {"reduction"},
            "weighted": {"reduction"} | (set() if learns_tags else {"tag_weight"}),
            "softmax": every,
        }
        return self.params.loss.model_dump(exclude=unread.get(self.entry.trainer))

    def _foretell(self, seconds: float) -> None:
        """Tell what all trainings take, if that is long.

        Args:
            seconds: What this one takes.
        """
        if self.machine.device.type != "cpu" or self.frozen:
            return
        variants = [VARIANTS[entry.variant] for entry in self.params.models.values()]
        others = [variant for variant in variants if not variant.gates_repeats]
        of_model = seconds * self._trainings()
        told = f"{self.entry.trainer}-{self.entry.variant} takes about {span(of_model)} here"
        if len(others) > 1:
            told += f", all {len(others)} models at its pace about {span(len(others) * of_model)}"
            if not VARIANTS[self.entry.variant].learns_tags and any(v.learns_tags for v in others):
                told += ", and those with tags longer"
        tqdm.write(
            f"No GPU is used: {told}. On a frozen encoder training takes minutes: "
            "make run CORPUS=redial PRESET=frozen, or without a workspace "
            "dvc exp run -S training.trainable_layers=none "
            "-S training.head_learning_rate=0.001",
            file=sys.stderr,
        )

    def _trainings(self) -> float:
        """How often the model is trained, the paper's split counting as what it is of the whole."""
        trainings = float(self.params.training.repeats)
        if PAPER_SPLIT in self.params.evaluation.readings:
            split = self._training_file("whole")["paper_split"]
            again = pc.sum(pc.equal(split, "train")).as_py()
            trainings += again / self.inputs.examples["whole", "train"].num_rows
        return trainings


def for_repeat(params: Params, repeat: int, without: str | None = None) -> Params:
    """The parameters of a model's repeat, ``without`` a reading where one is named."""
    seed = params.training.seed + repeat
    training = params.training.model_copy(update={"seed": seed})
    readings = [reading for reading in params.evaluation.readings if reading != without]
    evaluation = params.evaluation.model_copy(update={"readings": readings})
    return params.model_copy(update={"training": training, "evaluation": evaluation})


def rows_of_paper_split(table: pa.Table, split: str) -> torch.Tensor:
    """The rows of a table of ``artifacts.EXAMPLE_SCHEMA`` that are of a part of the paper's split.

    Raises:
        UserError: There is none.
    """
    chosen = pc.fill_null(pc.equal(table["paper_split"], split), False)
    found = torch.from_numpy(chosen.to_numpy()).nonzero()[:, 0]
    if not len(found):
        raise UserError(
            f"the {split} part of the paper's split has no example; use more dialogues, "
            f"or leave {PAPER_SPLIT} out of evaluation.readings"
        )
    return found


def span(seconds: float) -> str:
    """A time for a reader."""
    if seconds > 5400:
        return f"{seconds / 3600:.1f} hours"
    minutes = max(1, round(seconds / 60))
    return "1 minute" if minutes == 1 else f"{minutes} minutes"
