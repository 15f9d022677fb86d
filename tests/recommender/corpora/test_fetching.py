import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from base64 import b64encode
from functools import partial
from pathlib import Path

import pytest
from local_server import (
    QUICK,
    Respond,
    Server,
    answer,
    content,
    drop,
    free_port,
    local_server,
    trickle,
)
from one_sentence import one_sentence
from self_signed import self_signed

from stages.recommender.corpora.fetching import fetch, fetched
from stages.recommender.errors import UserError

BODY = random.Random(1).randbytes(400_000)
SHA256 = hashlib.sha256(BODY).hexdigest()
OTHER_BODY = random.Random(2).randbytes(400_000)
ROOT = Path(__file__).parents[3]


def get(location: str, cache: Path, sha256: str | None = SHA256) -> Path:
    return fetch(location, "x.location", sha256, "x.sha256", cache=cache, patience=QUICK)


sentence = partial(one_sentence, get)


def test_a_file_is_brought(server: Server, tmp_path: Path) -> None:
    path = get(server.serve("/folder/a%20b.zip", content(BODY)), tmp_path)
    assert path.read_bytes() == BODY
    assert path.name.endswith("-a_20b.zip")
    assert not list(tmp_path.glob("*.partial"))


def test_a_whole_file_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    url = server.serve("/a", content(BODY))
    assert get(url, tmp_path) == get(url, tmp_path)
    assert len(server.requests) == 1


def test_a_damaged_file_is_fetched_again(server: Server, tmp_path: Path) -> None:
    url = server.serve("/a", content(BODY))
    get(url, tmp_path).write_bytes(BODY[:-1])
    assert get(url, tmp_path).read_bytes() == BODY


def test_without_checksum_the_host_is_asked_for_a_newer_edition(
    server: Server, tmp_path: Path
) -> None:
    url = server.serve("/a", content(BODY))
    get(url, tmp_path, None)
    assert get(url, tmp_path, None).read_bytes() == BODY
    assert server.sent("If-None-Match") == [None, '"1"']
    server.serve("/a", content(OTHER_BODY, etag='"2"'))
    assert get(url, tmp_path, None).read_bytes() == OTHER_BODY


def test_a_dropped_download_goes_on_where_it_stopped(server: Server, tmp_path: Path) -> None:
    url = server.serve(
        "/a", content(BODY, stop_at=150_000), content(BODY, stop_at=300_000), content(BODY)
    )
    assert get(url, tmp_path).read_bytes() == BODY
    assert server.sent("Range") == [None, "bytes=150000-", "bytes=300000-"]


def test_of_a_dropped_download_every_byte_is_kept(server: Server, tmp_path: Path) -> None:
    url = server.serve("/a", content(BODY, stop_at=5_000), content(BODY))
    assert get(url, tmp_path).read_bytes() == BODY
    assert server.sent("Range") == [None, "bytes=5000-"]


def test_what_is_left_of_a_failed_download_is_used_by_the_next_call(
    server: Server, tmp_path: Path
) -> None:
    url = server.serve("/a", content(BODY, stop_at=200_000), answer(503))
    assert "answered HTTP 503; run the same command later" in sentence(url, tmp_path)
    server.serve("/a", content(BODY))
    assert get(url, tmp_path).read_bytes() == BODY
    assert server.sent("Range")[-1] is not None


@pytest.mark.parametrize("sha256", [SHA256, None])
def test_two_editions_are_never_joined(server: Server, tmp_path: Path, sha256: str | None) -> None:
    url = server.serve("/a", content(OTHER_BODY, stop_at=200_000), content(BODY, etag='"2"'))
    assert get(url, tmp_path, sha256).read_bytes() == BODY


def test_without_validator_and_checksum_a_download_begins_anew(
    server: Server, tmp_path: Path
) -> None:
    url = server.serve("/a", content(BODY, etag=None, stop_at=200_000), content(BODY, etag=None))
    assert get(url, tmp_path, None).read_bytes() == BODY
    assert server.sent("Range") == [None, None]


def test_a_host_without_ranges_is_read_from_the_beginning(server: Server, tmp_path: Path) -> None:
    url = server.serve(
        "/a", content(BODY, stop_at=200_000, ranges=False), content(BODY, ranges=False)
    )
    assert get(url, tmp_path).read_bytes() == BODY


def test_a_download_killed_after_its_last_byte_is_taken(server: Server, tmp_path: Path) -> None:
    url = server.serve("/a", content(BODY))
    path = get(url, tmp_path)
    path.rename(path.with_name(f"{path.name}.partial"))
    assert get(url, tmp_path).read_bytes() == BODY


def test_a_wrong_part_is_thrown_away(server: Server, tmp_path: Path) -> None:
    wrong = answer(206, BODY[5:], Content_Range=f"bytes 5-{len(BODY) - 1}/{len(BODY)}")
    url = server.serve("/a", content(BODY, stop_at=200_000), wrong, content(BODY))
    assert get(url, tmp_path).read_bytes() == BODY


