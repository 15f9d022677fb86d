"""What stands before page and API: limits of size and rate, and doors that stay closed.

Each is plain ASGI, so that the page's streams pass through.
"""

import math
import re
import time
from collections.abc import Sequence

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST_BODY = 64 * 1024
"""Bytes of a request; the longest text that is answered takes an eighth."""

OPEN_PATHS = re.compile(
    r"""
    /(
        | config
        | theme\.css
        | favicon\.ico
        | manifest\.json
        | (assets|static)/[\w./-]+
        | gradio_api/(startup-events|run/predict|heartbeat/\w+)
        | api/[\w./-]+
    )
    """,
    re.VERBOSE,
)
"""What is served at all: what the page itself asks for, and the API.

Gradio has further doors, through which it takes uploads and hands out files: they stay closed.
"""

_COUNTED = re.compile(r"/|/config|/(api|gradio_api/(run|heartbeat))/.*", re.DOTALL)
"""Of these each takes the server some work; the page's scripts and styles are files."""
_HEADERS = {
    # scripts within the page are Gradio's configuration, its components compile templates
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
        "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class SafeHeaders:
    """Tells the browser to load nothing from elsewhere, whatever a page may ask for."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, with headers added to the answer."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await self.app(scope, receive, send_with_headers if scope["type"] == "http" else send)


class OpenPaths:
    """Answers 404 to every path outside :data:`OPEN_PATHS`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request of an open path."""
        if scope["type"] == "http" and not OPEN_PATHS.fullmatch(scope["path"]):
            await _refuse(404, "there is nothing at this address")(scope, receive, send)
        elif scope["type"] != "websocket":
            await self.app(scope, receive, send)


class RateLimit:
    """At most so many questions a minute from one address.

    Args:
        app: What is guarded.
        per_minute: Requests of API and page together, without the page's scripts and styles.
    """

    def __init__(self, app: ASGIApp, per_minute: int) -> None:
        self.app = app
        self.limit = RateLimitItemPerMinute(per_minute)
        self.limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request that is within the limit."""
        if scope["type"] == "http" and _COUNTED.fullmatch(scope["path"]):
            address = scope["client"][0] if scope["client"] else "unknown"
            if not await self.limiter.hit(self.limit, address):
                again = await self.limiter.get_window_stats(self.limit, address)
                seconds = max(1, math.ceil(again.reset_time - time.time()))
                await _refuse(
                    429,
                    f"more than {self.limit.amount} requests in a minute came from your address; "
                    f"try again in {seconds} seconds",
                    {"Retry-After": str(seconds)},
                )(scope, receive, send)
                return
        await self.app(scope, receive, send)


class BodyLimit:
    """Reads a request's body only up to a size, whatever its headers say.

    Args:
        app: What is guarded; it reads a body that was already read whole.
        largest: In bytes.
    """

    def __init__(self, app: ASGIApp, largest: int = LARGEST_BODY) -> None:
        self.app = app
        self.largest = largest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request whose body is within the limit."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self.app(scope, receive, send)
            return
        length = Headers(scope=scope).get("content-length", "0")
        too_large = length.isdecimal() and int(length) > self.largest
        body = b"" if too_large else await self._read(receive)
        if body is None or too_large:
            problem = f"the request is larger than {self.largest} bytes; shorten it"
            await _refuse(413, problem, {"Connection": "close"})(scope, receive, send)
            return
        whole: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return whole.pop() if whole else await receive()

        await self.app(scope, replay, send)

    async def _read(self, receive: Receive) -> bytes | None:
        """The body; ``None`` where it is too large."""
        body = bytearray()
        while True:
            message = await receive()
            body += message.get("body", b"")
            if len(body) > self.largest:
                return None
            if not message.get("more_body", False):
                return bytes(body)


def local_names(host: str) -> Sequence[str]:
    """The names under which a server at ``host`` may be asked for.

    A page elsewhere can let its own name lead to this machine and read what is served here under
    it; a server for this machine alone answers to this machine's names alone.

    Args:
        host: The address it listens at.
    """
    loopback = host in ("localhost", "::1") or host.startswith("127.")
    return ["localhost", "127.0.0.1", "[::1]", "::1", host] if loopback else ["*"]


def _refuse(status: int, problem: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": problem}, status, headers)
