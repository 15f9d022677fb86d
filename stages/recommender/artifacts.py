"""Every file that passes between stages: where it lies, its schema, how it is written and read.

A file appears under its name only when it is complete: it is written beside it and renamed. A
Parquet file carries the name and version of its schema, so that a file of another version is
told apart from a damaged one.
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stages.recommender.errors import UserError

REDIAL = Path("data/raw/redial")
MOVIELENS = Path("data/raw/movielens")
ENCODER = Path("data/encoder")
MOVIELENS_TAGS = MOVIELENS / "tags.parquet"
MOVIES = Path("data/movies.parquet")
COVERAGE = Path("metrics/coverage.json")
LADDER = Path("metrics/ladder.json")
ABLATION = Path("metrics/ablation.json")
EXAMPLES = Path("data/examples")
FIGURES = EXAMPLES / "figures.json"
TAGS = Path("data/tags")
TITLES = Path("data/titles")
MOVIE_TEXTS = TITLES / "movies.parquet"
MODELS = Path("models")
METRICS = Path("metrics")
HISTORY = METRICS / "history"
RANKINGS = Path("data/rankings")
SUMMARY = METRICS / "summary.json"
REPORT = METRICS / "report"
CACHE = Path(os.environ.get("DVC_ROOT", ".")) / ".cache"
"""What can be computed again but need not be: downloads, sentence vectors, unfinished trainings.

DVC names the repository in ``DVC_ROOT``, so that experiments in folders of their own share it.
"""

ROWS = 1_024
"""Of a table that is read and written part by part."""

TAG_ROWS = 65_536
"""The same where a row is but a tag."""

_SCHEMA_KEY = b"recommender.schema"
_OS_ERROR_IN_TEXT = re.compile(r"(?:\[Errno |\(os error )(\d+)")
"""How Python and safetensors write the number of what the system refused."""


def _schema(name: str, fields: list[tuple[str, pa.DataType, bool]]) -> pa.Schema:
    """Fields as (name, type, whether null is allowed)."""
    return pa.schema(
        [pa.field(field, kind, nullable) for field, kind, nullable in fields],
        metadata={_SCHEMA_KEY: name.encode()},
    )


_ANSWERS = pa.list_(
    pa.struct(
        [
            ("movie_id", pa.int64()),
            ("suggested", pa.int8()),
            ("seen", pa.int8()),
            ("liked", pa.int8()),
        ]
    )
)

DIALOGUE_SCHEMA = _schema(
    "dialogues/1",
    [
        ("conversation_id", pa.int64(), False),
        ("initiator_id", pa.int64(), False),
        ("respondent_id", pa.int64(), False),
        # in the order in which they were sent
        (
            "messages",
            pa.list_(pa.struct([("sender_id", pa.int64()), ("text", pa.string())])),
            False,
        ),
        # the movies listed for the dialogue, name as given; null where none was given
        ("movies", pa.list_(pa.struct([("movie_id", pa.int64()), ("name", pa.string())])), False),
        # ReDial's forms, filled in after the dialogue; answers are null where unknown
        ("initiator_answers", _ANSWERS, False),
        ("respondent_answers", _ANSWERS, False),
    ],
)
"""A dialogue; ``data/raw/redial/{train,test}.parquet``."""

MOVIELENS_MOVIE_SCHEMA = _schema(
    "movielens-movies/1",
    [
        ("movie_id", pa.int64(), False),
        ("title", pa.string(), False),
        ("genres", pa.list_(pa.string()), False),
    ],
)
"""A MovieLens movie, title as given; ``data/raw/movielens/movies.parquet``."""

MOVIELENS_TAG_SCHEMA = _schema(
    "movielens-tags/1", [("movie_id", pa.int64(), False), ("tag", pa.string(), False)]
)
"""A tag that a user gave a movie; ``data/raw/movielens/tags.parquet``."""

MOVIELENS_LINK_SCHEMA = _schema(
    "movielens-links/1",
    [
        ("movie_id", pa.int64(), False),
        ("imdb_id", pa.string(), True),
        ("tmdb_id", pa.int64(), True),
    ],
)
"""A movie's ids elsewhere, no rows where the archive has none; ``data/raw/movielens``."""

