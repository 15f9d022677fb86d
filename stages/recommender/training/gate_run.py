"""How the variant ``gate`` is trained: on all readings, with its own texts and counts."""

import sys
from dataclasses import replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from stages.recommender.modeling.cooccurrence import Cooccurrence
from stages.recommender.modeling.encoder import EncoderSizes
from stages.recommender.modeling.gate import READINGS, RULES, GatedRecommender
from stages.recommender.modeling.losses import Objective
from stages.recommender.modeling.mention_context import MentionContext
from stages.recommender.modeling.neighbours import Nearest, Neighbours
from stages.recommender.modeling.ragged import Ragged
from stages.recommender.modeling.variants import RecommenderNetwork
from stages.recommender.params import ModelEntry, Params
from stages.recommender.training.batches import DialogueExamples, TagExamples
from stages.recommender.training.gate_examples import GateExamples
from stages.recommender.training.loop import Trainee
from stages.recommender.training.names import Names
from stages.recommender.training.run import Inputs, SeedRun, for_repeat, rows_of_paper_split, span

NAMES = Names(
    trainable_layers="gate.trainable_layers",
    encoder_rate="gate.encoder_learning_rate",
    rates=("gate.learning_rate", "gate.rule_learning_rate"),
    request_batch="gate.batch",
    tag_batch="gate.movie_batch",
    request_tokens=("titles.max_tokens", "titles.max_turn_tokens"),
    tag_tokens=("titles.max_movie_tokens",),
    tags="texts",
)
"""Of what the gate reads."""
_LOOKED_UP_AT_ONCE = 512
"""Requests whose similarities to all training dialogues are held."""


