import tempfile
from pathlib import Path

import pytest
from redial_tables import whole

from stages.recommender.corpora.movielens import read_archive as read_movielens
from stages.recommender.corpora.redial import read_archive as read_redial
from stages.recommender.corpora.sample import write_movielens_zip, write_redial_zip
from stages.recommender.ladder.corpus import Corpus
from stages.recommender.params import Sample

SAMPLE = Sample(seed=1, movies=40, train_dialogues=60, test_dialogues=20)


@pytest.fixture(scope="session")
def corpus(tiny_encoder: Path) -> Corpus:
    with tempfile.TemporaryDirectory() as folder:
        redial, movielens = Path(folder) / "redial.zip", Path(folder) / "movielens.zip"
        write_redial_zip(SAMPLE, redial)
        write_movielens_zip(SAMPLE, movielens)
        return Corpus(whole(read_redial(redial)), read_movielens(movielens), tiny_encoder)
