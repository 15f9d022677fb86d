import csv
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import unicodedata
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import ndcg_score
from sklearn.preprocessing import MultiLabelBinarizer

from stages.recommender.corpora.sample import write_movielens_zip, write_redial_zip
from stages.recommender.corpora.sample_tastes import TASTES
from stages.recommender.corpora.sample_world import build_world
from stages.recommender.params import Sample

ROOT = Path(__file__).parents[3]
DEFAULT = Sample(seed=42, movies=240, train_dialogues=900, test_dialogues=240)
SMALLEST = Sample(seed=0, movies=20, train_dialogues=20, test_dialogues=5)
MENTION = re.compile(r"@(\d+)")


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample")
    write_redial_zip(DEFAULT, folder / "redial.zip")
    write_movielens_zip(DEFAULT, folder / "movielens.zip")
    return folder


@pytest.fixture(scope="module")
def redial(archives):
    return read_redial(archives / "redial.zip")


@pytest.fixture(scope="module")
def movielens(archives):
    with zipfile.ZipFile(archives / "movielens.zip") as archive:
        return {
            name: list(csv.reader(io.StringIO(archive.read(f"ml-latest/{name}.csv").decode())))
            for name in ("movies", "tags", "links")
        }


@pytest.fixture(scope="module")
def world():
    return build_world(DEFAULT.seed, DEFAULT.movies)


def read_redial(path):
    with zipfile.ZipFile(path) as archive:
        return {
            split: [json.loads(line) for line in archive.read(f"{split}_data.jsonl").splitlines()]
            for split in ("train", "test")
        }


def both(redial):
    return redial["train"] + redial["test"]


def said(dialogue, role):
    worker = dialogue[f"{role}WorkerId"]
    return [m["text"] for m in dialogue["messages"] if m["senderWorkerId"] == worker]


def mentioned(dialogue, role):
    return [int(id_) for text in said(dialogue, role) for id_ in MENTION.findall(text)]


# --- formats ---------------------------------------------------------------------------------


def test_redial_archive_has_the_official_members_and_sizes(archives, redial):
    with zipfile.ZipFile(archives / "redial.zip") as archive:
        assert archive.namelist() == ["train_data.jsonl", "test_data.jsonl"]
        assert archive.testzip() is None
        content = archive.read("train_data.jsonl")
    assert content.isascii()
    assert content.endswith(b"}\n")
    assert [len(redial["train"]), len(redial["test"])] == [900, 240]


def test_dialogues_have_the_official_keys_and_types(redial):
    number = (int, type(None))
    for dialogue in both(redial):
        assert list(dialogue) == [
            "movieMentions",
            "respondentQuestions",
            "messages",
            "conversationId",
            "respondentWorkerId",
            "initiatorWorkerId",
            "initiatorQuestions",
        ]
        assert isinstance(dialogue["conversationId"], str)
        assert dialogue["conversationId"].isdecimal()
        workers = {dialogue["initiatorWorkerId"], dialogue["respondentWorkerId"]}
        assert len(workers) == 2
        assert all(type(worker) is int for worker in workers)
        for key in ("movieMentions", "respondentQuestions", "initiatorQuestions"):
            assert dialogue[key] == [] or (dialogue[key] and isinstance(dialogue[key], dict))
        mentions = dict(dialogue["movieMentions"])
        assert all(isinstance(name, str | None) for name in mentions.values())
        written = {id_ for m in dialogue["messages"] for id_ in MENTION.findall(m["text"])}
        assert set(mentions) == written
        for key in ("respondentQuestions", "initiatorQuestions"):
            answers = dict(dialogue[key])
            assert set(answers) <= set(mentions)
            for answer in answers.values():
                assert list(answer) == ["suggested", "seen", "liked"]
                assert answer["suggested"] in (0, 1, None)
                assert answer["seen"] in (0, 1, 2, None)
                assert answer["liked"] in (0, 1, 2)
        for message in dialogue["messages"]:
            assert list(message) == ["timeOffset", "text", "senderWorkerId", "messageId"]
            assert isinstance(message["text"], str)
            assert message["senderWorkerId"] in workers
            assert isinstance(message["timeOffset"], number)
            assert isinstance(message["messageId"], number)


