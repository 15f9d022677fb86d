import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import small_project
from redial_tables import whole
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit

from stages import tokenize_dialogues
from stages.recommender import artifacts
from stages.recommender.corpora.redial import read_archive
from stages.recommender.corpora.sample import write_redial_zip
from stages.recommender.dialogues.readings import READINGS
from stages.recommender.errors import run_stage
from stages.recommender.evaluation.movie_lists import MovieLists
from stages.recommender.evaluation.rankings import Rankings, fresh
from stages.recommender.movies.catalogue import build_catalogue
from stages.recommender.movies.movie_map import build_movie_map
from stages.recommender.params import MovieMap, Sample

SPLITS = ("train", "validation", "test")
TABLES = [(reading, split) for reading in READINGS for split in SPLITS]


def write_raw(root: Path, archive: Path, encoder: Path) -> None:
    """What the stage reads, from a ReDial archive and no MovieLens."""
    raw = whole(read_archive(archive))
    for split, table in raw.items():
        path = root / artifacts.REDIAL / f"{split}.parquet"
        artifacts.write_table(path, table, artifacts.DIALOGUE_SCHEMA)
    nothing = [
        schema.empty_table()
        for schema in (artifacts.MOVIELENS_MOVIE_SCHEMA, artifacts.MOVIELENS_TAG_SCHEMA)
    ]
    how = MovieMap(join="title", fuzzy_threshold=90.0)
    movies = build_movie_map(build_catalogue(raw.values()), *nothing, how)
    artifacts.write_table(root / artifacts.MOVIES, movies, artifacts.MOVIE_SCHEMA)
    small_project.write_encoder(encoder, root / artifacts.ENCODER)


def set_params(**dialogues: Any) -> None:
    small_project.write_params(Path("params.yaml"), {"dialogues": {"max_tokens": 64} | dialogues})


def examples(reading: str, split: str) -> pa.Table:
    path = artifacts.EXAMPLES / reading / f"{split}.parquet"
    return artifacts.read_table(path, artifacts.EXAMPLE_SCHEMA, "tokenize_dialogues")


def figures() -> Any:
    return artifacts.read_json(artifacts.FIGURES, "tokenize_dialogues")


# --- the stage, on the project's own corpus ----------------------------------------------------


@pytest.fixture(scope="module")
def sample(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sample")
    sizes = Sample(seed=3, movies=30, train_dialogues=40, test_dialogues=12)
    write_redial_zip(sizes, root / "redial.zip")
    write_raw(root, root / "redial.zip", tiny_encoder)
    return root


@pytest.fixture
def project(here: Path, sample: Path) -> None:
    shutil.copytree(sample, here, dirs_exist_ok=True)
    set_params()


def test_writes_every_reading_and_split(project: None) -> None:
    tokenize_dialogues.main()
    for reading, split in TABLES:
        table = examples(reading, split)
        found = figures()["examples"][reading][split]
        assert found["examples"] == table.num_rows
        assert found["tokens_95th_percentile"] <= 64
    whole = [examples("whole", split)["conversation_id"].to_pylist() for split in SPLITS]
    together = [conversation for part in whole for conversation in part]
    assert len(set(together)) == len(together)
    assert figures()["dialogues"] == {"train": 40, "test": 12}


def test_the_same_bytes_every_time(project: None) -> None:
    def content() -> dict[Path, bytes]:
        tokenize_dialogues.main()
        return {p: p.read_bytes() for p in artifacts.EXAMPLES.rglob("*") if p.is_file()}

    first = content()
    assert len(first) == len(TABLES) + 1
    assert content() == first


def test_parameters_are_followed(project: None) -> None:
    tokenize_dialogues.main()
    before = {split: examples("whole", split) for split in SPLITS}
    set_params(split="paper", test_fraction=0.5, max_tokens=8)
    tokenize_dialogues.main()
    assert max(len(ids) for ids in examples("turn", "test")["input_ids"].to_pylist()) == 8
    assert set(examples("whole", "test")["paper_split"].to_pylist()) == {"test"}
    assert examples("whole", "test").num_rows > 12
    assert before["test"]["paper_split"].null_count == before["test"].num_rows


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda: (artifacts.REDIAL / "test.parquet").unlink(), "dvc repro download_redial"),
        (lambda: artifacts.MOVIES.write_bytes(b"PAR1"), "dvc repro -f -s build_movie_map"),
        (
            lambda: (artifacts.ENCODER / "tokenizer.json").write_text("{}", encoding="utf-8"),
            "dvc repro -f -s download_encoder",
        ),
    ],
    ids=["missing dialogues", "damaged map", "damaged tokenizer"],
)
def test_a_wrong_input_is_told_and_nothing_written(
    project: None, spoil: Callable[[], object], told: str
) -> None:
    spoil()
    with pytest.raises(SystemExit, match=rf"^error: .*{told}$"):
        run_stage(tokenize_dialogues.main)
    assert not artifacts.EXAMPLES.exists()
    assert not list(Path("data").glob(".*"))