MOVIE_SCHEMA = _schema(
    "movies/1",
    [
        # 0, 1, ... in the order of the ReDial ids: the row's place in every score vector
        ("index", pa.int32(), False),
        ("redial_id", pa.int64(), False),
        # without year, stray spaces and URL escapes; null where ReDial gives no name
        ("title", pa.string(), True),
        ("year", pa.int16(), True),
        ("movielens_id", pa.int64(), True),
        # which rule joined it, `none` where no rule did
        ("match", pa.string(), False),
        # MovieLens' title and genres, null and empty where not joined
        ("movielens_title", pa.string(), True),
        ("genres", pa.list_(pa.string()), False),
    ],
)
"""A movie of the catalogue; ``data/movies.parquet``."""

EXAMPLE_SCHEMA = _schema(
    "examples/1",
    [
        ("conversation_id", pa.int64(), False),
        # the message that answers the request, from 0; -1 where the whole dialogue does, as in
        # the readings `whole` and `before`
        ("turn", pa.int32(), False),
        # its part in the paper's random split of the training file, null for the test file
        ("paper_split", pa.string(), True),
        ("text", pa.string(), False),
        ("input_ids", pa.list_(pa.int32()), False),
        # catalogue indices that the text mentions, in order, repeats kept
        ("mentions", pa.list_(pa.int32()), False),
        # distinct catalogue indices that the recommender mentions, ascending
        ("labels", pa.list_(pa.int32()), False),
    ],
)
"""A request with its labels; ``data/examples/<reading>/{train,validation,test}.parquet``."""

RANKING_SCHEMA = _schema(
    "rankings/1",
    [
        # which reading of the dialogues was scored: of the test split, in the ablation of the
        # validation split
        ("reading", pa.string(), False),
        # which training of the model answered, from 0; a baseline has one
        ("repeat", pa.int32(), False),
        ("conversation_id", pa.int64(), False),
        ("turn", pa.int32(), False),
        ("mentions", pa.list_(pa.int32()), False),
        ("labels", pa.list_(pa.int32()), False),
        # the catalogue indices of the best 100 movies, best first
        ("ranking", pa.list_(pa.int32()), False),
    ],
)
"""What a model answers an example; of the test split ``data/rankings/<model>.parquet``."""

TITLE_EXAMPLE_SCHEMA = _schema(
    "title-examples/1",
    [
        *((field.name, field.type, field.nullable) for field in EXAMPLE_SCHEMA),
        # of the words around each mention; see dialogues.contexts
        ("contexts", pa.list_(pa.int32()), False),
    ],
)
"""An example of the gate; ``data/titles/<reading>/<split>.parquet``."""

TAG_EXAMPLE_SCHEMA = _schema(
    "tag-examples/1",
    [
        ("movie", pa.int32(), False),
        ("tag", pa.string(), False),
        ("input_ids", pa.list_(pa.int32()), False),
    ],
)
"""A tag with the catalogue index of its movie; ``data/tags/{train,held_out}.parquet``."""

MOVIE_TEXT_SCHEMA = _schema(
    "movie-texts/1",
    [
        ("movie", pa.int32(), False),
        ("text", pa.string(), False),
        ("input_ids", pa.list_(pa.int32()), False),
    ],
)
"""What a movie is, in words, in the order of the catalogue; ``data/titles/movies.parquet``."""

KNOWN_FOR_SCHEMA = _schema(
    "known-for/1", [("movie", pa.int32(), False), ("tags", pa.list_(pa.string()), False)]
)
"""The tags that a movie is known for, the best known first; ``models/<model>/tags.parquet``."""

