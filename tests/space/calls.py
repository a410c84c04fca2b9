"""Calls of the Space by programs."""

import asyncio
import base64
import json
from concurrent.futures import ThreadPoolExecutor

import httpx
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

FILE = {"meta": {"_type": "gradio.FileData"}}


def called(server, endpoint: str, *data) -> str:
    """The stream of events of a plain call."""
    event = httpx.post(f"{server.url}/gradio_api/call/{endpoint}", json={"data": list(data)}, timeout=60).json()
    return httpx.get(f"{server.url}/gradio_api/call/{endpoint}/{event['event_id']}", timeout=120).text


def classified(connection: httpx.Client, server, name: str, sound: bytes) -> dict:
    """Uploads a sound and waits for its answer, by plain HTTP."""
    api = f"{server.url}/gradio_api"
    (path,) = connection.post(f"{api}/upload", files={"files": (name, sound)}).json()
    data = {"data": [{"path": path, "meta": {"_type": "gradio.FileData"}}]}
    event = connection.post(f"{api}/call/classify", json=data).json()["event_id"]
    answer = connection.get(f"{api}/call/classify/{event}").text
    assert "event: complete" in answer, answer
    return json.loads(answer.rpartition("data: ")[2])[0]


def in_mcp(server, action):
    """Runs an action with a session of an MCP client."""

    async def run():
        async with (
            streamable_http_client(f"{server.url}/gradio_api/mcp/") as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            return await action(session)

    # Playwright keeps a loop running in the thread of the tests.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, run()).result()


def as_data(path) -> str:
    return f"data:audio/wav;base64,{base64.b64encode(path.read_bytes()).decode()}"
