"""Cases: the archives of ReDial and MovieLens, and the lines in them."""

import json
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bad_input import ENCODER, MOVIELENS, REDIAL, Case, Project

Spoil = Callable[[Project], object]
DIALOGUE: dict[str, Any] = {
    "movieMentions": {"111776": "Super Troopers (2001)", "78": "The Shining  (1980)"},
    "respondentQuestions": {"111776": {"suggested": 0, "seen": 1, "liked": 2}},
    "messages": [
        {"timeOffset": 0, "text": "Like @111776", "senderWorkerId": 956, "messageId": 204171},
        {"timeOffset": 1, "text": "", "senderWorkerId": 957, "messageId": 204172},
    ],
    "conversationId": "20001",
    "respondentWorkerId": 957,
    "initiatorWorkerId": 956,
    "initiatorQuestions": [],
}
MOVIES = (
    b"movieId,title,genres\r\n"
    b"1,Toy Story (1995),Adventure|Comedy\r\n"
    b'11,"American President, The (1995)",Comedy\r\n'
    b'7,"He said ""Go"" (2001)",(no genres listed)\r\n'
)
TAGS = b'userId,movieId,tag,timestamp\n2,11,funny,1\n2,1,NA,2\n3,1,"a, b",3\n3,1,,4\n'
LINKS = b"movieId,imdbId,tmdbId\n1,0114709,862\n7,0113497,\n"
SPLITS = ("train_data.jsonl", "test_data.jsonl")


def pack(
    path: str, members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED
) -> bytearray:
    """Write a zip archive; its bytes, to be spoilt and written again."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, body in members.items():
            archive.writestr(zipfile.ZipInfo(name), body, compression)
    return bytearray(Path(path).read_bytes())


def line(**changes: Any) -> bytes:
    """A dialogue as ReDial writes it, with other values of some fields."""
    return json.dumps({**DIALOGUE, **changes}).encode() + b"\n"


def without(key: str) -> bytes:
    """A dialogue that lacks a field."""
    return json.dumps({name: value for name, value in DIALOGUE.items() if name != key}).encode()


def message(text: Any = "a", sender: Any = 956) -> dict[str, Any]:
    """One message in the place of the dialogue's."""
    return {"messages": [{"text": text, "senderWorkerId": sender}]}


# --- archives ----------------------------------------------------------------------------------

WHOLE = {SPLITS[0]: line(conversationId=7), SPLITS[1]: line()}
LINES = b"".join(line(conversationId=number) for number in range(200))


def archive_of(*names: str) -> Spoil:
    """Have these members in ReDial's archive, all of them whole."""
    members = {name: line(conversationId=number) for number, name in enumerate(names)}
    return lambda _: pack(REDIAL, members)


def bytes_of(change: Callable[[bytearray], bytes | bytearray]) -> Spoil:
    """Change the bytes of an archive whose training file has two hundred lines."""

    def spoil(_: Project) -> None:
        packed = pack(REDIAL, {SPLITS[0]: LINES, SPLITS[1]: line()})
        Path(REDIAL).write_bytes(change(packed))

    return spoil


def encrypted(packed: bytearray) -> bytearray:
    # the flag that says encrypted, in the member's header and in the directory
    packed[6] |= 1
    packed[packed.index(b"PK\x01\x02") + 8] |= 1
    return packed


def unknown_compression(packed: bytearray) -> bytearray:
    directory = packed.index(b"PK\x01\x02")
    packed[8:10] = packed[directory + 10 : directory + 12] = struct.pack("<H", 97)
    return packed


def flipped(packed: bytearray) -> bytearray:
    for place in range(200, 300):
        packed[place] ^= 0xFF
    return packed


def lying_bomb(_: Project) -> None:
    packed = pack(REDIAL, {SPLITS[0]: bytes(10_000_000), SPLITS[1]: line()})
    directory = packed.index(b"PK\x01\x02")
    packed[directory + 24 : directory + 28] = struct.pack("<I", 100)
    Path(REDIAL).write_bytes(packed)


def gone(path: str) -> Spoil:
    return lambda _: Path(path).unlink()


def folder_instead(_: Project) -> None:
    Path(REDIAL).unlink()
    Path(REDIAL).mkdir()


def other_checksum(stage_key: str) -> Spoil:
    def spoil(project: Project) -> None:
        pack(REDIAL, WHOLE)
        project.set(stage_key, "0" * 64)

    return spoil


def two_lines_in_its_name(project: Project) -> None:
    project.set("redial.zip.location", "Meine\nFilme.zip")


