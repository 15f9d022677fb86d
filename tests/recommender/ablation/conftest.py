from pathlib import Path

import pytest
import small_project

from stages.recommender import artifacts
from stages.recommender.params import Params, load_params
from stages.recommender.training.run import Inputs


@pytest.fixture
def params(here: Path) -> Params:
    small_project.write_params(Path("params.yaml"), {"ablation": {"epochs": 1, "repeats": 1}})
    return load_params()


@pytest.fixture
def inputs(here: Path, tiny_encoder: Path) -> Inputs:
    """Without the test split, which the ablation does not read."""
    small_project.write_encoder(tiny_encoder, artifacts.ENCODER)
    examples = {
        key: table for key, table in small_project.title_tables().items() if key[1] != "test"
    }
    return Inputs(
        examples,
        {},
        small_project.movies(),
        artifacts.KNOWN_FOR_SCHEMA.empty_table(),
        artifacts.ENCODER,
        small_project.movie_texts(),
    )