def test_ids_of_dialogues_and_messages_are_unique_over_both_splits(redial):
    conversations = [dialogue["conversationId"] for dialogue in both(redial)]
    messages = [
        message["messageId"]
        for dialogue in both(redial)
        for message in dialogue["messages"]
        if message["messageId"] is not None
    ]
    assert len(set(conversations)) == len(conversations)
    assert len(set(messages)) == len(messages)


def test_movielens_archive_has_the_layout_of_ml_latest(archives, movielens):
    with zipfile.ZipFile(archives / "movielens.zip") as archive:
        assert archive.namelist() == [
            "ml-latest/README.txt",
            "ml-latest/links.csv",
            "ml-latest/movies.csv",
            "ml-latest/tags.csv",
        ]
        assert archive.testzip() is None
        assert b"no movie exists" in archive.read("ml-latest/README.txt")
    assert movielens["movies"][0] == ["movieId", "title", "genres"]
    assert movielens["tags"][0] == ["userId", "movieId", "tag", "timestamp"]
    assert movielens["links"][0] == ["movieId", "imdbId", "tmdbId"]
    ids = [int(row[0]) for row in movielens["movies"][1:]]
    assert ids == sorted(set(ids))
    assert [int(row[0]) for row in movielens["links"][1:]] == ids
    assert {int(row[1]) for row in movielens["tags"][1:]} <= set(ids)
    users_and_movies = [(int(row[0]), int(row[1])) for row in movielens["tags"][1:]]
    assert users_and_movies == sorted(users_and_movies)
    assert all(row[3].isdecimal() for row in movielens["tags"][1:])
    assert all(re.fullmatch(r"0\d{7}", row[1]) for row in movielens["links"][1:])


def test_both_archives_speak_of_one_world(redial, movielens, world):
    names = {id_: name for movie in world for id_, name in movie.redial_names}
    for dialogue in both(redial):
        for id_, name in dict(dialogue["movieMentions"]).items():
            assert name in (names[int(id_)], None)
    titles = {m.movielens_id: m.movielens_title for m in world if m.movielens_id is not None}
    assert {int(row[0]): row[1] for row in movielens["movies"][1:]} == titles


# --- the same bytes --------------------------------------------------------------------------

HASHES = """
import hashlib, sys
from pathlib import Path
from stages.recommender.corpora.sample import write_movielens_zip, write_redial_zip
from stages.recommender.params import Sample
sample = Sample(seed=42, movies=60, train_dialogues=60, test_dialogues=20)
for write in (write_redial_zip, write_movielens_zip):
    path = Path(sys.argv[1])
    write(sample, path)
    print(hashlib.sha256(path.read_bytes()).hexdigest())
"""


def test_bytes_depend_on_nothing_but_the_parameters(tmp_path):
    def hashes(hash_seed):
        run = subprocess.run(
            [sys.executable, "-c", HASHES, str(tmp_path / f"{hash_seed}.zip")],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        )
        return run.stdout.split()

    first, second = hashes("1"), hashes("2")
    assert first == second
    sample = Sample(seed=43, movies=60, train_dialogues=60, test_dialogues=20)
    for before, write in zip(first, (write_redial_zip, write_movielens_zip), strict=True):
        path = tmp_path / "other.zip"
        write(sample, path)
        assert hashlib.sha256(path.read_bytes()).hexdigest() != before


def test_zip_tells_no_time(archives):
    for name in ("redial.zip", "movielens.zip"):
        with zipfile.ZipFile(archives / name) as archive:
            assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_number_of_dialogues_changes_neither_movies_nor_the_other_split(archives, tmp_path):
    fewer = DEFAULT.model_copy(update={"train_dialogues": 30})
    write_redial_zip(fewer, tmp_path / "redial.zip")
    write_movielens_zip(fewer, tmp_path / "movielens.zip")
    few = read_redial(tmp_path / "redial.zip")
    many = read_redial(archives / "redial.zip")
    assert few["train"] == many["train"][:30]
    assert few["test"] == many["test"]
    assert (tmp_path / "movielens.zip").read_bytes() == (archives / "movielens.zip").read_bytes()


