"""A real HTTP server on this machine, for tests of what brings files from elsewhere."""

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from stages.recommender.corpora.patience import Patience

QUICK = Patience(attempts=3, first_wait=0.01, longest_wait=0.05, timeout=0.5)

Respond = Callable[[BaseHTTPRequestHandler], None]


class Server:
    """Answers by path; notes each request as (path, headers)."""

    def __init__(self) -> None:
        self.routes: dict[str, Respond] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.base = ""

    def url(self, path: str) -> str:
        return f"{self.base}{path}"

    def serve(self, path: str, *responses: Respond) -> str:
        """Answer ``path`` with each response in turn, the last one for ever; give its URL."""
        left = list(responses)

        def respond(handler: BaseHTTPRequestHandler) -> None:
            (left.pop(0) if len(left) > 1 else left[0])(handler)

        self.routes[path] = respond
        return self.url(path)

    def sent(self, header: str) -> list[str | None]:
        """The value of a header in every request."""
        return [headers.get(header) for _, headers in self.requests]


@contextmanager
def local_server(certificate: Path | None = None) -> Iterator[Server]:
    server = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            server.requests.append((self.path, dict(self.headers)))
            respond = server.routes.get(self.path.partition("?")[0], answer(404))
            try:
                respond(self)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def log_message(self, *args: object) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.daemon_threads = True
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        listener.socket = context.wrap_socket(listener.socket, server_side=True)
    scheme = "https" if certificate else "http"
    server.base = f"{scheme}://127.0.0.1:{listener.server_address[1]}"
    thread = threading.Thread(target=listener.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown()
        listener.server_close()


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def answer(status: int, body: bytes = b"", **headers: str) -> Respond:
    def respond(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return respond


def answer_json(content: object) -> Respond:
    return answer(200, json.dumps(content).encode(), Content_Type="application/json")


def drop(handler: BaseHTTPRequestHandler) -> None:
    """Close the connection in the middle of what was announced."""
    handler.wfile.flush()
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def trickle(body: bytes, wait: float) -> Respond:
    """A file that comes byte by byte, with seconds to wait before each."""

    def respond(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        for byte in body:
            time.sleep(wait)
            handler.wfile.write(bytes([byte]))

    return respond


def content(
    body: bytes,
    *,
    etag: str | None = '"1"',
    stop_at: int | None = None,
    ranges: bool = True,
    pause: float = 0.0,
) -> Respond:
    """A file as a file server gives it.

    Args:
        body: The file.
        etag: Its edition.
        stop_at: Where in the file the connection breaks.
        ranges: Whether parts are given.
        pause: Seconds to wait in the middle.
    """

    def respond(handler: BaseHTTPRequestHandler) -> None:
        asked = handler.headers.get("Range")
        unchanged = handler.headers.get("If-Range", etag) == etag
        if etag and handler.headers.get("If-None-Match") == etag:
            handler.send_response(304)
            handler.end_headers()
            return
        start = 0
        if asked and ranges and unchanged:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(body):
                answer(416, Content_Range=f"bytes */{len(body)}")(handler)
                return
            handler.send_response(206)
            handler.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            handler.send_response(200)
        if etag:
            handler.send_header("ETag", etag)
        handler.send_header("Content-Length", str(len(body) - start))
        handler.end_headers()
        end = len(body) if stop_at is None else stop_at
        middle = (start + end) // 2
        handler.wfile.write(body[start:middle])
        time.sleep(pause)
        handler.wfile.write(body[middle:end])
        if stop_at is not None:
            drop(handler)

    return respond