@pytest.mark.parametrize("trouble", [answer(500), answer(503), answer(429, Retry_After="0"), drop])
def test_passing_trouble_is_borne(server: Server, tmp_path: Path, trouble: Respond) -> None:
    url = server.serve("/a", trouble, trouble, content(BODY))
    assert get(url, tmp_path).read_bytes() == BODY


def test_a_steadily_dropping_host_is_borne_as_long_as_it_brings_something(
    server: Server, tmp_path: Path
) -> None:
    body = random.Random(3).randbytes(8 << 20)
    breaks = [content(body, stop_at=(part + 1) * (3 << 19)) for part in range(5)]
    url = server.serve("/a", *breaks, content(body))
    assert get(url, tmp_path, None).read_bytes() == body
    assert len(server.requests) > QUICK.attempts


@pytest.mark.parametrize(
    ("response", "requests", "expected"),
    [
        (answer(500), 3, "answered HTTP 500; run the same command later"),
        (answer(429), 3, "answered HTTP 429; run the same command later"),
        (answer(404), 1, "answered HTTP 404 (Not Found); mend x.location"),
        (answer(403), 1, "answered HTTP 403 (Forbidden); mend x.location"),
        (answer(304), 1, "answered HTTP 304"),
        (answer(200, OTHER_BODY), 1, f"not {SHA256}: it is damaged or another edition"),
        (drop, 3, "broke off the connection; run the same command later"),
        (content(BODY, stop_at=100, ranges=False), 3, "broke off after 100 bytes"),
        (content(BODY, pause=0.8), 3, "broke off after"),
        (trickle(BODY, 0.05), 3, "brings fewer than 1000 bytes a second; run the same"),
        (lambda _: time.sleep(0.8), 3, "gave no answer within 0.5 seconds"),
        (answer(302, Location="ftp://127.0.0.1/a"), 1, "leads to no URL that can be read"),
        (answer(302, Location="file:///etc/passwd"), 1, "leads to no URL that can be read"),
    ],
)
def test_a_failure_is_said_plainly(
    server: Server, tmp_path: Path, response: Respond, requests: int, expected: str
) -> None:
    url = server.serve("/a", response)
    message = sentence(url, tmp_path)
    assert message.startswith(url)
    assert expected in message
    assert len(server.requests) == requests


def test_a_file_shorter_than_announced_is_not_taken(server: Server, tmp_path: Path) -> None:
    url = server.serve("/a", content(BODY, stop_at=len(BODY) - 1, etag=None))
    assert "broke off after" in sentence(url, tmp_path, None)
    assert not [path for path in tmp_path.iterdir() if path.suffix == ""]


def test_a_wrong_checksum_leaves_nothing_to_go_on_with(server: Server, tmp_path: Path) -> None:
    url = server.serve("/a", content(OTHER_BODY))
    assert "change x.sha256 if you trust it" in sentence(url, tmp_path)
    assert not list(tmp_path.glob("*.partial"))
    server.serve("/a", content(BODY, etag='"2"'))
    assert get(url, tmp_path).read_bytes() == BODY


def read_wrongly(url: str, cache: Path) -> None:
    with fetched(url, "x", None, "y", cache=cache, patience=QUICK):
        raise UserError("it is no archive; get it again")


def test_what_is_found_wrong_is_brought_anew_though_its_edition_is_the_same(
    server: Server, tmp_path: Path
) -> None:
    url = server.serve("/a", content(OTHER_BODY), content(BODY))
    with pytest.raises(UserError):
        read_wrongly(url, tmp_path)
    assert get(url, tmp_path, None).read_bytes() == BODY
    assert server.sent("If-None-Match") == [None, None]


def test_what_is_found_right_is_not_brought_anew(server: Server, tmp_path: Path) -> None:
    url = server.serve("/a", content(BODY))
    for _ in range(2):
        with fetched(url, "x", None, "y", cache=tmp_path, patience=QUICK) as path:
            assert path.read_bytes() == BODY
    assert server.sent("If-None-Match") == [None, '"1"']