@pytest.mark.parametrize(
    "sample",
    [SMALLEST, Sample(seed=2**32 - 1, movies=500, train_dialogues=20, test_dialogues=5)],
)
def test_other_sizes(sample, tmp_path):
    write_redial_zip(sample, tmp_path / "redial.zip")
    write_movielens_zip(sample, tmp_path / "movielens.zip")
    dialogues = read_redial(tmp_path / "redial.zip")
    assert len(dialogues["train"]) == sample.train_dialogues
    assert len(dialogues["test"]) == sample.test_dialogues
    movies = build_world(sample.seed, sample.movies)
    redial_ids = [id_ for movie in movies for id_, _ in movie.redial_names]
    movielens_ids = [m.movielens_id for m in movies if m.movielens_id is not None]
    assert sum(bool(movie.redial_names) for movie in movies) == sample.movies
    assert len(set(redial_ids)) == len(redial_ids)
    assert len(set(movielens_ids)) == len(movielens_ids)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["movielens.zip", "redial.zip"]


# --- the real corpora's traps ----------------------------------------------------------------


def test_traps_in_roles_and_turns(redial):
    for split in redial.values():
        first = [d["messages"][0]["senderWorkerId"] == d["respondentWorkerId"] for d in split]
        assert 0.5 < np.mean(first) < 0.7
    roles = Counter()
    for dialogue in both(redial):
        roles["initiator", dialogue["initiatorWorkerId"]] += 1
        roles["respondent", dialogue["respondentWorkerId"]] += 1
    assert any(roles["respondent", worker] for role, worker in roles if role == "initiator")
    for role in ("initiator", "respondent"):
        in_a_row = sum(
            before["senderWorkerId"] == after["senderWorkerId"] == d[f"{role}WorkerId"]
            for d in both(redial)
            for before, after in zip(d["messages"], d["messages"][1:], strict=False)
        )
        assert in_a_row > 200


def test_traps_in_maps(redial):
    for split in redial.values():
        for key in ("movieMentions", "respondentQuestions", "initiatorQuestions"):
            assert any(dialogue[key] == [] for dialogue in split), key
    dialogues = both(redial)
    answers = [
        answer
        for dialogue in dialogues
        for key in ("respondentQuestions", "initiatorQuestions")
        for answer in dict(dialogue[key]).values()
    ]
    assert {answer["suggested"] for answer in answers} == {0, 1, None}
    assert {answer["seen"] for answer in answers} == {0, 1, 2, None}
    assert {answer["liked"] for answer in answers} == {0, 1, 2}
    assert any(0 < len(d["initiatorQuestions"]) < len(d["movieMentions"]) for d in dialogues)
    untimed = [d for d in dialogues if d["messages"][0]["timeOffset"] is None]
    assert 10 < len(untimed) < 0.1 * len(dialogues)


def test_traps_in_texts(redial):
    for split in redial.values():
        asked = [d for d in split if not mentioned(d, "respondent")]
        assert 0.01 < len(asked) / len(split) < 0.06
        assert sum(not "".join(said(d, "initiator")).strip() for d in split) >= 1
    texts = [text for d in both(redial) for text in said(d, "initiator") + said(d, "respondent")]
    for trap in (
        r"@(?!\d)",  # a mention of nothing
        r"^@\d+$",  # of nothing else
        r"\(@\d+",
        r"@\d+[,.?!]",
        r"@\d+ [,?]",
        r"\n@?",
        r"&amp;",
        r"^\s*$",
    ):
        assert sum(bool(re.search(trap, text)) for text in texts) >= 5, trap


def test_seekers_mention_repeatedly_and_recommenders_repeat_them(redial):
    repeated = [
        len(ids) > len(set(ids)) for d in both(redial) if (ids := mentioned(d, "initiator"))
    ]
    assert sum(repeated) > 20
    labels = [
        (id_, dialogue)
        for dialogue in both(redial)
        for id_ in sorted(set(mentioned(dialogue, "respondent")))
    ]
    shared = sum(id_ in mentioned(dialogue, "initiator") for id_, dialogue in labels)
    assert 0.15 < shared / len(labels) < 0.25
    assert 2.5 < len(labels) / len(both(redial)) < 4.0
    assert any(not mentioned(d, "initiator") for d in both(redial))