REQUEST_SCHEMA = _schema(
    "requests/1",
    [
        # in the model's text form
        ("text", pa.string(), False),
        ("mentions", pa.list_(pa.int32()), False),
        ("labels", pa.list_(pa.int32()), False),
        # its sentence vector by the trained encoder
        ("vector", pa.list_(pa.float16()), False),
    ],
)
"""A request that a model was trained on; ``models/<model>/requests.parquet``."""

TITLE_USAGE_SCHEMA = _schema(
    "title-usage/1",
    [
        # one or two in a row, in lower case
        ("words", pa.string(), False),
        # how often where no movie is mentioned; of these, capitalised within a sentence
        ("said", pa.int32(), False),
        ("capital", pa.int32(), False),
        # how often right before a mention
        ("introduces", pa.int32(), False),
    ],
)
"""How the requests of a model use words; ``models/<model>/title_usage.parquet``."""


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A path beside ``path`` to write to, renamed to ``path`` when the block ends well.

    Raises:
        OSError: The system refuses to write; it names ``path``.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with _named(path, partial):
            path.parent.mkdir(parents=True, exist_ok=True)
            _remove_abandoned(path)
            yield partial
            partial.replace(path)
    finally:
        with suppress(OSError):  # of a file that could not even be begun
            partial.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """An empty folder beside ``path`` to fill, put in the place of ``path`` when all went well.

    Raises:
        OSError: The system refuses to write; it names the file in ``path``.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    before = path.with_name(f".{path.name}.{os.getpid()}.before.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with _named(path, partial):
            path.parent.mkdir(parents=True, exist_ok=True)
            _remove_abandoned(path)
            partial.mkdir()
            yield partial
            # a folder that is not empty cannot be replaced: it steps aside, whole
            if path.exists():
                path.replace(before)
            partial.replace(path)
    finally:
        if before.exists() and not path.exists():
            before.replace(path)
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(before, ignore_errors=True)


def _remove_abandoned(path: Path) -> None:
    """Remove what processes that were killed have left of ``path``, half-written."""
    for left in path.parent.glob(f".{escape(path.name)}.*.partial"):
        process = left.name.removeprefix(f".{path.name}.").partition(".")[0]
        if not process.isdecimal() or _runs(int(process)):
            continue
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):  # of another user; no number of a process
        pass
    return True


@contextmanager
def _named(path: Path, partial: Path) -> Iterator[None]:
    """Let what the system refuses in ``partial`` be told of ``path``, which the user knows."""
    try:
        yield
    except Exception as error:
        number = _os_error_number(error)
        if number is None:
            raise
        # a copy names its source first
        names = [getattr(error, name, None) for name in ("filename2", "filename")]
        named = next((str(name) for name in names if name), str(partial))
        place = named.replace(str(partial), str(path))
        raise OSError(number, os.strerror(number), place) from None


def _os_error_number(error: Exception) -> int | None:
    """What the system said, where it is the system that refused."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    # copying a folder gives one error of many, as text
    wrapped = isinstance(error, shutil.Error) or type(error).__name__ == "SafetensorError"
    said = _OS_ERROR_IN_TEXT.search(str(error)) if wrapped else None
    return int(said[1]) if said else None


def write_table(path: Path, table: pa.Table, schema: pa.Schema) -> None:
    """Write a table as Parquet, cast to its schema.

    Raises:
        ValueError: A column does not fit the schema, or has nulls where it must not.
        KeyError: A column is missing.
    """
    fitted = table.select(schema.names).cast(schema)
    with atomic_file(path) as partial:
        pq.write_table(fitted, partial, compression="zstd")


