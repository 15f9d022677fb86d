"""The corpora that the memory of the data stages is measured on are what they are said to be."""

from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
from redial_tables import whole

from stages.recommender import artifacts
from stages.recommender.corpora import movielens, redial
from stages.recommender.corpora.sample import write_movielens_zip, write_redial_zip
from stages.recommender.params import Sample
from tests.benchmarks.memory import packed, repeated

SAMPLE = Sample(seed=1, movies=40, train_dialogues=30, test_dialogues=10)


def test_repeated_dialogues_have_numbers_of_their_own(tmp_path: Path) -> None:
    once, often = tmp_path / "once.zip", tmp_path / "often.zip"
    write_redial_zip(SAMPLE, once)
    repeated(once, often, 3)
    given, made = (whole(redial.read_archive(path)) for path in (once, often))
    numbers: list[int] = []
    for split, table in given.items():
        texts = Counter(str(messages) for messages in table["messages"].to_pylist())
        found = Counter(str(messages) for messages in made[split]["messages"].to_pylist())
        assert found == {text: 3 * count for text, count in texts.items()}
        numbers += made[split]["conversation_id"].to_pylist()
    assert len(numbers) == len(set(numbers)) == 120


def test_the_archive_of_movielens_tables_is_read_as_them(tmp_path: Path) -> None:
    write_movielens_zip(SAMPLE, tmp_path / "given.zip")
    given = movielens.read_archive(tmp_path / "given.zip")
    for name in ("movies", "tags"):
        pq.write_table(given[name], tmp_path / f"{name}.parquet")
    counts = packed(tmp_path, tmp_path / "made.zip")
    made = movielens.read_archive(tmp_path / "made.zip")
    assert counts == (given["movies"].num_rows, given["tags"].num_rows)
    assert made["movies"] == given["movies"]
    assert made["tags"] == given["tags"]
    assert made["links"] == artifacts.MOVIELENS_LINK_SCHEMA.empty_table()
