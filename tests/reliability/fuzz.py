"""Does every input of the two corpora's parsers end in tables or in one sentence?  ``make fuzz``

Seeds are what the sample corpus writes and the real formats' special cases; an input is a seed
with up to eight random changes, of bytes and of structure. Each ends in tables that fit their
schema and hold what Python's own readers find, or in a :class:`UserError` of one line; anything
else is a finding, written to ``tests/reliability/findings/``, which the tests replay. The
smallest input for each different answer is kept there too, so that the tests hold what is said.

The inputs of a seed are the same every time. What is done is kept until all is, a file for each
ten thousand inputs, so that the script goes on where it was stopped.
"""

import argparse
import csv
import io
import json
import random
import re
import shutil
import signal
import sys
import tempfile
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from copy import deepcopy
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import pyarrow as pa  # noqa: E402
from redial_tables import whole  # noqa: E402
from sections import Section, machine, write_section  # noqa: E402
from tqdm import tqdm  # noqa: E402

from stages.recommender import artifacts  # noqa: E402
from stages.recommender.corpora import movielens, redial, sample  # noqa: E402
from stages.recommender.corpora.archives import Archive  # noqa: E402
from stages.recommender.errors import UserError  # noqa: E402
from stages.recommender.params import Sample  # noqa: E402

FINDINGS = Path(__file__).parent / "findings"
INPUTS = 1_000_000
CHUNK = 10_000
SECONDS = 10
"""Of the processor; more for one input is a finding."""
LONGEST_SENTENCE = 600
PARSERS = ("redial", "movielens")
DIALOGUES = "train_data.jsonl"
MEMBERS = ("movies.csv", "tags.csv", "links.csv")

Content = dict[str, bytes]
"""An input: the bytes of each file."""


class TooSlowError(Exception):
    """One input took too long."""


# --- inputs --------------------------------------------------------------------------------------

DIALOGUE: dict[str, Any] = {
    "movieMentions": {"111776": "Super Troopers (2001)", "78": "The Shining  (1980)", "9": None},
    "respondentQuestions": {"111776": {"suggested": 0, "seen": 1, "liked": 2}},
    "messages": [
        {"timeOffset": 0, "text": "Like @111776 é 😀", "senderWorkerId": 956, "messageId": 1},
        {"timeOffset": None, "text": "", "senderWorkerId": 957, "messageId": None},
    ],
    "conversationId": "20001",
    "respondentWorkerId": 957,
    "initiatorWorkerId": 956,
    "initiatorQuestions": [],
}
AS_THE_HUB_WRITES: dict[str, Any] = DIALOGUE | {
    "movieMentions": [{"movieId": "78", "movieName": "The Shining  (1980)"}],
    "initiatorQuestions": [{"movieId": "78", "suggested": 1, "seen": 0, "liked": 1}],
    "conversationId": 20002,
}
CSV: Content = {
    "movies.csv": (
        b"movieId,title,genres\r\n1,Toy Story (1995),Adventure|Comedy\r\n"
        b'11,"American President, The (1995)",Comedy\r\n'
        b'7,"He said ""Go"" (2001)",(no genres listed)\r\n'
    ),
    "tags.csv": b'userId,movieId,tag,timestamp\n2,11,funny,1445714994\n3,1,"a, b",1445714992\n',
    "links.csv": b"movieId,imdbId,tmdbId\n1,0114709,862\n7,0113497,\n",
}


@cache
def seeds() -> dict[str, list[Content]]:
    """Well-formed inputs of each parser."""
    size = Sample(seed=1, movies=20, train_dialogues=20, test_dialogues=5)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.zip"
        sample.write_redial_zip(size, path)
        dialogues = _members(path)[DIALOGUES].splitlines(keepends=True)
        sample.write_movielens_zip(size, path)
        files = _members(path)
    lines = [json.dumps(each).encode() + b"\n" for each in (DIALOGUE, AS_THE_HUB_WRITES)]
    small = {
        name: b"".join(files[name].splitlines(keepends=True)[:6])
        for name in MEMBERS
        if name in files
    }
    return {
        "redial": [
            *(
                {DIALOGUES: line, "test_data.jsonl": b""}
                for line in (*lines, *dialogues[:8], b"".join(lines))
            )
        ],
        "movielens": [
            CSV,
            {name: body for name, body in CSV.items() if name != "links.csv"},
            small,
        ],
    }


