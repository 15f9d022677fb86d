import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors import SafetensorError

from stages.recommender import artifacts
from stages.recommender.artifacts import (
    MOVIELENS_TAG_SCHEMA,
    atomic_file,
    atomic_folder,
    read_batches,
    read_json,
    read_table,
    table_writer,
    write_json,
    write_table,
    write_text,
)
from stages.recommender.errors import UserError

TAGS = pa.table({"movie_id": [1, 2], "tag": ["funny", "écran"]})


class HalfWayError(Exception):
    pass


# --- whole or not at all -------------------------------------------------------------------------


def test_a_file_takes_its_name_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.txt"
    with atomic_file(path) as partial:
        assert partial.parent == path.parent
        partial.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


def test_half_a_file_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(HalfWayError), atomic_file(path) as partial:
        partial.write_text("half")
        raise HalfWayError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def killed() -> int:
    """The number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


@pytest.mark.parametrize("writes", [atomic_file, atomic_folder])
def test_what_a_killed_process_left_of_the_same_path_goes(
    writes: Any, killed: int, tmp_path: Path
) -> None:
    (tmp_path / f".out.{killed}.partial").write_text("half")
    (tmp_path / f".out.{killed}.before.partial").mkdir()
    (tmp_path / f".out.{killed}.before.partial" / "file").write_text("old")
    others = {
        f".out.{os.getppid()}.partial",  # of a process that is at work
        f".outer.{killed}.partial",  # of another path
        ".out.txt.partial",
    }
    for name in others:
        (tmp_path / name).write_text("not ours")
    with writes(tmp_path / "out") as partial:
        if not partial.exists():
            partial.write_text("whole")
    assert {path.name for path in tmp_path.iterdir()} == {"out", *others}


def test_a_block_that_writes_nothing_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_file(tmp_path / "file.txt"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_folder_takes_its_name_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "data" / "folder"
    for content in ("first", "second"):
        with atomic_folder(path) as partial:
            assert list(partial.iterdir()) == []
            (partial / content).write_text(content)
        assert [file.name for file in path.iterdir()] == [content]
        assert list(path.parent.iterdir()) == [path]


def test_half_a_folder_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    path.mkdir()
    (path / "old").write_text("old")
    with pytest.raises(HalfWayError), atomic_folder(path) as partial:
        (partial / "half").write_text("half")
        raise HalfWayError
    assert [file.name for file in path.iterdir()] == ["old"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_take_its_name_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "folder"
    path.mkdir()
    (path / "old").write_text("old")
    replace = Path.replace

    def refuse_the_new(source: Path, target: Path) -> Path:
        if target == path and "before" not in source.name:
            raise PermissionError
        return replace(source, target)

    monkeypatch.setattr(Path, "replace", refuse_the_new)
    with pytest.raises(PermissionError), atomic_folder(path) as partial:
        (partial / "new").write_text("new")
    assert [file.name for file in path.iterdir()] == ["old"]
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_is_no_part_of_the_next_folder(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    left = tmp_path / f".folder.{os.getpid()}.partial"
    left.mkdir()
    (left / "half").write_text("half")
    with atomic_folder(path) as partial:
        (partial / "whole").write_text("whole")
    assert [file.name for file in path.iterdir()] == ["whole"]


def test_what_the_system_refuses_is_told_of_the_final_name(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    inside = {
        "safetensors": SafetensorError("Error while serializing: No space left (os error 28)"),
        "a copied folder": shutil.Error([("a", str(path), "[Errno 28] No space left: 'a' -> 'b'")]),
        "pyarrow": OSError(errno.ENOSPC, "Error writing bytes to file"),
    }
    for name, error in inside.items():
        with pytest.raises(OSError) as raised, atomic_folder(path):
            raise error
        assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, str(path)), name
    with pytest.raises(OSError) as raised, atomic_folder(path) as partial:
        raise OSError(errno.EROFS, "", "elsewhere", None, str(partial / "a.json"))
    assert raised.value.filename == str(path / "a.json")
    with pytest.raises(SafetensorError, match="no tensor"), atomic_folder(path):
        raise SafetensorError("no tensor 28")
    assert list(tmp_path.iterdir()) == []


# --- tables --------------------------------------------------------------------------------------


def test_a_table_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "tags.parquet"
    write_table(path, TAGS, MOVIELENS_TAG_SCHEMA)
    found = read_table(path, MOVIELENS_TAG_SCHEMA, "download_movielens")
    assert found.schema.equals(MOVIELENS_TAG_SCHEMA, check_metadata=True)
    assert found.to_pydict() == TAGS.to_pydict()


def test_the_same_table_is_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_table(tmp_path / name, TAGS, MOVIELENS_TAG_SCHEMA)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_table_is_cast_to_its_schema_and_other_columns_left_out(tmp_path: Path) -> None:
    path = tmp_path / "tags.parquet"
    table = pa.table(
        {"tag": pa.array(["x"], pa.large_string()), "user": [1], "movie_id": pa.array([1], "int8")}
    )
    write_table(path, table, MOVIELENS_TAG_SCHEMA)
    assert read_table(path, MOVIELENS_TAG_SCHEMA, "x").to_pylist() == [{"movie_id": 1, "tag": "x"}]


@pytest.mark.parametrize(
    "table",
    [
        pa.table({"movie_id": [1, None], "tag": ["a", "b"]}),
        pa.table({"movie_id": ["one"], "tag": ["a"]}),
        pa.table({"movie_id": [1]}),
    ],
)
def test_a_table_that_does_not_fit_is_not_written(table: pa.Table, tmp_path: Path) -> None:
    path = tmp_path / "tags.parquet"
    write_table(path, TAGS, MOVIELENS_TAG_SCHEMA)
    before = path.read_bytes()
    with pytest.raises((ValueError, KeyError)):
        write_table(path, table, MOVIELENS_TAG_SCHEMA)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_table_is_written_and_read_part_by_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifacts, "ROWS", 3)
    path = tmp_path / "tags.parquet"
    rows = [{"movie_id": number, "tag": str(number)} for number in range(7)]
    with table_writer(path, MOVIELENS_TAG_SCHEMA) as write:
        for part in (rows[:2], [], rows[2:]):
            write(pa.Table.from_pylist(part, MOVIELENS_TAG_SCHEMA))
        assert not path.exists()
    assert pq.ParquetFile(path).num_row_groups == 2
    found = read_table(path, MOVIELENS_TAG_SCHEMA, "download_movielens")
    assert found.schema.equals(MOVIELENS_TAG_SCHEMA, check_metadata=True)
    assert found.to_pylist() == rows
    parts = list(read_batches(path, MOVIELENS_TAG_SCHEMA, "download_movielens"))
    assert max(part.num_rows for part in parts) == 3
    assert [row for part in parts for row in part.to_pylist()] == rows
    [*ids] = read_batches(path, MOVIELENS_TAG_SCHEMA, "download_movielens", ["movie_id"])
    assert pa.concat_tables(ids).to_pydict() == {"movie_id": list(range(7))}


def test_of_a_table_that_ends_within_a_part_nothing_is_written(tmp_path: Path) -> None:
    path = tmp_path / "tags.parquet"
    with pytest.raises((ValueError, KeyError)), table_writer(path, MOVIELENS_TAG_SCHEMA) as write:
        write(TAGS)
        write(pa.table({"movie_id": [1]}))
    assert list(tmp_path.iterdir()) == []


def told_about(path: Path) -> str:
    with pytest.raises(UserError) as raised:
        read_table(path, MOVIELENS_TAG_SCHEMA, "download_movielens")
    with pytest.raises(UserError) as raised_by_parts:
        list(read_batches(path, MOVIELENS_TAG_SCHEMA, "download_movielens"))
    assert str(raised_by_parts.value).partition(" (")[0] == str(raised.value).partition(" (")[0]
    return str(raised.value)


AGAIN = "make it again with: dvc repro -f -s download_movielens"


def test_a_missing_table_is_told(tmp_path: Path) -> None:
    path = tmp_path / "tags.parquet"
    assert told_about(path) == f"{path} is missing; make it with: dvc repro download_movielens"


@pytest.mark.parametrize("keep", [0, 3, 40, -1])
def test_a_truncated_table_is_told(keep: int, tmp_path: Path) -> None:
    path = tmp_path / "tags.parquet"
    write_table(path, TAGS, MOVIELENS_TAG_SCHEMA)
    path.write_bytes(path.read_bytes()[:keep])
    told = told_about(path)
    assert told.startswith(f"{path} is no whole Parquet file (")
    assert told.endswith(f"); {AGAIN}")
    assert len(told.splitlines()) == 1


def test_a_table_damaged_in_its_middle_is_told(tmp_path: Path) -> None:
    path = tmp_path / "tags.parquet"
    many = pa.table({"movie_id": list(range(9999)), "tag": [str(n**2) for n in range(9999)]})
    write_table(path, many, MOVIELENS_TAG_SCHEMA)
    content = bytearray(path.read_bytes())
    content[200:20000] = bytes(19800)
    path.write_bytes(content)
    told = told_about(path)
    assert told.startswith(f"{path} is damaged (")
    assert told.endswith(f"); {AGAIN}")
    assert len(told.splitlines()) == 1


def with_schema(name: bytes | None, columns: dict[str, Any]) -> pa.Table:
    metadata = {} if name is None else {b"recommender.schema": name}
    return pa.table(columns).replace_schema_metadata(metadata)


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (
            with_schema(None, {"movie_id": [1], "tag": ["a"]}),
            "{path} has no known schema, but movielens-tags/1 is needed; {again}",
        ),
        (
            with_schema(b"movielens-tags/0", {"movie_id": [1], "tag": ["a"]}),
            "{path} has movielens-tags/0, but movielens-tags/1 is needed; {again}",
        ),
        (
            with_schema(b"movielens-movies/1", {"movie_id": [1], "tag": ["a"]}),
            "{path} has movielens-movies/1, but movielens-tags/1 is needed; {again}",
        ),
        (
            with_schema(b"movielens-tags/1", {"movie_id": [1]}),
            "{path} has no column tag; {again}",
        ),
        (
            with_schema(b"movielens-tags/1", {"movie_id": ["1"], "tag": ["a"]}),
            "{path}: column movie_id is string, but int64 is needed; {again}",
        ),
    ],
)
def test_a_table_of_another_schema_is_told(table: pa.Table, told: str, tmp_path: Path) -> None:
    path = tmp_path / "tags.parquet"
    pq.write_table(table, path)
    assert told_about(path) == told.format(path=path, again=AGAIN)


# --- text and JSON -------------------------------------------------------------------------------


def test_json_comes_back_as_it_was_in_the_order_given(tmp_path: Path) -> None:
    content = {"b": [1, 2.5, None], "a": {"é": "ü"}}
    write_json(tmp_path / "a.json", content)
    assert (tmp_path / "a.json").read_bytes() == (
        '{\n  "b": [\n    1,\n    2.5,\n    null\n  ],\n  "a": {\n    "é": "ü"\n  }\n}\n'.encode()
    )
    assert read_json(tmp_path / "a.json", "compare") == content


@pytest.mark.parametrize("content", [float("nan"), {"a": float("inf")}, {"a": Path("x")}])
def test_what_is_no_json_is_not_written(content: object, tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", 1)
    with pytest.raises((ValueError, TypeError)):
        write_json(tmp_path / "a.json", content)
    assert json.loads((tmp_path / "a.json").read_text()) == 1
    assert len(list(tmp_path.iterdir())) == 1


def test_a_missing_json_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with pytest.raises(UserError) as raised:
        read_json(path, "compare")
    assert str(raised.value) == f"{path} is missing; make it with: dvc repro compare"


@pytest.mark.parametrize("content", [b"", b'{"a": 1', b"\xff"])
def test_half_a_json_is_told(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(UserError) as raised:
        read_json(path, "compare")
    told = str(raised.value)
    assert told.startswith(f"{path} is no whole JSON (")
    assert told.endswith("; make it again with: dvc repro -f -s compare")


def test_text_has_the_same_bytes_on_every_system(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "ä\nb\n")
    assert (tmp_path / "a.txt").read_bytes() == b"\xc3\xa4\nb\n"


# --- schemas -------------------------------------------------------------------------------------


def test_every_schema_has_its_own_name_and_version() -> None:
    schemas = [value for name, value in vars(artifacts).items() if name.endswith("_SCHEMA")]
    names = [schema.metadata[b"recommender.schema"].decode() for schema in schemas]
    assert len(names) >= 8
    assert len(set(names)) == len(names)
    assert all(name.rpartition("/")[2].isdigit() for name in names)
