"""A URL or a local path in, a whole and checked local file out.

A download lies in a cache folder under a name made from its URL: ``<key>-<name>.partial`` while
it runs, ``<key>-<name>`` when it is whole, ``.validator`` beside it (the ETag or date of the
edition, RFC 9110) so that two editions are never joined into one file, ``.lock`` while a process
works on it. A killed download goes on where it stopped.
"""

import hashlib
import re
import ssl
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import requests
from filelock import FileLock, Timeout
from tqdm import tqdm
from urllib3.exceptions import HTTPError, LocationParseError, NewConnectionError

from stages.recommender.artifacts import CACHE
from stages.recommender.corpora.checksums import check_sha256, sha256_of
from stages.recommender.corpora.patience import PATIENCE, PassingTroubleError, Patience, persist
from stages.recommender.errors import UserError
from stages.recommender.params import local_path

DOWNLOADS = CACHE / "downloads"

WITHOUT_NETWORK = "with no network, `make run` (the sample corpus) and `make test` work"
"""What every sentence about an unreachable host ends with."""

# a Windows drive, `C:\`, has one letter
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")
_REDIRECTS = 10
_BLOCK = 1 << 16
# what an attempt has to bring so that it does not count as in vain
_PROGRESS = 1 << 20


def fetch(
    location: str,
    setting: str,
    sha256: str | None,
    sha256_setting: str,
    *,
    token: str | None = None,
    cache: Path = DOWNLOADS,
    patience: Patience = PATIENCE,
) -> Path:
    """Bring a file here.

    Args:
        location: URL (http, https) or local path.
        setting: The key of ``params.yaml`` that gives the location, to name it.
        sha256: What the file must have; ``None``: not checked.
        sha256_setting: The key of ``params.yaml`` that gives the checksum, to name it.
        token: What the host of the URL wants to see of a user; no other host sees it.
        cache: Where downloads are kept.
        patience: How long to bear with the host.

    Returns:
        The file; a local one where it lies.

    Raises:
        UserError: Another scheme, no such file, a host that is not reached or says no, or a
            wrong checksum.
    """
    scheme = _SCHEME.match(location)
    if scheme is None:
        path = local_path(location)
        if not path.is_file():
            kind = "is a folder" if path.is_dir() else "is not there"
            raise UserError(f"{path} {kind}; name a file or a URL in {setting}")
        check_sha256(path, sha256, sha256_setting)
        return path
    if scheme[1].lower() not in {"http", "https"}:
        raise UserError(
            f"{setting} has the scheme {scheme[1]}, but only http, https and local "
            "paths are read; change it"
        )
    try:
        urlsplit(location)
    except ValueError as error:
        raise UserError(f"{setting} is no URL ({error}); mend it") from None
    download = _Download(location, setting, sha256, sha256_setting, token, cache, patience)
    with _alone(download.path):
        return download.run()


@contextmanager
def fetched(
    location: str,
    setting: str,
    sha256: str | None,
    sha256_setting: str,
    *,
    cache: Path = DOWNLOADS,
    patience: Patience = PATIENCE,
) -> Iterator[Path]:
    """Bring a file here for a block that reads it; see :func:`fetch`.

    Where the block finds it wrong, the next run brings it anew, though it be the host's edition.

    Yields:
        The file.

    Raises:
        UserError: See :func:`fetch`.
    """
    path = fetch(location, setting, sha256, sha256_setting, cache=cache, patience=patience)
    try:
        yield path
    except UserError:
        if _SCHEME.match(location):
            _validator_of(path).unlink(missing_ok=True)
        raise


