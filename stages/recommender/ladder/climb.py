"""Every rung of the ladder trained and scored."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
from tqdm import tqdm

from stages.recommender import artifacts
from stages.recommender.dialogues import splits
from stages.recommender.evaluation.baselines.examples import Examples
from stages.recommender.evaluation.baselines.popular import MostPopular
from stages.recommender.evaluation.rankings import Rankings
from stages.recommender.evaluation.readings import by_reading
from stages.recommender.ladder.corpus import Corpus
from stages.recommender.ladder.run import RungRun
from stages.recommender.ladder.rungs import VARIANT, Rung, rungs
from stages.recommender.ladder.scoring import Answers, scored
from stages.recommender.params import Params
from stages.recommender.training import leftovers
from stages.recommender.training.batches import DialogueExamples, TagExamples
from stages.recommender.training.checkpoints import code_digest
from stages.recommender.training.determinism import prepare
from stages.recommender.training.run import Inputs, ModelRun
from stages.recommender.training.vectors import encoder_identity


class Climb:
    """One climb of the ladder; what is finished of it is kept, so that a kill loses no rung.

    Args:
        params: The pipeline's; of them count ``ladder`` and ``compute``.
        corpus: The raw corpora.
    """

    def __init__(self, params: Params, corpus: Corpus) -> None:
        self.params = params
        self.corpus = corpus
        self._kept: list[Path] = []

    def ladder(self) -> dict[str, Any]:
        """Train and score every rung.

        Returns:
            What ``metrics/ladder.json`` holds: the variant, and for each rung its ``name``,
            ``note`` and scores; see :func:`~stages.recommender.ladder.scoring.scored`.
        """
        return {
            "variant": VARIANT,
            "epochs": self.params.ladder.epochs,
            "repeats": self.params.ladder.repeats,
            "rungs": scored(list(self._answers())),
        }

    def finish(self) -> None:
        """Tell that the result is written; the rungs are kept while DVC needs them."""
        for path in self._kept:
            leftovers.finish(path)

    def _answers(self) -> Iterator[Answers]:
        every = list(rungs())
        for number, rung in enumerate(every, start=1):
            tqdm.write(f"rung {number} of {len(every)}: {rung.repair.name}")
            inputs = self.corpus.inputs(rung.setup)
            answered = self._trained(rung, inputs)
            yield Answers(rung.repair, by_reading(answered), by_reading(_popular(inputs)))

    def _trained(self, rung: Rung, inputs: Inputs) -> pa.Table:
        """The rung's rankings, of ``artifacts.RANKING_SCHEMA``, kept or computed."""
        params = rung.setup.params(self.params, self.corpus.request_tokens)
        path = artifacts.CACHE / "ladder" / f"{_identity(rung, params, inputs)}.parquet"
        self._kept.append(path)
        if not path.is_file():
            run = ModelRun(rung.setup.entry(), params, inputs, RungRun)
            artifacts.write_table(path, run.train().rankings, artifacts.RANKING_SCHEMA)
            run.forget()
        return artifacts.read_table(path, artifacts.RANKING_SCHEMA, "climb_ladder")


def _popular(inputs: Inputs) -> pa.Table:
    """What popularity answers the test examples, counted over the whole training file."""
    train, validation, test = (inputs.examples["whole", split] for split in splits.SPLITS)
    # a baseline selects no epoch; where the test split does, there are no validation dialogues
    file = train if validation.equals(test) else pa.concat_tables([train, validation])
    popular = MostPopular(inputs.movies.num_rows).fit(Examples.from_table(file))
    scores = popular.score(Examples.from_table(test))
    return Rankings.from_scores(test, "whole", scores).to_table()


def _identity(rung: Rung, params: Params, inputs: Inputs) -> str:
    """Named after all that a rung's rankings depend on."""
    examples = [
        DialogueExamples.from_table(inputs.examples["whole", split]) for split in splits.SPLITS
    ]
    depends_on = {
        "code": code_digest(),
        "setup": asdict(rung.setup),
        "training": params.training.model_dump(),
        "machine": str(prepare(params.compute)),
        "encoder": encoder_identity(inputs.encoder),
        "movies": inputs.movies.num_rows,
        "examples": [each.digest() for each in examples],
        "tags": TagExamples.from_table(inputs.tags["train"]).digest(),
    }
    return hashlib.sha256(json.dumps(depends_on, sort_keys=True).encode()).hexdigest()[:32]