def _members(path: Path) -> Content:
    with zipfile.ZipFile(path) as archive:
        return {Path(name).name: archive.read(name) for name in archive.namelist()}


PIECES = [
    *(bytes([code]) for code in b'\0\n\r\t ",:;{}[]|\\@-+.0123456789eE\xff\x80\xc3\xed'),
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"\\ud800",
    b"\\u0000",
    b"\r\n",
    b'""',
    b"null",
    b"true",
    b"NaN",
    b"Infinity",
    b"1e999",
    b"-1",
    b"1.0",
    b"9223372036854775808",
    b"-9223372036854775809",
    b"99999999999999999999999999",
    b"movieId",
    b"senderWorkerId",
    b"(no genres listed)",
    "٣".encode(),
    "\u2028".encode(),
    b"[" * 300,
    b"a" * 1_100,
    b"a" * 10_100,
]
VALUES: list[Any] = [
    *(None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63) - 1, 1.0, 1.5, float("nan"), 1e308),
    *("", "a", "1", "-7", "x\0y", "\ud800", "٣", "a" * 1_100, "a" * 10_100, "@1 @2"),
    *([], {}, [[]], [None], {"": None}, {"1": {"liked": 300}}, [{"movieId": 1}], ["a"]),
]


def make_input(parser: str, seed: int, number: int) -> Content:
    """The input of this number, always the same."""
    draw = random.Random(f"{parser} {seed} {number}")
    content = dict(draw.choice(seeds()[parser]))
    name = DIALOGUES if parser == "redial" else draw.choice(sorted(content))
    body = content[name]
    if parser == "redial" and draw.random() < 0.5:
        body = _change_json(body, draw)
    for _ in range(draw.randint(0 if parser == "redial" else 1, 4)):
        body = draw.choice(CHANGES)(body, draw)
    content[name] = body
    return content


def _change_json(body: bytes, draw: random.Random) -> bytes:
    """Change values of one dialogue, where they are."""
    dialogue = json.loads(body.splitlines()[0])
    for _ in range(draw.randint(1, 4)):
        places = list(_places(dialogue))
        if not places:
            break
        holder, key = draw.choice(places)
        match draw.randrange(4):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, dict):
                holder[draw.choice([*holder, "movieId", "text", "x"])] = deepcopy(holder[key])
            case _:
                holder[key] = deepcopy(draw.choice(VALUES))
    return json.dumps(dialogue).encode() + b"\n"


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    keys: Any = ()
    if isinstance(value, dict):
        keys = list(value)
    elif isinstance(value, list):
        keys = range(len(value))
    for key in keys:
        yield value, key
        yield from _places(value[key])


def _insert(body: bytes, draw: random.Random) -> bytes:
    at = draw.randint(0, len(body))
    return body[:at] + draw.choice(PIECES) + body[at:]


def _replace(body: bytes, draw: random.Random) -> bytes:
    at = draw.randint(0, len(body))
    return body[:at] + draw.choice(PIECES) + body[at + draw.randint(1, 8) :]


def _delete(body: bytes, draw: random.Random) -> bytes:
    at = draw.randint(0, len(body))
    return body[:at] + body[at + draw.randint(1, 30) :]


def _cut(body: bytes, draw: random.Random) -> bytes:
    return body[: draw.randint(0, len(body))]


def _repeat(body: bytes, draw: random.Random) -> bytes:
    start = draw.randint(0, len(body))
    end = min(len(body), start + draw.randint(1, 200))
    return body[:end] + body[start:end] + body[end:]


def _flip(body: bytes, draw: random.Random) -> bytes:
    if not body:
        return body
    changed = bytearray(body)
    changed[draw.randrange(len(body))] ^= 1 << draw.randrange(8)
    return bytes(changed)


CHANGES: list[Callable[[bytes, random.Random], bytes]] = [
    *(_insert, _replace, _delete, _cut, _repeat, _flip, _flip)
]


# --- parsing -------------------------------------------------------------------------------------