class GateRun(SeedRun):
    """The training of the gate with one seed; see :class:`SeedRun`.

    The texts of its movies stand in the place of the tags: each is a request for its movie.
    """

    def __init__(self, entry: ModelEntry, params: Params, inputs: Inputs, repeat: int) -> None:
        gate = params.gate
        training = params.training.model_copy(
            update={
                "trainable_layers": gate.trainable_layers,
                "encoder_learning_rate": gate.encoder_learning_rate,
                "epochs": gate.epochs,
                "dialogue_batch": gate.batch,
                "tag_batch": gate.movie_batch,
                "head_learning_rate": gate.learning_rate,
            }
        )
        super().__init__(entry, params.model_copy(update={"training": training}), inputs, repeat)

    @classmethod
    def repeats(cls, params: Params) -> int:
        """How many seeds the gate is trained with: a number of its own, as it costs little."""
        return params.gate.repeats

    @classmethod
    def params_of(cls, params: Params, repeat: int) -> Params:
        """The parameters of one repeat; each is trained on the paper's split as well."""
        return for_repeat(params, repeat)

    def _names(self) -> Names:
        return NAMES

    def _dialogues(self, reading: str, split: str) -> GateExamples:
        table = self.inputs.examples[reading, split]
        return GateExamples.read(
            super()._dialogues(reading, split),
            reading,
            torch.from_numpy(table["conversation_id"].to_numpy().copy()),
            Ragged.from_column(table["contexts"]),
        )

    def _lessons(self, whole: DialogueExamples, paper: bool = False) -> GateExamples:
        """The examples of all readings, from the conversations of a training split."""
        parts = [whole]
        for reading in READINGS[1:]:
            if paper:
                of_file = [self._dialogues(reading, split) for split in self._splits_of_file()]
                rows = rows_of_paper_split(self._training_file(reading), "train")
                parts.append(GateExamples.concatenate(of_file).take(rows))
            else:
                parts.append(self._dialogues(reading, "train"))
        return GateExamples.concatenate(parts)

    def _trainee(self, train: DialogueExamples, validation: DialogueExamples) -> Trainee:
        if not isinstance(train, GateExamples):
            raise TypeError("the gate trains on examples of all readings")
        # here, where the model is made of them: it knows their dialogues by the same numbers
        train = train.counted(self.inputs.movies.num_rows)
        trainee = super()._trainee(train, validation)
        rate = self.params.gate.rule_learning_rate
        trainee = self._altered(replace(trainee, rules=RULES, rule_learning_rate=rate))
        return _with_nearest(trainee) if self.frozen else trainee

    def _altered(self, trainee: Trainee) -> Trainee:
        """What is trained instead; nothing of it is looked up yet."""
        return trainee

    def _model(self, encoder: EncoderSizes, train: DialogueExamples) -> RecommenderNetwork:
        texts = self._movie_texts.vectors
        if not isinstance(train, GateExamples) or texts is None:
            raise TypeError("the gate trains on examples of all readings")
        sentences = train.vectors
        if sentences is None:  # the encoder learns: those that it begins with
            sentences = self._vectors(train, "sentence vectors, requests")
        movies, gate = self.inputs.movies.num_rows, self.params.gate
        named, recommended, number = train.by_dialogue(movies)
        counts = Cooccurrence.count(named, recommended, movies, gate.shrinkage)
        width = texts.shape[1]
        neighbours = Neighbours(len(named), len(named.values), movies, width, gate)
        neighbours.remember(_of_whole(train, sentences, number), named)
        context = MentionContext(encoder.vocabulary, self.params.titles.context_tokens, gate)
        model = GatedRecommender(texts, counts, neighbours, context, gate)
        model.start_from(sentences)
        return model

    def _auxiliary(self) -> TagExamples:
        texts = self._movie_texts if self.frozen else replace(self._movie_texts, vectors=None)
        return texts.to(self.machine.device)

    @cached_property
    def _movie_texts(self) -> TagExamples:
        """Each movie's own text, with the vector that the encoder has for it before it learns."""
        table = self.inputs.movie_texts
        if table is None:
            raise ValueError("the gate needs the texts of its movies")
        movies = torch.from_numpy(table["movie"].to_numpy().astype("int64"))
        texts = TagExamples(Ragged.from_column(table["input_ids"]), movies)
        return texts.with_vectors(self._vectors(texts, "sentence vectors, movies"))

    def _objective(self, train: DialogueExamples) -> Objective:
        return replace(super()._objective(train), tag_weight=self.params.gate.movie_text_weight)

    def _foretell(self, seconds: float) -> None:
        if self.machine.device.type == "cpu" and not self.frozen:
            tqdm.write(
                f"No GPU is used: a training of the gate takes about {span(seconds)} here. On a "
                "frozen encoder it takes minutes: leave out the preset tuned-gate, or the value "
                "given for gate.trainable_layers",
                file=sys.stderr,
            )

    def _held_out_tag_loss(self, trainee: Trainee) -> None:
        """None: every movie's text is trained on."""

    def _of_requests(self) -> dict[str, Any]:
        titles = self.params.titles
        return {
            "text_form": "titles",
            "max_tokens": titles.max_tokens,
            "gate": self.params.gate,
            "titles": titles,
        }

    def _depends_on(self, trainee: Trainee) -> dict[str, object]:
        return super()._depends_on(trainee) | {"gate": self.params.gate.model_dump()}


def gate_of(trainee: Trainee) -> GatedRecommender:
    """The trainee's model."""
    if not isinstance(trainee.model, GatedRecommender):
        raise TypeError("this is how a gate is trained")
    return trainee.model


def _of_whole(train: GateExamples, sentences: Tensor, number: Tensor) -> Tensor:
    """The sentence vectors of whole dialogues, by their numbers: (dialogues, width).

    Zero of a dialogue that is read otherwise alone.
    """
    [rows] = torch.where(train.readings == READINGS.index("whole"))
    vectors = torch.zeros(int(number.max()) + 1, sentences.shape[1])
    vectors[number[rows]] = sentences[rows].float()
    return vectors


def _with_nearest(trainee: Trainee) -> Trainee:
    """The same, its training requests with their nearest dialogues: they never change."""
    model, lessons = gate_of(trainee), trainee.train
    if not isinstance(lessons, GateExamples):
        raise TypeError("the gate trains on examples of all readings")
    found = []
    for rows in torch.split(torch.arange(len(lessons)), _LOOKED_UP_AT_ONCE):
        part = lessons.take(rows)
        if part.vectors is None:
            raise ValueError("nearest dialogues are looked up by sentence vectors")
        mentions = part.mentions.distinct()
        found.append(model.neighbours.nearest_to(part.vectors, mentions, own=part.remembered))
    return replace(trainee, train=replace(lessons, nearest=Nearest.concatenate(found)))
