"""What a program may send: refused by its length before anything reads it, so that one request cannot stop the others."""

import json

from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 24_000_000  # of one request that is no upload; 18 MB of sound as base64
MOST_DRAINED = 500_000_000  # what is read of a request that is refused, so that its sender hears why
MOST_STRUCTURE = 4_000  # brackets and commas of JSON; fifty files have some 700
DEEPEST = 32  # brackets within brackets
STRUCTURE = b"[]{},"
OTHER_BYTES = bytes(set(range(256)) - set(STRUCTURE))


class Gate:
    """Refuses requests that would take long to read. Uploads have a limit of their own, which Gradio keeps.

    Args:
        app: What is behind the gate.
        uploads: Where files are uploaded, as the end of a path.
        binary: Where bytes come that are no JSON, as the end of a path.
    """

    def __init__(self, app: ASGIApp, uploads: str = "/upload", binary: tuple[str, ...] = ()):
        self.app, self.uploads, self.binary = app, uploads, binary

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            return await self.app(scope, receive, send)
        path = scope["path"].rstrip("/")
        if path.endswith(self.uploads):
            return await self.app(scope, receive, send)
        body = await _read(receive)
        if body is None:
            return
        if len(body) > MOST_BYTES:
            problem = (
                f"This request has more than {MOST_BYTES / 1e6:.0f} MB, which is the most. Upload the recording first "
                "(POST /gradio_api/upload), or send it compressed."
            )
        elif not path.endswith(self.binary):
            problem = _problem(body)
        else:
            problem = None
        if problem:
            return await _refuse(problem, send)
        await self.app(scope, _replayed(body, receive), send)


def _problem(body: bytes) -> str | None:
    """What is wrong with the shape of JSON."""
    structure = body.translate(None, OTHER_BYTES)
    if len(structure) > MOST_STRUCTURE:
        return (
            f"This request has {len(structure):,} brackets and commas; {MOST_STRUCTURE:,} is the most. Send fewer "
            "files at once."
        )
    depth = deepest = 0
    for symbol in structure:
        depth += (symbol in b"[{") - (symbol in b"]}")
        deepest = max(deepest, depth)
    if deepest > DEEPEST:
        return f"This request is nested {deepest} levels deep; {DEEPEST} is the most. Send flatter JSON."
    return None


async def _read(receive: Receive) -> bytes | None:
    """The body, cut off after a little more than is allowed; None where the sender has gone."""
    pieces, size, more = [], 0, True
    while more and size <= MOST_DRAINED:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        piece, more = message.get("body", b""), message.get("more_body", False)
        if size <= MOST_BYTES:
            pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Gives the body once more, and afterwards what comes in truth."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


async def _refuse(problem: str, send: Send) -> None:
    content = json.dumps({"detail": problem, "error": problem}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": content})
