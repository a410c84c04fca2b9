"""Programs: the endpoints by `gradio_client` and by plain HTTP, the same as MCP tools, and many of them at once."""

import asyncio
import base64
import json
import re
import urllib.error
import urllib.request
from ast import literal_eval
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

from tests.space.conftest import LABELS

NAMES = ["classify", "timeline", "batch"]
N_VISITORS = 50


@pytest.fixture(scope="module")
def client(server):
    return Client(server.url, verbose=False)


def test_there_are_three_endpoints_and_no_other(client):
    api = client.view_api(return_format="dict", print_info=False)
    assert sorted(api["named_endpoints"]) == sorted(f"/{name}" for name in NAMES)
    assert api["unnamed_endpoints"] == {}


def test_classify(client, clips):
    answer = client.predict(handle_file(clips["stereo.wav"]), api_name="/classify")
    assert answer["emotion"] == "happy"
    assert answer["sure"] is True
    assert list(answer["probabilities"]) == LABELS
    assert answer["probability"] == max(answer["probabilities"].values())


def test_timeline_with_its_window_and_step(client, clips):
    answer = client.predict(handle_file(clips["long.wav"]), window=4, step=2, api_name="/timeline")
    assert [(row["start"], row["end"]) for row in answer["windows"][:3]] == [(0, 4), (2, 6), (4, 8)]
    assert {row["emotion"] for row in answer["windows"]} == {"sad", "silence", "happy"}
    assert list(answer["overall"]) == LABELS


def test_batch(client, clips):
    files = [handle_file(clips[name]) for name in ("happy.wav", "broken.wav", "sad.wav")]
    answer = client.predict(files, api_name="/batch")
    assert [row["file"] for row in answer] == ["happy.wav", "broken.wav", "sad.wav"]
    assert [row.get("emotion") for row in answer] == ["happy", None, "sad"]
    assert "cannot read" in answer[1]["problem"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("empty.wav", "This file is empty"),
        ("broken.wav", "cannot read this file"),
        ("endless.flac", "60 s is the most"),
    ],
)
def test_what_is_wrong_reaches_a_program_as_a_sentence(client, clips, name, sentence):
    with pytest.raises(AppError, match=sentence):
        client.predict(handle_file(clips[name]), api_name="/classify")


@pytest.mark.parametrize(("endpoint", "sentence"), [("/classify", "Record or upload"), ("/batch", "Upload one clip")])
def test_nothing_is_a_sentence_too(client, endpoint, sentence):
    with pytest.raises(AppError, match=sentence):
        client.predict(None, api_name=endpoint)


def test_curl(server, clips):
    """The lines of the Space's README, by plain HTTP."""
    with httpx.Client(timeout=120) as connection:
        assert classified(connection, server, "sad.wav", clips["sad.wav"].read_bytes())["emotion"] == "sad"


@pytest.mark.parametrize("path", ["/etc/passwd", "../../etc/passwd", "app.py"])
def test_a_file_of_the_server_is_not_read(server, path):
    api = f"{server.url}/gradio_api"
    data = {"data": [{"path": path, "meta": {"_type": "gradio.FileData"}}]}
    event = httpx.post(f"{api}/call/classify", json=data).json()["event_id"]
    answer = httpx.get(f"{api}/call/classify/{event}", timeout=60).text
    assert "event: error" in answer
    assert "root:" not in answer
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(f"{api}/file={path}")


def test_no_answer_names_a_path_outside_the_temporary_folder(server, client, clips, checkpoint):
    """Neither the answers nor the page's own configuration."""
    answers = [
        client.predict(handle_file(clips["happy.wav"]), api_name="/classify"),
        client.predict(handle_file(clips["long.wav"]), api_name="/timeline"),
        client.predict([handle_file(clips["empty.wav"])], api_name="/batch"),
        httpx.get(f"{server.url}/config").json(),
    ]
    paths = {path for path in re.findall(r"/(?:tmp|root|home|work|usr|opt|var)/[^\"'\\ <]+", json.dumps(answers))}
    assert all(path.startswith(str(server.temporary)) for path in paths), paths
    assert str(checkpoint) not in json.dumps(answers)


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


def test_the_same_three_are_mcp_tools_with_descriptions(server):
    tools = in_mcp(server, lambda session: session.list_tools()).tools
    assert sorted(tool.name for tool in tools) == sorted(NAMES)
    described = {tool.name: tool for tool in tools}
    assert "emotion in one clip of speech" in described["classify"].description
    assert set(described["timeline"].inputSchema["properties"]) == {"recording", "window", "step"}


def test_mcp_tools_answer(server, clips):
    async def call(session):
        return [
            await session.call_tool("classify", {"clip": as_data(clips["happy.wav"])}),
            await session.call_tool("timeline", {"recording": as_data(clips["sad.wav"]), "window": 1, "step": 1}),
            await session.call_tool("batch", {"clips": [as_data(clips["happy.wav"]), as_data(clips["sad.wav"])]}),
            await session.call_tool("classify", {"clip": as_data(clips["silent.wav"])}),
            await session.call_tool("batch", {"clips": ["/etc/passwd"]}),
        ]

    single, followed, together, silent, path = in_mcp(server, call)
    assert literal_eval(single.content[0].text)["emotion"] == "happy"
    assert {row["emotion"] for row in literal_eval(followed.content[0].text)["windows"]} == {"sad"}
    assert [row["emotion"] for row in literal_eval(together.content[0].text)] == ["happy", "sad"]
    assert silent.isError
    assert "only silence" in silent.content[0].text
    assert path.isError
    assert "Send each clip as" in path.content[0].text


def classified(connection: httpx.Client, server, name: str, sound: bytes) -> dict:
    """Uploads a sound and waits for its answer, by plain HTTP."""
    api = f"{server.url}/gradio_api"
    (path,) = connection.post(f"{api}/upload", files={"files": (name, sound)}).json()
    data = {"data": [{"path": path, "meta": {"_type": "gradio.FileData"}}]}
    event = connection.post(f"{api}/call/classify", json=data).json()["event_id"]
    answer = connection.get(f"{api}/call/classify/{event}").text
    assert "event: complete" in answer, answer
    return json.loads(answer.rpartition("data: ")[2])[0]


def test_fifty_visitors_at_once_are_all_answered(server, clips):
    def visit(number: int) -> str:
        emotion = "happy" if number % 2 else "sad"
        with httpx.Client(timeout=120) as connection:
            assert connection.get(server.url).status_code == 200
            return emotion, classified(connection, server, "clip.wav", clips[f"{emotion}.wav"].read_bytes())["emotion"]

    with ThreadPoolExecutor(N_VISITORS) as pool:
        answers = list(pool.map(visit, range(N_VISITORS)))
    assert [heard for _, heard in answers] == [emotion for emotion, _ in answers]


def test_memory_stays_flat(server, clips):
    """A hundred more requests, of many lengths, after fifty to warm up."""
    sound = clips["happy.wav"].read_bytes()
    with httpx.Client(timeout=120) as connection:
        for number in range(150):
            if number == 50:
                before = server.memory()
            classified(connection, server, "clip.wav", sound[: 20_000 + 400 * (number % 100)])
    assert server.memory() - before < 30
