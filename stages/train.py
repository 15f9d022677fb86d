"""Examples, tags and the encoder → one trained model with its metrics, history and rankings.

Run as ``python -m stages.train <trainer>-<variant>``. It trains in ``compute.processes`` processes
of this machine, or in those in which torchrun runs it.
"""

import sys
from pathlib import Path

import pyarrow as pa

from stages.recommender import artifacts
from stages.recommender.corpora.encoder_manifest import check_encoder
from stages.recommender.dialogues import splits
from stages.recommender.errors import UserError, run_stage
from stages.recommender.evaluation.readings import PAPER_SPLIT
from stages.recommender.known_for import known_for
from stages.recommender.modeling.gate import READINGS
from stages.recommender.modeling.variants import VARIANTS
from stages.recommender.params import Params, load_params
from stages.recommender.training import processes
from stages.recommender.training.encoder_limits import check_limits
from stages.recommender.training.gate_run import GateRun
from stages.recommender.training.leftovers import remove_leftovers
from stages.recommender.training.results import write_results
from stages.recommender.training.run import Inputs, ModelRun


def main() -> None:
    """Run the stage for the model that the command line names."""
    with processes.together():
        _train()


def _train() -> None:
    params = load_params()
    name = sys.argv[1] if len(sys.argv) == 2 else ""
    if name not in params.models:
        problem = f"{name} is not in params.yaml" if name else "no single model is named"
        raise UserError(f"{problem}; name one that params.yaml has: {', '.join(params.models)}")
    if not processes.are_given() and params.compute.processes > 1:
        processes.launch(params.compute, "stages.train", name)
        return
    processes.check(params.compute)
    processes.agree_on("model and parameters", f"{name} {params}")
    if processes.is_first():
        remove_leftovers(artifacts.CACHE / "training")
    entry = params.models[name]
    if VARIANTS[entry.variant].gates_repeats:
        run = ModelRun(entry, params, _gate_inputs(), GateRun)
    else:
        run = ModelRun(entry, params, _inputs(name, params))
    trained = run.train()
    if processes.is_first():
        write_results(name, trained, run.inputs)
    run.finish()


def _inputs(name: str, params: Params) -> Inputs:
    check_encoder(artifacts.ENCODER)
    wanted = [("whole", split) for split in splits.SPLITS]
    wanted += [(r, splits.TEST) for r in params.evaluation.readings if r != PAPER_SPLIT]
    examples = {
        (reading, split): _read(
            artifacts.EXAMPLES / reading / f"{split}.parquet",
            artifacts.EXAMPLE_SCHEMA,
            "dialogues",
            "use more dialogues"
            if reading == "whole"
            else "use more dialogues, or leave its reading out of evaluation.readings",
        )
        for reading, split in wanted
    }
    tags = {
        split: _read(
            artifacts.TAGS / f"{split}.parquet",
            artifacts.TAG_EXAMPLE_SCHEMA,
            "tags",
            "use a MovieLens archive with more tags, or a lower tags.min_characters",
        )
        for split in ("train", "held_out")
        if VARIANTS[params.models[name].variant].learns_tags
    }
    return Inputs(examples, tags, *_catalogue(), artifacts.ENCODER)


def _gate_inputs() -> Inputs:
    check_encoder(artifacts.ENCODER)
    examples = {
        (reading, split): _read(
            artifacts.TITLES / reading / f"{split}.parquet",
            artifacts.TITLE_EXAMPLE_SCHEMA,
            "titles",
            "use more dialogues",
        )
        for reading in READINGS
        for split in splits.SPLITS
    }
    texts = _read(
        artifacts.MOVIE_TEXTS, artifacts.MOVIE_TEXT_SCHEMA, "titles", "use more dialogues"
    )
    return Inputs(examples, {}, *_catalogue(), artifacts.ENCODER, texts)


def _catalogue() -> tuple[pa.Table, pa.Table]:
    """The movies, and what they are known for."""
    movies = artifacts.read_table(artifacts.MOVIES, artifacts.MOVIE_SCHEMA, "build_movie_map")
    given = artifacts.read_batches(
        artifacts.MOVIELENS_TAGS,
        artifacts.MOVIELENS_TAG_SCHEMA,
        "download_movielens",
        rows=artifacts.TAG_ROWS,
    )
    return movies, known_for(given, movies)


def _read(file: Path, schema: pa.Schema, section: str, otherwise: str) -> pa.Table:
    """Examples that the encoder can read; ``otherwise`` says what to do where there is none."""
    examples = artifacts.read_table(file, schema, f"tokenize_{section}")
    if not examples.num_rows:
        raise UserError(f"{file} has no example; {otherwise}")
    check_limits(artifacts.ENCODER, examples, file, section)
    return examples


if __name__ == "__main__":
    run_stage(main)
