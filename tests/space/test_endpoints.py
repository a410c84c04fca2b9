"""Programs: the endpoints by `gradio_client` and by plain HTTP, and many of them at once."""

import json
import re
import shutil
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from tests.space.calls import FILE, called, classified
from tests.space.made_up import LABELS

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


def test_batch(client, clips, tmp_path):
    """Rows keep the names that files had at the caller's."""
    named = shutil.copy(clips["happy.wav"], tmp_path / "happy (1) ü.wav")
    files = [handle_file(path) for path in (named, clips["broken.wav"], clips["sad.wav"])]
    answer = client.predict(files, api_name="/batch")
    assert [row["file"] for row in answer] == ["happy (1) ü.wav", "broken.wav", "sad.wav"]
    assert [row.get("emotion") for row in answer] == ["happy", None, "sad"]
    assert "cannot be read" in answer[1]["problem"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("empty.wav", "empty.wav is empty"),
        ("broken.wav", "broken.wav cannot be read"),
        ("endless.flac", "60 s at most"),
        ("tone.wav", "tone.wav holds only a steady tone"),
        ("chords.wav", "chords.wav holds no voice, only tones or music"),
    ],
)
def test_what_is_wrong_reaches_a_program_as_a_sentence(client, clips, name, sentence):
    with pytest.raises(AppError, match=sentence):
        client.predict(handle_file(clips[name]), api_name="/classify")


WRONG = [
    ("classify", [None], "Record or upload"),
    ("classify", ["clip.wav"], "This could not be answered"),
    ("classify", [7], "This could not be answered"),
    ("classify", [{"path": "/nowhere.wav"} | FILE], "Upload it first"),
    ("classify", [{"path": "/etc/passwd"} | FILE], "Upload it first"),
    ("classify", [{"path": None} | FILE], "."),
    ("classify", [{"meta": {"_type": "gradio.FileData"}}], "."),
    ("classify", [{"path": "http://127.0.0.1/a.wav"} | FILE], "Addresses begin with https://"),
    ("classify", [{"path": "https://127.0.0.1/a.wav"} | FILE], "not on the public web"),
    ("classify", [{"path": "a", "meta": 3}], "."),
    ("classify", [], "."),
    ("timeline", [None, "long", 3, False], "."),
    ("batch", [None], "Upload one clip"),
    ("batch", [[]], "Upload one clip"),
    ("batch", [[None]], "."),
    ("batch", [{"a": 1}], "."),
]


def test_every_error_is_a_sentence(server):
    for endpoint, data, words in WRONG:
        answer = called(server, endpoint, *data)
        assert "event: error" in answer, (endpoint, data)
        problem = json.loads(answer.rpartition("data: ")[2])["error"]
        assert problem and words in problem and problem.endswith(".") and "Traceback" not in problem, (data, problem)


def test_curl(server, clips):
    """The lines of the Space's README, by plain HTTP."""
    with httpx.Client(timeout=120) as connection:
        assert classified(connection, server, "sad.wav", clips["sad.wav"].read_bytes())["emotion"] == "sad"


@pytest.mark.parametrize("path", ["/etc/passwd", "../../etc/passwd", "app.py"])
def test_a_file_of_the_server_is_not_read(server, path):
    answer = called(server, "classify", {"path": path} | FILE)
    assert "event: error" in answer
    assert "root:" not in answer and path not in answer
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(f"{server.url}/gradio_api/file={path}")


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
