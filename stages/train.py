"""Examples, tags and the encoder → one trained model with its metrics, history and rankings.

Run as ``python -m stages.train <trainer>-<variant>``.
"""

import sys

from stages.recommender import artifacts
from stages.recommender.dialogues import splits
from stages.recommender.errors import UserError, run_stage
from stages.recommender.evaluation.readings import PAPER_SPLIT
from stages.recommender.modeling.variants import VARIANTS
from stages.recommender.params import Params, load_params
from stages.recommender.training.results import write_results
from stages.recommender.training.run import Inputs, ModelRun


def main() -> None:
    """Run the stage for the model that the command line names."""
    params = load_params()
    name = sys.argv[1] if len(sys.argv) == 2 else ""
    if name not in params.models:
        raise UserError(
            f"{name or 'no model'} is not in params.yaml; name one of its models: "
            f"{', '.join(params.models)}"
        )
    run = ModelRun(params.models[name], params, _inputs(name, params))
    write_results(name, run.train(), run.inputs)
    run.forget()


def _inputs(name: str, params: Params) -> Inputs:
    wanted = [("whole", split) for split in splits.SPLITS]
    wanted += [(r, splits.TEST) for r in params.evaluation.readings if r != PAPER_SPLIT]
    examples = {
        (reading, split): artifacts.read_table(
            artifacts.EXAMPLES / reading / f"{split}.parquet",
            artifacts.EXAMPLE_SCHEMA,
            "tokenize_dialogues",
        )
        for reading, split in wanted
    }
    tags = {
        split: artifacts.read_table(
            artifacts.TAGS / f"{split}.parquet", artifacts.TAG_EXAMPLE_SCHEMA, "tokenize_tags"
        )
        for split in ("train", "held_out")
        if VARIANTS[params.models[name].variant].learns_tags
    }
    movies = artifacts.read_table(artifacts.MOVIES, artifacts.MOVIE_SCHEMA, "build_movie_map")
    return Inputs(examples, tags, movies, artifacts.ENCODER)


if __name__ == "__main__":
    run_stage(main)
