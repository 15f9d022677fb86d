"""How time and memory grow with the number of movies and of dialogues, measured and drawn.

Run as ``python -m tests.benchmarks.growth`` where ``data/`` holds the real corpus. The added
movies are ones that nobody mentions; the added dialogues are the real ones again.
"""

from typing import Any

import matplotlib as mpl
import torch

from stages.recommender.evaluation import metrics
from stages.recommender.params import Compute
from stages.recommender.training import loop
from stages.recommender.training.batches import DialogueExamples, batches_of, dialogue_batches
from stages.recommender.training.determinism import prepare
from stages.recommender.training.scoring import score
from tests.benchmarks import common

mpl.use("Agg")
from matplotlib import pyplot as plt

TIMES_MOVIES = (1, 10, 100)
TIMES_DIALOGUES = (1, 3, 10)
VARIANT = "rnn"


def with_movies(times: int) -> dict[str, Any]:
    """A training step and an evaluation of 256 requests, the encoder frozen."""
    machine = prepare(Compute(device="cpu", threads=2, precision="float32"))
    count = times * common.movies()
    dialogues = DialogueExamples.from_table(common.examples("train").slice(0, 256))
    trainee = common.frozen_trainee(VARIANT, count, dialogues)
    optimizer = loop._optimizer(trainee, common.TRAINING)
    batch = next(batches_of(trainee.train, dialogue_batches(256, 32, 42, 0)))
    trainee.model.train()
    step = common.median_seconds(
        lambda: loop._step(trainee, batch, None, common.TRAINING, machine, optimizer),
        3 if times > 10 else 10,
    )
    trainee.model.zero_grad(set_to_none=True)
    return {"movies": count, "step_ms": 1e3 * step, "evaluation_s": _evaluation(trainee, machine)}


def with_dialogues(times: int) -> dict[str, Any]:
    """An epoch's steps and the evaluation of all training dialogues, the encoder frozen."""
    machine = prepare(Compute(device="cpu", threads=2, precision="float32"))
    part = DialogueExamples.from_table(common.examples("train"))
    dialogues = DialogueExamples.concatenate([part] * times)
    trainee = common.frozen_trainee(VARIANT, common.movies(), dialogues)
    optimizer = loop._optimizer(trainee, common.TRAINING)
    trainee.model.train()

    def epoch() -> None:
        rows = dialogue_batches(len(dialogues), 32, 42, 0)
        for batch in batches_of(trainee.train, rows):
            loop._step(trainee, batch, None, common.TRAINING, machine, optimizer)

    seconds = common.median_seconds(epoch, 1, warm=0)
    return {
        "dialogues": len(dialogues),
        "epoch_s": seconds,
        "evaluation_s": _evaluation(trainee, machine),
    }


def _evaluation(trainee: loop.Trainee, machine: Any) -> float:
    """Seconds to score the validation examples and take nDCG@10."""
    labels = trainee.validation.labels
    lists = metrics.Labels(labels.values.numpy(), labels.lengths.numpy())
    loss = trainee.objective.dialogue_loss

    def evaluate() -> None:
        scored = score(trainee.model, None, trainee.validation, loss, 64, machine, 10)
        metrics.ndcg(scored.rankings, lists, 10)

    return common.median_seconds(evaluate, 1, warm=0)


def draw(by_movies: list[dict[str, Any]], by_dialogues: list[dict[str, Any]]) -> None:
    """Each cost against each size, both axes logarithmic, with a line for growth in proportion."""
    panels = [
        (by_movies, "movies", "step_ms", "training step, ms"),
        (by_movies, "movies", "evaluation_s", "evaluation of 256 requests, s"),
        (by_movies, "movies", "memory_gib", "memory, GiB"),
        (by_dialogues, "dialogues", "epoch_s", "epoch's steps, s"),
        (by_dialogues, "dialogues", "evaluation_s", "evaluation of all, s"),
        (by_dialogues, "dialogues", "memory_gib", "memory, GiB"),
    ]
    figure, axes = plt.subplots(2, 3, figsize=(10.5, 6.2), layout="constrained")
    for axis, (points, size, cost, title) in zip(axes.flat, panels, strict=True):
        sizes = [point[size] for point in points]
        costs = [point[cost] for point in points]
        proportional = [costs[0] * each / sizes[0] for each in sizes]
        axis.loglog(sizes, proportional, "--", color="0.6", label="in proportion")
        axis.loglog(sizes, costs, "o-", color="#1f5f99", label="measured")
        for each, value in zip(sizes, costs, strict=True):
            axis.annotate(
                f"{value:,.0f}" if value >= 100 else f"{value:.3g}",
                (each, value),
                (0, 8),
                textcoords="offset points",
                ha="center",
                bbox={"boxstyle": "square,pad=0.1", "color": "white"},
            )
        axis.set_title(title, loc="left", fontsize=11)
        axis.set_xticks(sizes, [f"{each:,}" for each in sizes])
        axis.minorticks_off()
        axis.set_xlabel(size)
        axis.margins(x=0.18, y=0.22)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0, 0].legend(frameon=False)
    figure.savefig(common.RESULTS / "growth.png", dpi=130)


def main() -> None:
    """Measure, each size in a process of its own, write the results and draw them."""
    by_movies = [common.in_own_process(with_movies, times) for times in TIMES_MOVIES]
    by_dialogues = [common.in_own_process(with_dialogues, times) for times in TIMES_DIALOGUES]
    rows = [_row(point, "movies", f"{point['step_ms']:.1f} ms a step") for point in by_movies] + [
        _row(point, "dialogues", f"{point['epoch_s']:.1f} s an epoch") for point in by_dialogues
    ]
    content = {
        "machine": common.machine_name("cpu"),
        "movies": by_movies,
        "dialogues": by_dialogues,
    }
    common.write("growth", content, rows)
    draw(by_movies, by_dialogues)


def _row(point: dict[str, Any], size: str, training: str) -> dict[str, Any]:
    return {
        "size": f"{point[size]:,} {size}",
        "training": training,
        "evaluation, s": f"{point['evaluation_s']:.2f}",
        "memory, GiB": f"{point['memory_gib']:.2f}",
    }


if __name__ == "__main__":
    torch.set_num_threads(2)
    main()
