"""Members of a zip archive read in place: nothing is unpacked onto the disk.

The directory of the archive is checked before anything is read, and a member is never read past
the size that the directory gives, so that a small file cannot fill memory or disk. Only deflated
and stored members are read: of others, zipfile decompresses all that it read before it looks at
that size.
"""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from stages.recommender.errors import UserError

MAX_MEMBER_BYTES = 4 << 30
MAX_RATIO = 200
"""Uncompressed over compressed size; text in these corpora stays under 10."""

_ENCRYPTED = 0x1
_READ = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# what zipfile lets through when the bytes are not what the directory says
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError)


class Archive:
    """A zip archive, open for reading.

    Attributes:
        path: Where it lies.
    """

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self.path = path
        self._archive = archive

    def find(self, file_name: str) -> str | None:
        """The member with this file name, in whichever folder; ``None`` where there is none.

        Raises:
            UserError: There are several.
        """
        found = [
            name
            for name in self._archive.namelist()
            if PurePosixPath(name).name == file_name and not name.startswith("__MACOSX/")
        ]
        if len(found) > 1:
            raise UserError(
                f"{self.path} has {file_name} more than once ({', '.join(found[:3])}); "
                "leave one of them in it"
            )
        return found[0] if found else None

    @contextmanager
    def open(self, file_name: str) -> Iterator[IO[bytes]]:
        """The bytes of the member with this file name, decompressed as they are read.

        Raises:
            UserError: It is missing, encrypted, packed in another way, too large, or damaged;
                damage shows while the block that reads it runs.
        """
        name = self.find(file_name)
        if name is None:
            there = ", ".join(self._archive.namelist()[:8]) or "nothing"
            raise UserError(f"{self.path} has no {file_name}, only {there}; name the right archive")
        member = self._archive.getinfo(name)
        if member.flag_bits & _ENCRYPTED:
            raise UserError(
                f"{self.path}: {name} is protected by a password; pack it again without one"
            )
        if member.compress_type not in _READ:
            raise UserError(
                f"{self.path}: {name} is packed by zip's method {member.compress_type}, but only 0 "
                "(stored) and 8 (deflated) are read; pack it again by deflate"
            )
        if member.file_size > MAX_MEMBER_BYTES or member.file_size > MAX_RATIO * max(
            member.compress_size, 1
        ):
            raise UserError(
                f"{self.path}: {name} would grow from {member.compress_size} to "
                f"{member.file_size} bytes, past {MAX_RATIO} times or {MAX_MEMBER_BYTES} bytes; "
                "this is no archive of the corpus, name the right one"
            )
        try:
            with self._archive.open(member) as file:
                yield file
        except _DAMAGE as error:
            raise UserError(
                f"{self.path}: {name} is damaged ({error}); get the archive again"
            ) from None


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open a zip archive.

    Raises:
        UserError: It is no whole zip archive, or has a member whose name leads out of it.
    """
    try:
        archive = zipfile.ZipFile(path)
    except _DAMAGE as error:
        raise UserError(f"{path} is no whole zip archive ({error}); get it again") from None
    with archive:
        for name in archive.namelist():
            if name.startswith("/") or "\\" in name or ".." in name.split("/"):
                raise UserError(
                    f"{path} has the member {name!r}, a name that leads out of the archive; "
                    "do not trust it, get the archive again"
                )
        yield Archive(path, archive)
