"""A file server on 127.0.0.1 that serves what it is told to, and can be told to break, truncate, change and lie."""

from collections.abc import Callable
from typing import Self

from tests.loopback_http import Refusal, Request, serve


class HostileServer:
    """Started by ``with``; ``address`` is its URL.

    Attributes:
        files: path, with its query if it has one, to content.
        breaks: path to the bytes after which each of the next answers breaks off.
        ranges: whether it knows them; otherwise it answers with the whole file.
        versioned: whether it sends ETag, a hash of the content.
        sized: whether it sends Content-Length.
        answers: path to a function that answers instead.
        requests: method and path of every request so far.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.breaks: dict[str, list[int]] = {}
        self.answers: dict[str, Callable[[Request], None]] = {}
        self.ranges = self.versioned = self.sized = True
        self.requests: list[str] = []

    def __enter__(self) -> Self:
        self.server = serve(self.answer, self.requests)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request: Request) -> None:
        path = request.target
        if path in self.answers:
            return self.answers[path](request)
        if path not in self.files:
            raise Refusal(404, f"there is no {path}")
        headers = {"ETag": f'"{hash(self.files[path])}"'} if self.versioned else {}
        content = self.files[path]
        if self.breaks.get(path):
            request.break_after = self.breaks[path].pop(0)
        if not self.sized:
            request.sized = False
        if not self.ranges or request.headers.get("If-Range", headers.get("ETag")) != headers.get("ETag"):
            return request.answer(200, content, headers | {"Content-Type": "application/octet-stream"})
        return request.answer_file(content, headers)