def test_traps_in_redial_names(redial, world):
    used = {int(id_) for dialogue in both(redial) for id_ in dict(dialogue["movieMentions"])}
    pairs = [(movie, name) for movie in world for id_, name in movie.redial_names if id_ in used]
    names = [name for _, name in pairs if name]
    assert sum(name is None for _, name in pairs) >= 1
    assert sum("  (" in name for name in names) >= 20
    assert sum(name.endswith(" ") for name in names) >= 10
    assert sum(not re.search(r"\(\d{4}\)$", name) for name in names) >= 20
    assert sum("%3F" in name for name in names) >= 10
    off = Counter(
        abs(int(name[-5:-1]) - movie.year) for movie, name in pairs if name and name.endswith(")")
    )
    assert off[0] > 150
    assert off[1] >= 8
    assert off[7] >= 1
    accented = [(m.title, name) for m, name in pairs if name and not m.title.isascii()]
    assert sum(name.isascii() for _, name in accented) >= 15
    assert sum(not name.isascii() for _, name in accented) >= 15
    swapped = [
        (" & " in name) != (" & " in movie.title)
        for movie, name in pairs
        if name and (" & " in movie.title or " and " in movie.title)
    ]
    assert {True, False} == set(swapped)
    both_ids = [m for m in world if {id_ for id_, _ in m.redial_names} <= used]
    assert sum(len(movie.redial_names) == 2 for movie in both_ids) >= 5


def test_traps_in_the_join(world, movielens):
    in_redial = [movie for movie in world if movie.redial_names]
    assert 8 <= sum(movie.movielens_id is None for movie in in_redial) <= 30
    assert sum(not movie.redial_names for movie in world) == 80
    # by equal numbers some movies are found, and they are others
    by_id = {m.movielens_id: m for m in world if m.movielens_id is not None}
    found = [
        (movie, by_id[id_]) for movie in in_redial for id_, _ in movie.redial_names if id_ in by_id
    ]
    assert len(found) >= 30
    assert sum(movie is other for movie, other in found) <= 2
    titles = Counter(movie.title for movie in world)
    remakes = [title for title, count in titles.items() if count > 1]
    assert len(remakes) >= 5
    for title in remakes:
        years = sorted(movie.year for movie in world if movie.title == title)
        assert min(np.diff(years)) > 10
    assert any(f"{title} {part}" in titles for title in titles for part in ("2", "II", "Part Two"))
    names = [row[1] for row in movielens["movies"][1:]]
    assert sum(bool(re.search(r", (The|A|An) \(", name)) for name in names) >= 50
    assert sum(bool(re.search(r", (La|Le|El|Los|Das|Die)\b", name)) for name in names) >= 5
    assert sum("(a.k.a. " in name for name in names) >= 5
    assert sum(len(re.findall(r"\(", name)) > 1 for name in names) >= 15
    assert sum(name.endswith(" ") for name in names) >= 10
    assert sum(not re.search(r"\(\d{4}\) ?$", name) for name in names) >= 3
    assert sum(not name.isascii() for name in names) >= 30
    assert sum(row[2] == "(no genres listed)" for row in movielens["movies"]) >= 5
    assert sum(row[2] == "" for row in movielens["links"]) >= 5


def test_traps_in_tags(movielens):
    tags = movielens["tags"][1:]
    counts = Counter(row[1] for row in tags)
    movies = [row[0] for row in movielens["movies"][1:]]
    assert sum(counts[id_] == 0 for id_ in movies) >= 15
    assert sum(counts[id_] > 50 for id_ in movies) >= 1
    assert 5 <= np.median([counts[id_] for id_ in movies]) <= 10
    assert sum(len(row[2].strip()) < 3 for row in tags) >= 30
    assert len(tags) - len({(row[1], row[2]) for row in tags}) >= 100
    assert sum(row[2] != row[2].strip() for row in tags) >= 20
    assert sum(row[2].lower() != row[2] for row in tags) >= 20
    assert any('"' in row[2] for row in tags)
    assert any("," in row[2] for row in tags)
    assert any(not row[2].isascii() for row in tags)


