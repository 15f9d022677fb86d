"""The gate without each of its parts, on fewer dialogues, and with answers decided otherwise."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from tqdm import tqdm

from stages.recommender import artifacts
from stages.recommender.ablation.oracle import gated, reranked, without_mentions
from stages.recommender.ablation.parts import PARTS, Part
from stages.recommender.ablation.run import AblatedRun, Shared, number_of
from stages.recommender.ablation.scoring import Answers, changes, scored
from stages.recommender.dialogues import splits
from stages.recommender.evaluation.rankings import Rankings
from stages.recommender.evaluation.readings import by_reading
from stages.recommender.modeling.gate import READINGS
from stages.recommender.params import Params
from stages.recommender.training import leftovers
from stages.recommender.training.run import Inputs

MODEL = "softmax-gate"
FRACTIONS = (0.25, 0.5)
"""Of the training dialogues; all of them are the full model's."""
ALTERED = {
    "never repeating": (
        without_mentions,
        "The mentioned movies taken out of its answers; what the score loses is repetition.",
    ),
    "perfect gate": (
        gated,
        "Every mention that is recommended first and no other, then new movies in its order.",
    ),
    "perfect order": (
        reranked,
        "The first 100 movies in the best order, labels first.",
    ),
}


class Ablation:
    """One ablation; what is trained of it is kept, so that a kill loses no training.

    Args:
        params: The pipeline's.
        inputs: Training and validation examples of every reading, none of test.
    """

    def __init__(self, params: Params, inputs: Inputs) -> None:
        self.params = params
        self.inputs = inputs
        self._shared = Shared()
        self._kept: list[Path] = []

    def result(self) -> dict[str, Any]:
        """Train and score everything.

        Returns:
            What ``metrics/ablation.json`` holds: the ``model`` with its ``epochs``, ``repeats``
            and ``scores``; by part its ``name``, ``note``, the ``scores`` without it and their
            ``changes``; the ``curve`` over the training ``dialogues``; and what its ``altered``
            answers score. See :mod:`stages.recommender.ablation.scoring`.
        """
        full, *others = self._answers()
        parts, fewer = others[: len(PARTS)], others[len(PARTS) :]
        altered = [_with(full, alter) for alter, _ in ALTERED.values()]
        own, *rest = scored([full, *others, *altered])
        of_parts, rest = rest[: len(PARTS)], rest[len(PARTS) :]
        of_fewer, of_altered = rest[: len(fewer)], rest[len(fewer) :]
        changed = changes(full, parts)
        return {
            "model": MODEL,
            "epochs": self.params.ablation.epochs or self.params.gate.epochs,
            "repeats": self.params.ablation.repeats,
            "scores": own,
            "parts": [
                {"name": part.name, "note": part.note, "scores": scores, "changes": change}
                for part, scores, change in zip(PARTS, of_parts, changed, strict=True)
            ],
            "curve": [
                {"fraction": fraction, "dialogues": self._dialogues(fraction), "scores": scores}
                for fraction, scores in zip((*FRACTIONS, 1.0), (*of_fewer, own), strict=True)
            ],
            "altered": [
                {"name": name, "note": note, "scores": scores}
                for (name, (_, note)), scores in zip(ALTERED.items(), of_altered, strict=True)
            ],
        }

    def finish(self) -> None:
        """Tell that the result is written; the answers are kept while DVC needs them."""
        for path in self._kept:
            leftovers.finish(path)

    def _answers(self) -> Iterator[Answers]:
        """Of the full model, of it without each part, and of it on each fraction."""
        trainings: list[tuple[str, Part | None, float]] = [("the full model", None, 1.0)]
        trainings += [(f"without {part.name}", part, 1.0) for part in PARTS]
        trainings += [(f"on {share:.0%} of the dialogues", None, share) for share in FRACTIONS]
        for number, (what, part, fraction) in enumerate(trainings, start=1):
            tqdm.write(f"training {number} of {len(trainings)}: {what}")
            repeats = range(self.params.ablation.repeats)
            tables = [self._trained(repeat, part, fraction) for repeat in repeats]
            yield by_reading(pa.concat_tables(tables))

    def _trained(self, repeat: int, part: Part | None, fraction: float) -> pa.Table:
        """The rankings of one training, of ``artifacts.RANKING_SCHEMA``, kept or computed."""
        run = AblatedRun(self.params, self.inputs, repeat, part, fraction, self._shared)
        path = artifacts.CACHE / "ablation" / f"{run.identity()}.parquet"
        self._kept.append(path)
        if not path.is_file():
            artifacts.write_table(path, run.answers(), artifacts.RANKING_SCHEMA)
            run.forget()
        return artifacts.read_table(path, artifacts.RANKING_SCHEMA, "ablate")

    def _dialogues(self, fraction: float) -> int:
        """How many training dialogues a fraction is."""
        read = [self.inputs.examples[reading, splits.TRAIN] for reading in READINGS]
        distinct = pc.count_distinct(pa.concat_tables(read)["conversation_id"]).as_py()
        return number_of(fraction, distinct)


def _with(answers: Answers, alter: Callable[[Rankings], Rankings]) -> Answers:
    return {reading: [alter(each) for each in every] for reading, every in answers.items()}
