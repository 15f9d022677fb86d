import io
import zipfile
from pathlib import Path

import pytest
from one_sentence import one_sentence

from stages.recommender.corpora.archives import open_archive

NAME = "a.csv"
BODY = b"".join(b"%d,%d\n" % (number, number * number) for number in range(10_000))


def pack(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return path


def read(path: Path) -> bytes:
    with open_archive(path) as archive, archive.open(NAME) as file:
        return file.read()


def sentence(path: Path) -> str:
    message = one_sentence(read, path)
    assert message.startswith(str(path))
    return message


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("folder", ["", "ml-latest/", "a/b/"])
def test_a_member_is_found_in_any_folder(tmp_path: Path, folder: str, compression: int) -> None:
    members = {f"{folder}{NAME}": BODY, f"{folder}README.txt": b"", f"__MACOSX/{NAME}": b"x"}
    path = pack(tmp_path / "a ä.zip", members, compression)
    assert read(path) == BODY


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_zipfile_would_decompress_past_its_size_is_not_read(
    tmp_path: Path, compression: int
) -> None:
    path = pack(tmp_path / "a.zip", {NAME: BODY}, compression)
    told = f"{NAME} is packed by zip's method {compression}, but only 0 (stored) and 8 (deflated)"
    assert told in sentence(path)


@pytest.mark.parametrize("name", ["../a.csv", "x/../../a.csv", "/etc/a.csv", "..\\a.csv", "C:\\a"])
def test_a_name_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    path = pack(tmp_path / "a.zip", {NAME: BODY, name: b"x"})
    assert "a name that leads out of the archive" in sentence(path)


def test_a_cut_archive_is_said(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", {NAME: BODY})
    whole = path.read_bytes()
    for size in (0, 1, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        assert "is no whole zip archive" in sentence(path)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_damage_inside_is_said(tmp_path: Path, compression: int) -> None:
    path = pack(tmp_path / "a.zip", {NAME: BODY}, compression)
    packed = bytearray(path.read_bytes())
    for place in range(200, 300):
        packed[place] ^= 0xFF
    path.write_bytes(packed)
    assert "a.csv is damaged" in sentence(path)


def test_an_error_of_the_reader_is_not_taken_for_damage(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", {NAME: BODY})
    with pytest.raises(KeyError), open_archive(path) as archive, archive.open(NAME) as file:
        assert isinstance(file, io.BufferedIOBase)
        raise KeyError