def answer(parser: str, content: Content) -> str:
    """What a parser says of an input: ``parsed``, or its sentence.

    Raises:
        Exception: Anything but that; a finding.
    """
    try:
        tables = _read(parser, _archive(content))
    except UserError as error:
        sentence = str(error)
        if "\n" in sentence or "a.zip" not in sentence or len(sentence) > LONGEST_SENTENCE:
            raise ValueError(f"no fit sentence: {sentence!r}") from None
        return sentence
    for table in tables.values():
        table.validate(full=True)
    compare = _compare_dialogues if parser == "redial" else _compare_movielens
    compare(content, tables)
    return "parsed"


def _read(parser: str, archive: Archive) -> dict[str, pa.Table]:
    if parser == "movielens":
        return movielens.read_members(archive)
    return whole(redial.read_members(archive))


def _compare_dialogues(content: Content, tables: Mapping[str, pa.Table]) -> None:
    lines = content[DIALOGUES].removeprefix(b"\xef\xbb\xbf").split(b"\n")
    expected = [
        {
            "conversation_id": int(dialogue["conversationId"]),
            "messages": [
                {"sender_id": int(message["senderWorkerId"]), "text": message["text"]}
                for message in dialogue["messages"]
            ],
        }
        for dialogue in (json.loads(line) for line in lines if line.strip())
    ]
    found = tables["train"].select(["conversation_id", "messages"]).to_pylist()
    if found != expected:
        raise ValueError("these are not the dialogues that the json module finds")


def _compare_movielens(content: Content, tables: Mapping[str, pa.Table]) -> None:
    for table, name, columns in (
        ("movies", "movies.csv", ("movieId", "title")),
        ("tags", "tags.csv", ("movieId", "tag")),
        ("links", "links.csv", ("movieId", "imdbId")),
    ):
        if name not in content:
            continue
        # columns that are not read may hold anything
        text = content[name].decode("utf-8-sig", errors="replace")
        header, *rows = filter(None, csv.reader(io.StringIO(text, newline="")))
        number, value = map(header.index, columns)
        expected = [(int(row[number]), row[value]) for row in rows]
        found = tables[table].select([0, 1])
        if [tuple(row.values()) for row in found.to_pylist()] != expected:
            raise ValueError(f"these are not the {table} that the csv module finds")


def _archive(content: Content) -> Archive:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, body in content.items():
            archive.writestr(name, body)
    return Archive(Path("a.zip"), zipfile.ZipFile(packed))