def _validator_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.validator")


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the lock of a download; the system frees it when the process ends, however it ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(f"{path.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(f"waiting for another process that downloads {path.name}", file=sys.stderr)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@dataclass(frozen=True)
class _Download:
    url: str
    setting: str
    sha256: str | None
    sha256_setting: str
    token: str | None
    cache: Path
    patience: Patience

    @property
    def shown(self) -> str:
        """The URL without what may be secret in it: user, password, query."""
        parts = urlsplit(self.url)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))

    @property
    def path(self) -> Path:
        key = hashlib.sha256(self.url.encode()).hexdigest()[:12]
        name = re.sub(r"[^\w.-]", "_", urlsplit(self.url).path.rpartition("/")[2], flags=re.ASCII)
        return self.cache / f"{key}-{name[-80:] or 'file'}"

    @property
    def partial(self) -> Path:
        return self.path.with_name(f"{self.path.name}.partial")

    @property
    def validator(self) -> Path:
        return _validator_of(self.path)

    def run(self) -> Path:
        if self.sha256 and self.path.exists() and sha256_of(self.path) == self.sha256:
            return self.path
        try:
            is_new = persist(self._transfer, self.patience)
        except PassingTroubleError as trouble:
            remedy = (
                f"check the network and {self.setting}; {WITHOUT_NETWORK}"
                if trouble.unreachable
                else "run the same command later, it goes on where this stopped"
            )
            raise UserError(f"{self.shown} {trouble}; {remedy}") from None
        except OSError as error:  # a full disk does not say where
            error.filename = error.filename or str(self.partial)
            raise
        if is_new:
            try:
                check_sha256(self.partial, self.sha256, self.sha256_setting, self.shown)
            except UserError:
                self.partial.unlink()
                raise
            self.partial.replace(self.path)
        return self.path

    def _transfer(self) -> bool:
        """One attempt; whether the whole file is now ``partial`` (else ``path`` is up to date)."""
        with requests.Session() as session:
            session.max_redirects = _REDIRECTS
            with self._ask(session) as response:
                if response.status_code == requests.codes.not_modified and self.path.exists():
                    return False
                if response.status_code == requests.codes.requested_range_not_satisfiable:
                    return self._is_complete(response)
                self._refuse_failures(response)
                self._receive(response)
                return True

    def _have(self) -> int:
        return self.partial.stat().st_size if self.partial.exists() else 0

    def _headers(self) -> dict[str, str]:
        headers = {"Accept-Encoding": "identity"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        edition = self.validator.read_text() if self.validator.exists() else ""
        # without a validator only the checksum can tell that two editions were joined
        if (have := self._have()) and (edition or self.sha256):
            headers["Range"] = f"bytes={have}-"
            if edition:
                headers["If-Range"] = edition
        elif edition and self.sha256 is None and self.path.exists() and not self.partial.exists():
            condition = "If-None-Match" if edition.startswith('"') else "If-Modified-Since"
            headers[condition] = edition
        return headers

    def _ask(self, session: requests.Session) -> requests.Response:
        try:
            return session.get(
                self.url, headers=self._headers(), stream=True, timeout=self.patience.timeout
            )
        except requests.TooManyRedirects:
            raise UserError(
                f"{self.shown} redirects more than {_REDIRECTS} times; mend {self.setting}"
            ) from None
        except requests.exceptions.SSLError as error:
            if _causes(error, ssl.SSLCertVerificationError):
                raise UserError(
                    f"{self.shown} shows a certificate that is not to be trusted; check "
                    f"{self.setting}, the clock and the certificates of this machine"
                ) from None
            raise PassingTroubleError("broke off the encrypted connection") from None
        except requests.ReadTimeout:
            raise PassingTroubleError(
                f"gave no answer within {self.patience.timeout:g} seconds"
            ) from None
        except requests.ConnectionError as error:
            unreachable = isinstance(
                error, requests.ConnectTimeout | requests.exceptions.ProxyError
            ) or _causes(error, NewConnectionError)
            what = "could not be reached" if unreachable else "broke off the connection"
            raise PassingTroubleError(what, unreachable=unreachable) from None
        except (requests.RequestException, LocationParseError) as error:
            raise UserError(
                f"{self.shown} leads to no URL that can be read ({type(error).__name__}); "
                f"mend {self.setting}"
            ) from None

    def _refuse_failures(self, response: requests.Response) -> None:
        status = response.status_code
        if status in {408, 429} or status >= 500:
            asked = response.headers.get("Retry-After", "")
            raise PassingTroubleError(
                f"answered HTTP {status}", wait=float(asked) if asked.isdecimal() else 0.0
            )
        if status not in {requests.codes.ok, requests.codes.partial_content}:
            raise UserError(
                f"{self.shown} answered HTTP {status} ({response.reason}); mend {self.setting}"
            )

    def _is_complete(self, response: requests.Response) -> bool:
        total = response.headers.get("Content-Range", "").rpartition("/")[2]
        if total == str(self._have()):
            return True
        self.partial.unlink(missing_ok=True)
        raise PassingTroubleError("has another edition than the one begun")

    def _receive(self, response: requests.Response) -> None:
        have = self._have()
        if response.status_code == requests.codes.partial_content:
            if not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
                self.partial.unlink(missing_ok=True)
                raise PassingTroubleError("sent another part than the one asked for")
        else:
            have = 0
            # emptied before the new edition's validator is noted, never the other way round
            self.partial.write_bytes(b"")
            self._note_edition(response)
        length = response.headers.get("Content-Length", "")
        with (
            self.partial.open("ab") as file,
            tqdm(
                desc=self.path.name.partition("-")[2],
                total=have + int(length) if length.isdecimal() else None,
                initial=have,
                unit="B",
                unit_scale=True,
                disable=None,
            ) as bar,
        ):
            for block in self._blocks(response, have):
                file.write(block)
                bar.update(len(block))

    def _blocks(self, response: requests.Response, have: int) -> Iterator[bytes]:
        """What arrives, at once, so that of a download that breaks off all of it is kept."""
        received, timed, since = 0, 0, time.monotonic()
        try:
            while block := response.raw.read1(_BLOCK, decode_content=True):
                yield block
                received += len(block)
                passed = time.monotonic() - since
                if passed >= self.patience.timeout:
                    if received - timed < self.patience.least_rate * passed:
                        raise PassingTroubleError(
                            f"brings fewer than {self.patience.least_rate:g} bytes a second",
                            progressed=received >= _PROGRESS,
                        )
                    timed, since = received, since + passed
        except HTTPError:
            raise PassingTroubleError(
                f"broke off after {have + received} bytes", progressed=received >= _PROGRESS
            ) from None

    def _note_edition(self, response: requests.Response) -> None:
        etag = response.headers.get("ETag", "")
        # a weak ETag, W/"...", does not promise the same bytes
        edition = etag if etag.startswith('"') else response.headers.get("Last-Modified", "")
        if edition:
            self.validator.write_text(edition)
        else:
            self.validator.unlink(missing_ok=True)


def _causes(error: BaseException, kind: type[BaseException]) -> bool:
    """Whether an error of this kind is what the client library wrapped."""
    inner: object = error
    while isinstance(inner, BaseException):
        if isinstance(inner, kind):
            return True
        wrapped = inner.args[0] if inner.args else None
        inner = getattr(inner, "reason", None) or inner.__cause__ or wrapped
    return False
