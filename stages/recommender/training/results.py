"""A trained model's results as files."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, fields

from stages.recommender import artifacts
from stages.recommender.evaluation.readings import by_reading, mean_scores
from stages.recommender.modeling.model_folder import save_model
from stages.recommender.training.checkpoints import EpochRecord
from stages.recommender.training.run import Inputs, Trained


def write_results(name: str, trained: Trained, inputs: Inputs) -> None:
    """Write model folder, rankings, history and metrics of a trained model.

    Args:
        name: ``<trainer>-<variant>``.
        trained: The model and its answers.
        inputs: What it was trained on.
    """
    save_model(
        artifacts.MODELS / name,
        trained.config,
        trained.model,
        trained.encoder,
        inputs.encoder,
        inputs.movies,
        inputs.known_for,
        trained.requests,
    )
    artifacts.write_table(
        artifacts.RANKINGS / f"{name}.parquet", trained.rankings, artifacts.RANKING_SCHEMA
    )
    artifacts.write_text(artifacts.HISTORY / f"{name}.csv", history_csv(trained.progress.history))
    artifacts.write_json(artifacts.METRICS / f"{name}.json", metrics_of(trained))


def history_csv(history: Sequence[EpochRecord]) -> str:
    """One line an epoch; a number is written so that reading it gives the same number."""
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, [f.name for f in fields(EpochRecord)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(record) for record in history)
    return file.getvalue()


def metrics_of(trained: Trained) -> dict[str, object]:
    """The metrics of a model: what was selected, and the test scores of each reading."""
    progress = trained.progress
    selected = progress.history[progress.best_epoch - 1]
    return {
        "trainer": trained.config.trainer,
        "variant": trained.config.variant,
        "epochs": len(progress.history),
        "selected_epoch": progress.best_epoch,
        "parameters": {
            "recommender": sum(p.numel() for p in trained.model.parameters()),
            "encoder": trained.encoder_parameters,
        },
        "validation": {
            "loss": selected.eval_loss,
            "ndcg@10": selected.eval_ndcg_at_10,
            "recall@10": selected.eval_recall_at_10,
        },
        "test_loss": trained.test_loss,
        "held_out_tag_loss": trained.held_out_tag_loss,
        "test": {
            reading: mean_scores(rankings)
            for reading, rankings in by_reading(trained.rankings).items()
        },
    }
