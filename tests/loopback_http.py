"""A little HTTP server in a thread, for tests that need the other end of a connection."""

import contextlib
import json
import re
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class Refusal(Exception):
    """An answer with an error status."""

    def __init__(self, status: int, message: str, code: str | None = None, headers: dict[str, str] | None = None):
        super().__init__(message)
        self.status, self.code, self.headers = status, code, headers or {}


class Request(BaseHTTPRequestHandler):
    """One request and the ways to answer it.

    Attributes:
        target: the path as it was sent, with its query.
        break_after: bytes of the answer's body after which the connection is cut.
        sized: whether the answer says how long it is; otherwise its end is that of the connection.
    """

    protocol_version = "HTTP/1.1"

    def handle_any(self) -> None:
        self.break_after, self.sized = None, True
        self.target, url = self.path, urlsplit(self.path)
        self.server.log.append(f"{self.command} {url.path}")
        self.path, self.query, self.body = url.path, parse_qs(url.query), self.read_body()
        try:
            self.server.reply(self)
        except Refusal as refusal:
            headers = {"X-Error-Message": str(refusal)} | ({"X-Error-Code": refusal.code} if refusal.code else {})
            self.answer(refusal.status, {"error": str(refusal)}, headers | refusal.headers)

    do_GET = do_HEAD = do_POST = do_PUT = handle_any

    def read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def json(self) -> dict:
        return json.loads(self.body)

    def answer(self, status: int, content: object = None, headers: dict[str, str] | None = None) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in ({"Content-Type": "application/json"} | (headers or {})).items():
            self.send_header(name, value)
        if self.sized:
            self.send_header("Content-Length", str(len(body)))
        else:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            with contextlib.suppress(ConnectionError):  # the client has hung up, as some of the tests make it do
                self.wfile.write(body[: self.break_after])
        if self.break_after is not None or not self.sized:
            self.close_connection = True

    def answer_file(self, content: bytes, headers: dict[str, str]) -> None:
        headers |= {"Content-Type": "application/octet-stream", "Accept-Ranges": "bytes"}
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted is None:
            return self.answer(200, content, headers)
        start, end = int(wanted[1]), min(int(wanted[2] or len(content)), len(content) - 1)
        if start > end:
            return self.answer(416, b"", {"Content-Range": f"bytes */{len(content)}"})
        headers["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
        return self.answer(206, content[start : end + 1], headers)

    def log_message(self, *_: object) -> None:
        """Silence: the tests read the log."""


class Server(ThreadingHTTPServer):
    """As its parent, but silent where a client was killed."""

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def serve(reply: Callable[[Request], None], log: list[str]) -> ThreadingHTTPServer:
    """A server on a free port of 127.0.0.1 that calls ``reply`` for each request and logs its method and path."""
    server = Server(("127.0.0.1", 0), Request)
    server.reply, server.log = reply, log
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    return server