@contextmanager
def table_writer(path: Path, schema: pa.Schema) -> Iterator[Callable[[pa.Table], None]]:
    """Write a table as Parquet part by part, each a row group, so that it need not be held whole.

    Yields:
        Writes the next part, of ``schema``; the file is there when all went well.

    Raises:
        ValueError: A column does not fit the schema, or has nulls where it must not.
        KeyError: A column is missing.
        OSError: The system refuses to write; it names ``path``.
    """
    # a ParquetWriter leaves a file that it opened itself open when it cannot write its end
    with atomic_file(path) as partial, pa.OSFile(str(partial), "wb") as disk:
        file = pq.ParquetWriter(disk, schema, compression="zstd")

        def write(part: pa.Table) -> None:
            fitted = part.select(schema.names).cast(schema)
            if fitted.num_rows:
                with _named(path, partial):  # several files may be open
                    file.write_table(fitted)

        try:
            yield write
        except BaseException:
            with suppress(OSError):  # what went wrong first is told
                file.close()
            raise
        file.close()


def read_table(path: Path, schema: pa.Schema, made_by: str) -> pa.Table:
    """Read a Parquet file that :func:`write_table` or :func:`table_writer` wrote.

    Args:
        path: The file.
        schema: The schema it must have.
        made_by: The stage that writes it, to name it where the file is not as it should be.

    Raises:
        UserError: The file is missing, damaged, or of another schema.
    """
    _check_schema(path, schema, made_by)
    try:
        # not pq.read_table, which imports pandas
        with pq.ParquetFile(path, memory_map=True) as file:
            return file.read()
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error, made_by) from None


def read_batches(
    path: Path,
    schema: pa.Schema,
    made_by: str,
    columns: list[str] | None = None,
    rows: int | None = None,
) -> Iterator[pa.Table]:
    """The same, some rows at a time, so that the table is never held whole.

    The schema is looked at before the first of them is asked for.

    Args:
        path: The file.
        schema: The schema it must have.
        made_by: The stage that writes it, to name it where the file is not as it should be.
        columns: Which to read; ``None``: all.
        rows: At a time; ``None``: :data:`ROWS`.

    Raises:
        UserError: The file is missing, damaged, or of another schema.
    """
    _check_schema(path, schema, made_by)
    return _batches(path, made_by, columns, rows or ROWS)


def _batches(path: Path, made_by: str, columns: list[str] | None, rows: int) -> Iterator[pa.Table]:
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(rows, columns=columns):
                yield pa.Table.from_batches([batch])
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error, made_by) from None


def _check_schema(path: Path, schema: pa.Schema, made_by: str) -> None:
    remedy = _again(made_by)
    try:
        found = pq.read_schema(path)
    except FileNotFoundError:
        raise UserError(f"{path} is missing; make it with: dvc repro {made_by}") from None
    except (pa.ArrowException, OSError) as error:
        problem = _first_line(error)
        raise UserError(f"{path} is no whole Parquet file ({problem}); {remedy}") from None
    version = (found.metadata or {}).get(_SCHEMA_KEY, b"no known schema").decode()
    wanted = schema.metadata[_SCHEMA_KEY].decode()
    if version != wanted:
        raise UserError(f"{path} has {version}, but {wanted} is needed; {remedy}")
    for field in schema:
        if field.name not in found.names:
            raise UserError(f"{path} has no column {field.name}; {remedy}")
        if found.field(field.name).type != field.type:
            raise UserError(
                f"{path}: column {field.name} is {found.field(field.name).type}, "
                f"but {field.type} is needed; {remedy}"
            )


def _again(made_by: str) -> str:
    return f"make it again with: dvc repro -f -s {made_by}"


def _damaged(path: Path, error: Exception, made_by: str) -> UserError:
    return UserError(f"{path} is damaged ({_first_line(error)}); {_again(made_by)}")


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".")


def write_json(path: Path, content: Any) -> None:
    """Write JSON, indented, with a newline at the end."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_text(path, text)


def read_json(path: Path, made_by: str) -> Any:
    """Read JSON that :func:`write_json` wrote.

    Raises:
        UserError: The file is missing or no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} is missing; make it with: dvc repro {made_by}") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path} is no whole JSON ({error}); make it again with: dvc repro -f -s {made_by}"
        ) from None


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8 with LF line ends on every system."""
    with atomic_file(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")