ZIP = "zip archives"
ARCHIVES: list[tuple[str, Spoil]] = [
    ("missing", gone(REDIAL)),
    ("a folder", folder_instead),
    ("a name of two lines", two_lines_in_its_name),
    ("empty", bytes_of(lambda packed: b"")),
    ("one byte", bytes_of(lambda packed: packed[:1])),
    ("cut in half", bytes_of(lambda packed: packed[: len(packed) // 2])),
    ("its last byte lost", bytes_of(lambda packed: packed[:-1])),
    ("a page that asks to log in", bytes_of(lambda packed: b"<html>Please log in</html>")),
    ("another checksum", other_checksum("redial.zip.sha256")),
    ("no members", archive_of()),
    ("wrong members", archive_of("ratings.csv", "README.txt")),
    ("a member lacks", archive_of(SPLITS[0])),
    ("packed by LZMA", lambda _: pack(REDIAL, WHOLE, zipfile.ZIP_LZMA)),
    ("a member twice", archive_of(*SPLITS, f"copy/{SPLITS[0]}")),
    ("a password", bytes_of(encrypted)),
    ("a path that leads up", archive_of(*SPLITS, "../evil.jsonl")),
    ("a path that leads up from within", archive_of(*SPLITS, "a/../../evil.jsonl")),
    ("a path from the root", archive_of(*SPLITS, "/etc/evil.jsonl")),
    ("a path of Windows", archive_of(*SPLITS, "..\\evil.jsonl")),
    ("a bomb", lambda _: pack(REDIAL, {SPLITS[0]: bytes(10_000_000), SPLITS[1]: line()})),
    ("a bomb that lies about its size", lying_bomb),
    ("bytes flipped inside", bytes_of(flipped)),
    ("an unknown compression", bytes_of(unknown_compression)),
]

# --- ReDial's lines ----------------------------------------------------------------------------


def second_line(bad: bytes) -> Spoil:
    """Have a good line and this one in the training file."""
    members = {SPLITS[0]: line(conversationId=7) + bad, SPLITS[1]: line()}
    return lambda _: pack(REDIAL, members, zipfile.ZIP_STORED)


JSON = "JSON lines"
DIALOGUES: list[tuple[str, bytes]] = [
    ("cut", line()[:200]),
    ("two objects", b"{}{}"),
    ("a byte of no encoding", b"\xff"),
    ("a byte of Latin-1 in a text", line().replace(b"Like", b"L\xffke")),
    ("UTF-16", line().decode().encode("utf-16")),
    ("a hundred thousand brackets", b"[" * 100_000),
    ("the first half of a surrogate pair", line(**message("\ud800"))),
    ("the second half of a surrogate pair", line(**message("a\udc00b"))),
    ("a number of 5,000 digits", line().replace(b'"20001"', b"9" * 5000)),
    ("a list", b"[]"),
    ("a number", b"3"),
    ("an empty object", b"{}"),
    ("no messages", without("messages")),
    ("no movies", without("movieMentions")),
    ("no initiator", without("initiatorWorkerId")),
    ("no forms", without("respondentQuestions")),
    ("the id is null", line(conversationId=None)),
    ("the id is text", line(conversationId="x1")),
    ("the id in Arabic digits", line(conversationId="٣")),
    ("the id is true", line(conversationId=True)),
    ("the id has a fraction", line(conversationId=1.0)),
    ("the id is NaN", line(conversationId=float("nan"))),
    ("the id has 65 bits", line(conversationId=2**63)),
    ("messages are an object", line(messages={})),
    ("a message is text", line(messages=["a"])),
    ("a message without sender", line(messages=[{"text": "a"}])),
    ("a message without text", line(messages=[{"senderWorkerId": 956}])),
    ("a text is null", line(**message(None))),
    ("a text is a number", line(**message(3))),
    ("a text with NUL", line(**message("a\0b"))),
    ("a text of absurd length", line(**message("a" * 10_001))),
    ("an unknown worker", line(**message(sender=958))),
    ("a worker is text", line(**message(sender="me"))),
    ("movies are null", line(movieMentions=None)),
    ("movies are text", line(movieMentions="a")),
    ("a movie's id is text", line(movieMentions={"a": "b"})),
    ("a movie's name is a number", line(movieMentions={"1": 2})),
    ("a movie's name with NUL", line(movieMentions={"1": "a\0"})),
    ("a movie's name of absurd length", line(movieMentions={"1": "a" * 1001})),
    ("a movie without name", line(movieMentions=[{"movieId": 1}])),
    ("a form is a number", line(initiatorQuestions={"1": 2})),
    ("a form's answer is text", line(initiatorQuestions={"1": {"liked": "1"}})),
    ("a form's answer has nine bits", line(initiatorQuestions={"1": {"seen": 300}})),
    ("a dialogue twice", line(conversationId=7)),
    ("a dialogue of both files", line()),
    ("a line of absurd length", line(**message("a" * (1 << 20)))),
]

# --- MovieLens' lines --------------------------------------------------------------------------


def csv(**changes: bytes) -> Spoil:
    """Have other content in one of MovieLens' files."""
    whole = {"movies": MOVIES, "tags": TAGS, "links": LINKS, **changes}
    members = {f"ml-latest/{name}.csv": body for name, body in whole.items()}
    return lambda _: pack(MOVIELENS, members, zipfile.ZIP_STORED)


CSV = "CSV"
TABLES: list[tuple[str, Spoil]] = [
    ("no tags", lambda _: pack(MOVIELENS, {"ml-latest/movies.csv": MOVIES})),
    ("empty", csv(movies=b"")),
    ("a page of the web", csv(movies=b"<html>\n")),
    ("other columns", csv(movies=b"movieId,name,genres\n1,a,b\n")),
    ("semicolons", csv(movies=MOVIES.replace(b",", b";"))),
    ("UTF-16 with a BOM", csv(movies=MOVIES.decode().encode("utf-16"))),
    ("a BOM in the middle", csv(movies=MOVIES + b"\xef\xbb\xbf5,a,b\n")),
    ("a value lacks", csv(movies=MOVIES + b"5,a\n")),
    ("a value too many", csv(movies=MOVIES + b"5,a,b,c\n")),
    ("a quote stays open", csv(movies=MOVIES + b'5,"a,b\n6,c,d\n')),
    ("an id is text", csv(movies=MOVIES + b"x,a,b\n")),
    ("an id has a fraction", csv(movies=MOVIES + b"5.0,a,b\n")),
    ("an id of 67 bits", csv(movies=MOVIES + b"99999999999999999999,a,b\n")),
    ("an id is empty", csv(movies=MOVIES + b",a,b\n")),
    ("an id twice", csv(movies=MOVIES + b"1,a,b\n")),
    ("an id twice, once with a zero", csv(movies=MOVIES + b"07,a,b\n")),
    ("a title with NUL", csv(movies=MOVIES + b"5,a\0b,c\n")),
    ("a title in Latin-1", csv(movies=MOVIES + b"5,\xe9,b\n")),
    ("a long title in Latin-1", csv(movies=MOVIES + b"5,\xe9" + b"a" * 2_000_000)),
    ("tags: other columns", csv(tags=b"movieId,title\n1,a\n")),
    ("tags: an id is text", csv(tags=TAGS + b"3,x,a,5\n")),
    ("tags: a tag with NUL", csv(tags=TAGS + b"3,1,a\0,5\n")),
    ("tags: a tag in Latin-1", csv(tags=TAGS + b"3,1,\xff,5\n")),
    ("tags: values lack", csv(tags=TAGS + b"3,1\n")),
    ("links: an id is text", csv(links=LINKS + b"9,1,x\n")),
    ("links: an id twice", csv(links=LINKS + b"1,1,1\n")),
    ("links: a column lacks", csv(links=b"movieId,imdbId\n1,2\n")),
]

# --- what is well --------------------------------------------------------------------------------


def moved(key: str, old: str, new: str) -> Spoil:
    """Have a file or folder lie elsewhere, and its parameter say so."""

    def spoil(project: Project) -> None:
        target = Path(new).expanduser()
        target.parent.mkdir(parents=True, exist_ok=True)
        Path(old).rename(target)
        project.set(key, new)

    return spoil


def in_the_home_folder(project: Project) -> None:
    os.environ["HOME"] = str(project.root / "Zuhause bei ß")
    moved("redial.zip.location", REDIAL, "~/a b.zip")(project)


PATHS = "paths with spaces and accents"
CASES = [
    *(Case(ZIP, name, "download_redial", spoil) for name, spoil in ARCHIVES),
    *(Case(JSON, name, "download_redial", second_line(bad)) for name, bad in DIALOGUES),
    *(Case(CSV, name, "download_movielens", spoil) for name, spoil in TABLES),
    Case(
        PATHS,
        "an archive",
        "download_redial",
        moved("redial.zip.location", REDIAL, 'Größe — 天/l\'été "98" #1 %20.zip'),
    ),
    Case(PATHS, "an archive in the home folder", "download_redial", in_the_home_folder),
    Case(
        PATHS,
        "an archive, decomposed",
        "download_movielens",
        moved("movielens.zip.location", MOVIELENS, "e\u0301te\u0301 $HOME/a&b;c.zip"),
    ),
    Case(
        PATHS,
        "the encoder's folder",
        "download_encoder",
        moved("encoder.folder", ENCODER, "Modelle (neu)/MiniLM é"),
    ),
    Case(
        PATHS,
        "an archive that is not there",
        "download_redial",
        lambda p: p.set("redial.zip.location", "Größe/l'été.zip"),
    ),
]
