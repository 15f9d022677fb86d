import csv
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stages.recommender.artifacts import (
    MOVIELENS_LINK_SCHEMA,
    MOVIELENS_MOVIE_SCHEMA,
    MOVIELENS_TAG_SCHEMA,
    write_table,
)
from stages.recommender.corpora import movielens
from stages.recommender.errors import UserError

MOVIES = (
    b"movieId,title,genres\r\n"
    b"1,Toy Story (1995),Adventure|Comedy\r\n"
    b'11,"American President, The (1995)",Comedy\r\n'
    b'7,"He said ""Go"" (2001)",(no genres listed)\r\n'
)
TAGS = (
    b"userId,movieId,tag,timestamp\n"
    b"2,11,funny,1445714994\n"
    b"2,1,NA,1445714996\n"
    b'3,1,"a, b",1445714992\n'
    b"3,1,,1445714992\n"
)
LINKS = b"movieId,imdbId,tmdbId\n1,0114709,862\n7,0113497,\n"


def pack(path: Path, members: dict[str, bytes], folder: str = "ml-latest/") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, body in members.items():
            archive.writestr(f"{folder}{name}", body)
    return path


def members(**changes: bytes) -> dict[str, bytes]:
    whole = {"movies": MOVIES, "tags": TAGS, "links": LINKS, **changes}
    return {f"{name}.csv": body for name, body in whole.items()}


@pytest.mark.parametrize("folder", ["", "ml-latest/", "ml-32m/", "ml-latest-small/"])
def test_an_archive_becomes_three_tables(tmp_path: Path, folder: str) -> None:
    tables = movielens.read_archive(pack(tmp_path / "a.zip", members(), folder))
    assert tables["movies"].to_pylist() == [
        {"movie_id": 1, "title": "Toy Story (1995)", "genres": ["Adventure", "Comedy"]},
        {"movie_id": 11, "title": "American President, The (1995)", "genres": ["Comedy"]},
        {"movie_id": 7, "title": 'He said "Go" (2001)', "genres": []},
    ]
    assert tables["tags"].to_pylist() == [
        {"movie_id": 11, "tag": "funny"},
        {"movie_id": 1, "tag": "NA"},
        {"movie_id": 1, "tag": "a, b"},
        {"movie_id": 1, "tag": ""},
    ]
    assert tables["links"].to_pylist() == [
        {"movie_id": 1, "imdb_id": "0114709", "tmdb_id": 862},
        {"movie_id": 7, "imdb_id": "0113497", "tmdb_id": None},
    ]
    schemas = (MOVIELENS_MOVIE_SCHEMA, MOVIELENS_TAG_SCHEMA, MOVIELENS_LINK_SCHEMA)
    for (name, table), schema in zip(tables.items(), schemas, strict=True):
        assert table.schema.equals(schema)
        write_table(tmp_path / name, table, schema)


def test_links_and_ratings_may_be_absent(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", {"movies.csv": MOVIES, "tags.csv": TAGS})
    links = movielens.read_archive(path)["links"]
    assert links.num_rows == 0
    assert links.schema.equals(MOVIELENS_LINK_SCHEMA)


def test_a_file_with_a_header_alone_has_no_rows(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", members(tags=b"userId,movieId,tag,timestamp\n"))
    assert movielens.read_archive(path)["tags"].num_rows == 0


@pytest.mark.parametrize(
    ("changes", "ids"),
    [
        ({"movies": b"\xef\xbb\xbf" + MOVIES}, [1, 11, 7]),
        ({"movies": MOVIES.rstrip()}, [1, 11, 7]),
        ({"movies": MOVIES.replace(b"\r\n", b"\n")}, [1, 11, 7]),
        ({"movies": b"genres,title,movieId\nDrama,A (1990),5\n"}, [5]),
        ({"movies": b'movieId,title,genres\n5,"A\nB",Drama\n'}, [5]),
        ({"movies": "movieId,title,genres\n5,Amélie 天使 (2001),\n".encode()}, [5]),
    ],
)
def test_other_ways_to_write_it_are_read(
    tmp_path: Path, changes: dict[str, bytes], ids: list[int]
) -> None:
    table = movielens.read_archive(pack(tmp_path / "a.zip", members(**changes)))["movies"]
    assert table["movie_id"].to_pylist() == ids


values = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=8)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), values), max_size=5))
def test_whatever_the_csv_module_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, str]]
) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(
        [("userId", "movieId", "tag", "timestamp"), *((0, movie, tag, 0) for movie, tag in rows)]
    )
    path = tmp_path_factory.mktemp("any") / "a.zip"
    tables = movielens.read_archive(pack(path, members(tags=text.getvalue().encode())))
    read = [(row["movie_id"], row["tag"]) for row in tables["tags"].to_pylist()]
    assert read == rows