def shape(sentence: str) -> str:
    """A sentence without what differs from input to input."""
    without_values = re.sub(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", "_", sentence)
    without_given = re.sub(r"(?<= has )(\S+) .*(?=, but it )", r"\1 _", without_values)
    return re.sub(r"0x\w\w|-?\d+", "_", without_given)


def run_chunk(parser: str, seed: int, first: int, count: int) -> dict[str, Any]:
    """The answers to inputs, counted by shape, the smallest input of each; and the findings.

    Args:
        parser: One of :data:`PARSERS`.
        seed: Of all inputs.
        first: The number of the first input.
        count: How many.
    """
    signal.signal(signal.SIGPROF, _too_slow)
    counts: Counter[str] = Counter()
    examples: dict[str, dict[str, str]] = {}
    findings: list[dict[str, Any]] = []
    for number in range(first, first + count):
        content = make_input(parser, seed, number)
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            given = answer(parser, content)
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            what = f"{type(error).__name__} at {place.name}: {error}"
            findings.append({"number": number, "what": what, "input": encoded(content)})
            continue
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        told = shape(given)
        counts[told] += 1
        if told not in examples or _size(encoded(content)) < _size(examples[told]):
            examples[told] = encoded(content)
    return {
        "parser": parser,
        "first": first,
        "inputs": count,
        "counts": counts,
        "examples": examples,
        "findings": findings,
    }


def _too_slow(number: int, frame: FrameType | None) -> None:
    raise TooSlowError(f"took more than {SECONDS} seconds")


def encoded(content: Content) -> dict[str, str]:
    """As JSON can hold it, each byte a character."""
    return {name: body.decode("latin-1") for name, body in content.items()}


def decoded(content: Mapping[str, str]) -> Content:
    """What :func:`encoded` got."""
    return {name: body.encode("latin-1") for name, body in content.items()}


# --- the whole run -------------------------------------------------------------------------------


def run_all(folder: Path, inputs: int, seed: int, workers: int) -> list[dict[str, Any]]:
    """Do the chunks that are not done yet.

    Args:
        folder: Where what is done is kept, a file a chunk.
        inputs: For all parsers together, at least.
        seed: Of all inputs.
        workers: Processes at once.

    Returns:
        All chunks.
    """
    each = -(-inputs // len(PARSERS) // CHUNK)
    wanted = {
        folder / f"{parser}-{seed}-{number * CHUNK}.json": (parser, seed, number * CHUNK, CHUNK)
        for number in range(each)
        for parser in PARSERS
    }
    left = [path for path in wanted if not path.is_file()]
    with (
        ProcessPoolExecutor(workers) as pool,
        tqdm(total=CHUNK * len(wanted), initial=CHUNK * (len(wanted) - len(left))) as bar,
    ):
        for path, chunk in [(path, pool.submit(run_chunk, *wanted[path])) for path in left]:
            artifacts.write_json(path, chunk.result())
            bar.update(CHUNK)
    return [json.loads(path.read_text(encoding="utf-8")) for path in wanted]


def keep(chunks: list[dict[str, Any]]) -> None:
    """Write an input for each different answer, with the answer, and the findings, as tests."""
    for parser in PARSERS:
        inputs = {}
        for chunk in chunks:
            if chunk["parser"] == parser:
                for finding in chunk["findings"]:
                    inputs.setdefault(finding["what"], finding["input"])
                for told, given in chunk["examples"].items():
                    if told not in inputs or _size(given) < _size(inputs[told]):
                        inputs[told] = given
        lines = []
        for _, given in sorted(inputs.items()):
            try:
                told = answer(parser, decoded(given))
            except Exception as error:
                told = f"a sentence instead of {type(error).__name__}"
            lines.append(json.dumps({"answer": told, "input": given}))
        FINDINGS.mkdir(exist_ok=True)
        (FINDINGS / f"{parser}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _size(content: Mapping[str, str]) -> int:
    return sum(map(len, content.values()))


def section(chunks: list[dict[str, Any]]) -> Section:
    """The figures of RELIABILITY.md."""
    rows = []
    for parser, name in (("redial", "ReDial, JSON lines"), ("movielens", "MovieLens, CSV")):
        mine = [chunk for chunk in chunks if chunk["parser"] == parser]
        counts = sum((Counter(chunk["counts"]) for chunk in mine), Counter())
        parsed = counts.pop("parsed", 0)
        findings = sum(len(chunk["findings"]) for chunk in mine)
        inputs = sum(chunk["inputs"] for chunk in mine)
        figures = (inputs, parsed, sum(counts.values()), len(counts), findings)
        rows.append([name, *(f"{figure:,}" for figure in figures)])
    return Section(
        title="Any input",
        says=(
            "The parsers of both corpora were given well-formed files with random changes, of "
            "bytes and of structure. Each input has to end in tables that fit their schema and "
            "hold what Python's json and csv modules find, or in one sentence for the user; "
            f"anything else, such as a crash or more than {SECONDS} seconds, counts as a finding. "
            "The smallest input for each different sentence is kept in "
            "`tests/reliability/findings/`, and the tests replay them."
        ),
        command="make fuzz",
        machine=machine(),
        columns=["parser", "inputs", "parsed", "told", "different sentences", "findings"],
        rows=rows,
    )


def main() -> None:
    """Fuzz, and write what came of it."""
    parser = argparse.ArgumentParser(prog="make fuzz")
    parser.add_argument("--inputs", type=int, default=INPUTS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=ROOT / ".cache" / "fuzzed")
    arguments = parser.parse_args()
    chunks = run_all(arguments.folder, arguments.inputs, arguments.seed, arguments.workers)
    findings = [finding for chunk in chunks for finding in chunk["findings"]]
    for what, times in Counter(finding["what"][:150] for finding in findings).most_common():
        print(f"{times} times: {what}")
    if sum(chunk["inputs"] for chunk in chunks) >= INPUTS:
        keep(chunks)
        write_section("fuzzing", section(chunks))
        shutil.rmtree(arguments.folder)
    if findings:
        sys.exit(1)


if __name__ == "__main__":
    main()