# --- the real corpus ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Tokenized:
    """What the stage wrote: its tables by (reading, split), and the figures."""

    tables: dict[tuple[str, str], pa.Table]
    figures: Any

    def rows(self, reading: str, *splits: str) -> int:
        return sum(self.tables[reading, split].num_rows for split in splits)


@pytest.fixture(scope="module")
def word_tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder's folder with a tokenizer that is fast, since it knows no word."""
    folder = tmp_path_factory.mktemp("words")
    tokenizer = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture(scope="module")
def real(
    corpora: Path, word_tokenizer: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Tokenized]:
    root = tmp_path_factory.mktemp("real")
    write_raw(root, corpora / "redial_dataset.zip", word_tokenizer)

    def tokenize(protocol: str, *readings: str) -> Tokenized:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(root)
            patch.setattr(tokenize_dialogues, "READINGS", readings)
            set_params(protocol=protocol)
            tokenize_dialogues.main()
            tables = {(r, s): examples(r, s) for r in readings for s in SPLITS}
            return Tokenized(tables, figures())

    return tokenize


@pytest.fixture(scope="module")
def notebook(real: Callable[..., Tokenized]) -> Tokenized:
    return real("notebook", "whole")  # the only reading that it knows


@pytest.fixture(scope="module")
def corrected(real: Callable[..., Tokenized]) -> Tokenized:
    return real("corrected", *READINGS)


def test_the_notebooks_figures_to_the_digit(notebook: Tokenized) -> None:
    assert notebook.figures["dialogues"] == {"train": 10_006, "test": 1_342}
    assert notebook.figures["movies"] == 6_636
    train = notebook.figures["examples"]["whole"]["train"]
    assert train["examples"] == 9_343
    assert notebook.figures["examples"]["whole"]["test"]["examples"] == 1_232
    assert round(train["mean_labels"], 2) == 3.07
    assert round(train["negatives_per_positive"], 1) == 2161.9
    first = notebook.tables["whole", "train"].slice(0, 1).to_pylist()[0]
    assert first["mentions"] == [492, 5823, 2329, 3773]
    assert first["labels"] == [4497, 6403]
    assert notebook.tables["whole", "validation"].equals(notebook.tables["whole", "test"])


def test_the_initiator_seldom_speaks_first(corrected: Tokenized) -> None:
    assert corrected.figures["first_speaker_is_initiator"] == {"train": 3_804, "test": 451}


def test_the_right_roles_give_other_examples(corrected: Tokenized) -> None:
    assert corrected.rows("whole", "train", "validation") == 9_947
    assert corrected.rows("whole", "test") == 1_327
    means = corrected.figures["examples"]["whole"]
    labels = sum(means[split]["labels"] for split in ("train", "validation"))
    assert round(labels / 9_947, 2) == 3.80
    assert round(means["test"]["mean_labels"], 2) == 3.61
    validation = corrected.rows("whole", "validation")
    assert abs(validation - 0.1 * 9_947) < 30  # drawn among all 10,006 dialogues


def test_before_the_first_recommendation(corrected: Tokenized) -> None:
    assert corrected.rows("before", "test") == 1_273
    assert round(corrected.figures["examples"]["before"]["test"]["mean_mentions"], 2) == 0.86
    texts = corrected.tables["before", "test"]["text"].to_pylist()
    words = sum(len(text.replace("[SEP]", " ").split()) for text in texts) / len(texts)
    assert round(words) == 16


def test_turns_are_those_of_the_standardised_re_evaluation(corrected: Tokenized) -> None:
    assert corrected.rows("turn", "train", "validation") == 34_591
    test = corrected.tables["turn", "test"]
    assert test.num_rows == 4_198
    assert corrected.figures["examples"]["turn"]["test"]["labels"] == 4_975
    rankings = Rankings(
        "turn",
        test["conversation_id"].to_numpy(),
        test["turn"].to_numpy(),
        MovieLists.from_column(test["mentions"]),
        MovieLists.from_column(test["labels"]),
        pa.array([0] * test.num_rows, pa.int32()).to_numpy().reshape(-1, 1),
    )
    first_named = fresh(rankings)
    assert (len(first_named), len(first_named.labels.values)) == (3_838, 4_472)


def test_the_papers_split_is_of_the_training_files_dialogues(corrected: Tokenized) -> None:
    parts = [
        part
        for split in ("train", "validation")
        for part in corrected.tables["whole", split]["paper_split"].to_pylist()
    ]
    shares = {part: parts.count(part) / 9_947 for part in SPLITS}
    assert shares == pytest.approx({"train": 0.72, "validation": 0.08, "test": 0.2}, abs=0.01)