pieces = st.sampled_from([b"1", b"x", b",", b'"', b"\n", b"\r", b"\xff", b"\0", b"a", b"|", b"-"])


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tail=st.lists(pieces, max_size=12).map(b"".join))
def test_any_bytes_give_rows_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, tail: bytes
) -> None:
    path = pack(tmp_path_factory.mktemp("any") / "a.zip", members(movies=MOVIES + tail))
    try:
        movielens.read_archive(path)
    except UserError as error:
        assert str(path) in str(error)


def test_a_quote_that_swallows_the_rest_of_a_file_is_found(tmp_path: Path) -> None:
    # in the last column all rows that follow are one value of it
    path = pack(tmp_path / "a.zip", members(tags=TAGS.replace(b",1445714996", b',"1445714996')))
    with pytest.raises(UserError) as raised:
        movielens.read_archive(path)
    assert str(raised.value) == (
        f"{path}: tags.csv, line 3 is no CSV, a quote is open or out of place "
        "(',' expected after '\"'); mend the file or get the archive again"
    )


def test_a_blank_is_no_number(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", members(links=LINKS.replace(b"0113497,", b"0113497,\t")))
    with pytest.raises(UserError) as raised:
        movielens.read_archive(path)
    assert "line 3 has the tmdbId '\\t', nothing where a number is needed" in str(raised.value)


def test_a_column_that_stands_twice_is_found(tmp_path: Path) -> None:
    content = b"movieId,tag,note,tag\n1,a,b,c\n"
    path = pack(tmp_path / "a.zip", members(tags=content))
    with pytest.raises(UserError, match=r"tags\.csv, line 1 names the column tag more than once; "):
        movielens.read_archive(path)
    path = pack(tmp_path / "a.zip", members(tags=content.replace(b",tag\n", b",tags\n")))
    assert movielens.read_archive(path)["tags"]["tag"].to_pylist() == ["a"]


def test_an_odd_number_of_quotes_may_be_right(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", members(tags=b'movieId,tag\n1,5"\n2,a\n'))
    assert movielens.read_archive(path)["tags"]["tag"].to_pylist() == ['5"', "a"]


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("ml-latest.zip", {"movies": 62_423, "tags": 69_080, "links": 0}),
        ("ml-latest-small.zip", {"movies": 9_742, "tags": 3_683, "links": 9_742}),
    ],
)
def test_the_real_archives_are_read_whole(corpora: Path, name: str, counts: dict[str, int]) -> None:
    tables = movielens.read_archive(corpora / name)
    assert {key: table.num_rows for key, table in tables.items()} == counts
    with zipfile.ZipFile(corpora / name) as archive:
        text = archive.read(f"{name.removesuffix('.zip')}/movies.csv").decode()
    written: list[dict[str, Any]] = [*csv.DictReader(io.StringIO(text, newline=""))]
    assert tables["movies"]["movie_id"].to_pylist() == [int(row["movieId"]) for row in written]
    assert tables["movies"]["title"].to_pylist() == [row["title"] for row in written]
    joined = ["|".join(genres) for genres in tables["movies"]["genres"].to_pylist()]
    assert joined == [row["genres"].replace("(no genres listed)", "") for row in written]
