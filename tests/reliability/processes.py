"""Does a model train in several processes as in one, and go on after a kill?  ``make processes``

Three kinds of models of the small project of the tests are trained without dropout in one, two
and three processes, and their losses compared. Two and three are then killed with SIGKILL at
every third step, all at once, and started again. It writes ``docs/reliability/processes.json``.
"""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import pandas as pd  # noqa: E402
import small_project  # noqa: E402
from killed_training import Trainings, steps_of, trainings  # noqa: E402
from sections import Section, machine, write_section  # noqa: E402
from tiny_encoder import write_tiny_encoder  # noqa: E402

MODELS = {
    "fine-tuned": ("weighted-rnn-multitask", "all"),
    "frozen": ("weighted-rnn-multitask", "none"),
    "gate": ("softmax-gate", "none"),
}
COUNTS = (2, 3)
STILL: dict[str, Any] = {
    "model": {"dropout": 0.0},
    "training": {"dialogue_batch": 5, "tag_batch": 19},
    "gate": {"dropout": 0.0, "sentence_dropout": 0.0, "batch": 103, "movie_batch": 29},
    "evaluation": {"readings": ["before"]},
}
"""Of 26 examples, or 104 that the gate reads, 20 tags and 30 movies, batches of one are left over,
fewer than processes."""


class Comparison:
    """Trainings of one model.

    Args:
        server: Starts them.
        folder: Where they run.
        encoder: Without dropout.
        model: ``<trainer>-<variant>``.
        layers: ``training.trainable_layers``.
    """

    def __init__(
        self, server: Trainings, folder: Path, encoder: Path, model: str, layers: str
    ) -> None:
        self.server = server
        self.folder = folder
        self.encoder = encoder
        self.model = model
        self.layers = {"training": {"trainable_layers": layers}}

    def train(self, name: str, processes: int) -> Path:
        """Train in a new folder, until the end."""
        root = self.folder / name
        root.mkdir(parents=True)
        small_project.write_project(root, self.encoder, STILL, self.layers)
        self._run(root, processes)
        return root

    def train_killed(self, processes: int) -> tuple[Path, int]:
        """The same, killed at every third step; with how many kills."""
        root = self.folder / "killed"
        root.mkdir(parents=True)
        small_project.write_project(root, self.encoder, STILL, self.layers)
        kills = 0
        while any(
            self.server.run_together(
                [root] * processes, self.model, dict.fromkeys(range(processes), "step"), 4
            )
        ):
            kills += 1
        return root, kills

    def _run(self, root: Path, processes: int) -> None:
        codes = self.server.run_together([root] * processes, self.model)
        if any(codes):
            raise RuntimeError(f"{root}: {codes}")

    def losses(self, root: Path) -> pd.DataFrame:
        """Of each epoch."""
        history = pd.read_csv(root / "metrics" / "history" / f"{self.model}.csv")
        return history.filter(like="loss").dropna(axis=1)


def outputs(root: Path) -> dict[Path, bytes]:
    """All that a training leaves."""
    folders = (root / "models", root / "metrics", root / "data" / "rankings")
    return {
        path.relative_to(root): path.read_bytes()
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file()
    }


def main() -> None:
    """Train, compare, write."""
    rows, greatest = [], 0.0
    with TemporaryDirectory() as name:
        folder = Path(name)
        encoder = folder / "encoder"
        encoder.mkdir()
        write_tiny_encoder(encoder)
        config = json.loads((encoder / "config.json").read_text(encoding="utf-8"))
        config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
        (encoder / "config.json").write_text(json.dumps(config), encoding="utf-8")
        with trainings(encoder) as server:
            for kind, (model, layers) in MODELS.items():
                compared = Comparison(server, folder / kind, encoder, model, layers)
                alone = compared.train("1", 1)
                for processes in COUNTS:
                    root = compared.train(str(processes), processes)
                    steps = steps_of(root)
                    one, several = compared.losses(alone), compared.losses(root)
                    difference = float(((several - one).abs() / one).to_numpy().max())
                    greatest = max(greatest, difference)
                    killed, kills = compared.train_killed(processes)
                    same = "yes" if outputs(killed) == outputs(root) else "no"
                    killed.rename(killed.with_name(f"killed {processes}"))
                    rows.append(
                        [kind, str(processes), str(steps), f"{difference:.1e}", str(kills), same]
                    )
                    print(*rows[-1], flush=True)
    write_section(
        "processes",
        Section(
            title="Several processes",
            says=(
                "Models of the small project of the tests were trained on the CPU in one process "
                "and in several, over gloo, without dropout, with batches that leave fewer "
                "examples than processes; the greatest relative difference of a loss of any epoch "
                f"is {greatest:.1e}. All processes were killed at once with SIGKILL at every "
                "third step until the training had come to its end; the last column says whether "
                "models, rankings and metrics are then the bytes of as many processes that nobody "
                "disturbed. NCCL, over which several GPUs train, never ran."
            ),
            command="make processes",
            machine=machine(),
            columns=[
                "model",
                "processes",
                "steps",
                "greatest difference",
                "kills",
                "same bytes afterwards",
            ],
            rows=rows,
        ),
    )


if __name__ == "__main__":
    main()