def test_a_local_file_found_wrong_is_left_alone(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.zip", "a.zip.validator")]
    for path in files:
        path.write_bytes(BODY)
    with pytest.raises(UserError):
        read_wrongly(str(files[0]), tmp_path)
    assert all(path.read_bytes() == BODY for path in files)


def test_an_endless_redirect_is_left(server: Server, tmp_path: Path) -> None:
    url = server.serve("/a", answer(302, Location="/a"))
    assert "redirects more than 10 times" in sentence(url, tmp_path)
    assert len(server.requests) == 11


def test_a_redirect_is_followed(server: Server, tmp_path: Path) -> None:
    server.serve("/b", content(BODY))
    assert get(server.serve("/a", answer(302, Location="/b")), tmp_path).read_bytes() == BODY


def test_an_unreachable_host_says_what_works_without_network(tmp_path: Path) -> None:
    message = sentence(f"http://127.0.0.1:{free_port()}/a", tmp_path)
    assert "could not be reached; check the network and x.location" in message
    assert "`make run`" in message
    assert "`make test`" in message


def test_an_unknown_host_says_what_works_without_network(tmp_path: Path) -> None:
    assert "`make run`" in sentence("http://no-such-host.invalid/a", tmp_path)


def test_a_certificate_that_is_not_trusted_ends_it_at_once(tmp_path: Path) -> None:
    with local_server(self_signed(tmp_path / "certificate.pem")) as server:
        url = server.serve("/a", content(BODY))
        assert "a certificate that is not to be trusted" in sentence(url, tmp_path)
        assert not server.requests


@pytest.mark.parametrize("scheme", ["file:///etc/passwd", "ftp://host/a", "s3://b/a", "data:,a"])
def test_other_schemes_are_refused(tmp_path: Path, scheme: str) -> None:
    assert "only http, https and local paths are read" in sentence(scheme, tmp_path)


@pytest.mark.parametrize("url", ["http://[::1/a", "http:///a", "http://a..b/c"])
def test_what_is_no_url_is_said(tmp_path: Path, url: str) -> None:
    message = sentence(url, tmp_path)
    assert "mend" in message
    assert "no URL" in message


def test_secrets_in_a_url_are_not_shown(server: Server, tmp_path: Path) -> None:
    url = server.url("/a?token=hidden").replace("://", "://user:hidden@")
    message = sentence(url, tmp_path)
    assert "hidden" not in message
    assert f"{server.url('/a')} answered HTTP 404" in message
    assert not [path for path in tmp_path.iterdir() if "hidden" in path.name]


def test_a_password_may_stand_in_the_netrc(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    fetch(server.serve("/a", content(BODY)), "x", SHA256, "y", cache=tmp_path, patience=QUICK)
    assert server.sent("Authorization") == [f"Basic {b64encode(b'me:secret').decode()}"]


def test_a_token_is_shown_to_its_host_only(server: Server, tmp_path: Path) -> None:
    with local_server() as elsewhere:
        target = elsewhere.serve("/b", content(BODY)).replace("127.0.0.1", "localhost")
        url = server.serve("/a", answer(302, Location=target))
        fetch(url, "x", SHA256, "y", token="secret", cache=tmp_path, patience=QUICK)
        assert server.sent("Authorization") == ["Bearer secret"]
        assert elsewhere.sent("Authorization") == [None]


def test_a_local_file_is_taken_where_it_lies(tmp_path: Path) -> None:
    path = tmp_path / "ä b.zip"
    path.write_bytes(BODY)
    assert get(str(path), tmp_path / "cache") == path
    assert not (tmp_path / "cache").exists()


def test_a_wrong_local_file_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    assert f"{path} is not there; name a file or a URL in x.loc" in sentence(str(path), tmp_path)
    assert "is a folder" in sentence(str(tmp_path), tmp_path)
    path.write_bytes(b"")
    assert f"{path} has the sha256 e3b0c44298fc" in sentence(str(path), tmp_path)


def start(url: str, cache: Path, largest_file: int = 1 << 30) -> "subprocess.Popen[str]":
    code = (
        "import resource, sys; from pathlib import Path; "
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({largest_file}, {largest_file})); "
        "from stages.recommender.corpora.fetching import fetch; "
        "print(fetch(sys.argv[1], 'x', sys.argv[2], 'y', cache=Path(sys.argv[3])))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, url, SHA256, str(cache)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_killed_download_is_resumed_and_its_lock_is_free(server: Server, tmp_path: Path) -> None:
    url = server.serve("/a", content(BODY, pause=30), content(BODY))
    process = start(url, tmp_path)
    while not any(path.stat().st_size >= 100_000 for path in tmp_path.glob("*.partial")):
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert get(url, tmp_path).read_bytes() == BODY
    assert server.sent("Range")[1] is not None


def test_a_full_disk_leaves_what_can_be_gone_on_with(server: Server, tmp_path: Path) -> None:
    url = server.serve("/a", content(BODY))
    process = start(url, tmp_path, largest_file=200_000)
    _, errors = process.communicate()
    assert process.returncode == 1
    assert errors.splitlines()[-1].startswith("OSError")
    assert get(url, tmp_path).read_bytes() == BODY
    assert server.sent("Range") == [None, "bytes=200000-"]


def test_two_processes_download_once(server: Server, tmp_path: Path) -> None:
    url = server.serve("/a", content(BODY, pause=0.7))
    processes = [start(url, tmp_path) for _ in range(2)]
    paths = {Path(process.communicate(timeout=30)[0].strip()) for process in processes}
    assert [path.read_bytes() for path in paths] == [BODY]
    assert len(server.requests) == 1
