"""The tools of the MCP server, by a client that knows nothing of the Space."""

import json

import httpx
import pytest

from tests.space.calls import as_data, in_mcp

NAMES = ["classify", "timeline", "batch"]


def test_the_same_three_are_mcp_tools_that_say_what_they_take_and_give(server):
    tools = {tool.name: tool for tool in in_mcp(server, lambda session: session.list_tools()).tools}
    assert sorted(tools) == sorted(NAMES)
    assert "emotion in one clip of speech" in tools["classify"].description
    assert set(tools["timeline"].inputSchema["properties"]) == {"recording", "window", "step", "pauses"}
    assert "data:audio/wav;name=" in tools["classify"].inputSchema["properties"]["clip"]["description"]
    assert "data:audio/wav;name=" in tools["batch"].inputSchema["properties"]["clips"]["items"]["description"]
    assert set(tools["classify"].outputSchema["properties"]) == {
        *("emotion", "probability", "sure", "probabilities", "advice")
    }
    listed = httpx.get(f"{server.url}/gradio_api/mcp/schema").json()
    assert {tool["name"]: tool["inputSchema"] for tool in listed} == {
        name: tool.inputSchema for name, tool in tools.items()
    }


def test_mcp_tools_answer_in_json(server, clips):
    named = as_data(clips["sad.wav"]).replace("data:audio/wav", "data:audio/wav;name=my%20voice.wav")

    async def call(session):
        return [
            await session.call_tool("classify", {"clip": as_data(clips["happy.wav"])}),
            await session.call_tool("timeline", {"recording": as_data(clips["sad.wav"]), "window": 1, "step": 1}),
            await session.call_tool(
                "batch", {"clips": [as_data(clips["happy.wav"]), named, as_data(clips["tone.wav"])]}
            ),
        ]

    before = set(server.files())
    single, followed, together = in_mcp(server, call)
    for answer in (single, followed, together):
        assert not answer.isError
    assert single.structuredContent["emotion"] == "happy" and single.structuredContent["sure"] is True
    assert json.loads(single.content[0].text) == single.structuredContent
    assert {row["emotion"] for row in followed.structuredContent["windows"]} == {"sad"}
    rows = together.structuredContent["clips"]
    assert [(row["file"], row["emotion"]) for row in rows] == [
        ("clip 1", "happy"),
        ("my voice.wav", "sad"),
        ("clip 3", None),
    ]
    assert "clip 3 holds only a steady tone" in rows[2]["problem"]
    assert set(server.files()) == before  # what was sent is deleted with the answer


@pytest.mark.parametrize(
    ("tool", "arguments", "sentence"),
    [
        ("classify", {"clip": "/etc/passwd"}, "Send an https:// address"),
        ("classify", {"clip": "data:audio/wav;base64,?"}, "no base64"),
        ("classify", {"clip": "https://127.0.0.1/a.wav"}, "not on the public web"),
        ("classify", {"clip": "http://example.org/a.wav"}, "Addresses begin with https://"),
        ("batch", {"clips": []}, "Upload one clip or more"),
        ("batch", {"clips": ["data:audio/wav;base64,AAAA"] * 51}, "51 files; 50 is the most"),
        ("timeline", {"recording": "silent.wav", "step": 0}, "0.5 to 30.0 s are possible"),
        ("classify", {"clip": "silent.wav"}, "only silence"),
        ("classify", {}, "Field required"),
    ],
)
def test_what_is_wrong_with_a_tools_call_is_a_sentence(server, clips, tool, arguments, sentence):
    sent = {name: as_data(clips[value]) if value in list(clips) else value for name, value in arguments.items()}
    answer = in_mcp(server, lambda session: session.call_tool(tool, sent))
    assert answer.isError
    assert sentence in answer.content[0].text