# --- what can be learned ---------------------------------------------------------------------


def requests(dialogues):
    """Text and labels under the right reading, movies masked."""
    for dialogue in dialogues:
        text = MENTION.sub("@", " ".join(said(dialogue, "initiator")))
        labels = sorted(set(mentioned(dialogue, "respondent")))
        if text.strip() and labels:
            yield text, labels


@pytest.mark.parametrize("seed", [42, 7])
def test_text_tells_the_movies_far_beyond_popularity(seed, tmp_path):
    write_redial_zip(DEFAULT.model_copy(update={"seed": seed}), tmp_path / "redial.zip")
    redial = read_redial(tmp_path / "redial.zip")
    train_texts, train_labels = zip(*requests(redial["train"]), strict=True)
    test_texts, test_labels = zip(*requests(redial["test"]), strict=True)
    binarizer = MultiLabelBinarizer().fit([*train_labels, *test_labels])
    train, truth = binarizer.transform(train_labels), binarizer.transform(test_labels)
    popular = np.tile(train.sum(axis=0) / len(train), (len(truth), 1))
    tfidf = TfidfVectorizer(sublinear_tf=True, stop_words="english")
    known = tfidf.fit_transform(train_texts)
    similar = (tfidf.transform(test_texts) @ known.T).toarray()
    nearest = np.where(similar >= np.sort(similar)[:, [-40]], similar, 0)
    by_popularity = ndcg_score(truth, popular, k=10)
    by_neighbours = ndcg_score(truth, nearest @ train + 1e-3 * popular, k=10)
    assert 0.05 < by_popularity < 0.11
    assert by_neighbours > 3 * by_popularity


def test_mentions_tell_the_circle(redial, world):
    movies = {id_: movie for movie in world for id_, _ in movie.redial_names}
    same = []
    for dialogue in redial["test"]:
        asked = mentioned(dialogue, "initiator")
        for id_ in set(mentioned(dialogue, "respondent")) - set(asked):
            same += [
                movies[id_].circle == movies[other].circle
                for other in asked[:1]
                if movies[id_].taste == movies[other].taste
            ]
    assert len(same) > 200
    assert np.mean(same) > 0.7


def test_tags_tell_the_taste(world):
    tagged = [(tag.strip().lower(), movie.taste) for movie in world for tag in movie.tags]
    seen, held_out = tagged[::2], tagged[1::2]
    counts = Counter(seen)
    taste = {tag: max(range(len(TASTES)), key=lambda t: counts[tag, t]) for tag, _ in seen}
    right = np.mean([taste.get(tag) == truth for tag, truth in held_out])
    assert right > 0.6


# --- nothing real in it ----------------------------------------------------------------------


def plain(title):
    return re.sub(
        r"[\W_]+",
        "",
        unicodedata.normalize("NFKD", title.lower()).encode("ascii", "ignore").decode(),
    )


def test_no_title_is_a_real_movies():
    corpora = Path(os.environ.get("REDIAL_CORPORA", ROOT.parent / "shared" / "corpora"))
    archive_path = corpora / "ml-latest.zip"
    if not archive_path.exists():
        pytest.skip(f"the real corpora are not here: no {archive_path}")
    with zipfile.ZipFile(archive_path) as archive, archive.open("ml-latest/movies.csv") as file:
        rows = list(csv.reader(io.TextIOWrapper(file, encoding="utf-8")))
    real = set()
    for _, title, _ in rows[1:]:
        name = re.sub(r"\s*\(.*", "", title)
        real |= {
            plain(name),
            plain(re.sub(r"(.*), (The|A|An|La|Le|El|Los|Das|Die)$", r"\2 \1", name)),
        }
    invented = {movie.title for movie in build_world(42, 1000)}
    assert sorted(title for title in invented if plain(title) in real) == []
