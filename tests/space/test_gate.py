"""One request cannot stop the others, and nothing that is sent reaches the log."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.space.calls import FILE, as_data, called, in_mcp


def test_a_request_that_is_too_much_is_refused_before_anything_reads_it(server, clips):
    """And meanwhile everybody else is answered."""
    with httpx.Client(timeout=120) as connection:
        (path,) = connection.post(
            f"{server.url}/gradio_api/upload", files={"files": ("a.wav", clips["happy.wav"].read_bytes())}
        ).json()
    many = json.dumps({"data": [[{"path": path} | FILE] * 10_000]}).encode()
    attacks = {
        "brackets and commas": many,
        "more than 24 MB": b'{"data": ["data:audio/wav;base64,' + b"A" * 100_000_000 + b'"]}',
        "levels deep": b'{"data": ' + b"[" * 1_500 + b"]" * 1_500 + b"}",
    }
    waits, running = [], True

    def look() -> None:
        with httpx.Client(timeout=120) as visitor:
            while running:
                before = time.monotonic()
                visitor.get(f"{server.url}/gradio_api/info")
                waits.append(time.monotonic() - before)

    with ThreadPoolExecutor(1) as thread, httpx.Client(timeout=120) as connection:
        looking = thread.submit(look)
        before = server.processor_time()
        for words, body in attacks.items():
            for address in ("call/batch", "queue/join", "mcp/"):
                headers = {"Content-Type": "application/json"}
                answer = connection.post(f"{server.url}/gradio_api/{address}", content=body, headers=headers)
                assert answer.status_code == 413
                assert words in answer.json()["error"]
        running = False
        looking.result()
    # The time that a busy machine takes says nothing; what the server computes does.
    assert len(waits) > 3 and server.processor_time() - before < 8
    assert called(server, "batch", [{"path": path} | FILE] * 51).count("51 files; 50 is the most") == 1


def test_nothing_that_was_sent_is_in_the_log(server, clips):
    canary = "CANARY" + "x7" * 20
    sound = as_data(clips["silent.wav"])
    for endpoint in ("classify", "timeline", "batch"):
        for data in (canary, f"data:audio/wav;base64,{canary}", {"path": canary} | FILE, [canary], {canary: canary}):
            called(server, endpoint, data)
    for address in (
        "call/classify",
        "queue/join",
        "queue/data",
        "run/classify",
        "mcp/",
        "upload",
        "live",
        canary,
        f"call/{canary}",
    ):
        for content in (f'{{"data": ["{canary}"', f'{{"data": ["{canary}"]}}', f'{{"{canary}": 1}}'):
            url = f"{server.url}/gradio_api/{address}?{canary}={canary}"
            httpx.post(
                url, content=content, headers={"Content-Type": "application/json", "X-Canary": canary}, timeout=60
            )

    async def call(session):
        for arguments in (
            {"clip": canary},
            {"clip": f"data:audio/wav;name={canary};base64,{canary}"},
            {canary: canary},
        ):
            await session.call_tool("classify", arguments)
        await session.call_tool(
            "classify", {"clip": sound.replace("data:audio/wav", f"data:audio/wav;name={canary}.wav")}
        )

    in_mcp(server, call)
    log = server.log.read_text()
    assert "CANARY" not in log
    assert "[text withheld]" in log  # that something was wrong, and where, is there
