"""What space/README.md tells programs to do, as it stands there but for the Space's address."""

import re
import shutil
import subprocess

import pytest

from tests.space.conftest import SPACE, required

README = (SPACE / "README.md").read_text()
COPIES = {"clip.wav": "happy.wav", "talk.mp3": "happy.mp3", "one.wav": "sad.wav", "two.wav": "happy.wav"}


@pytest.fixture
def folder(clips, tmp_path, monkeypatch):
    """A folder with the recordings that the snippets name."""
    for name, source in COPIES.items():
        shutil.copy(clips[source], tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def snippets(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_python(server, folder):
    (snippet,) = snippets("python")
    assert '"owner/space"' in snippet
    exec(snippet.replace("owner/space", server.url), {})  # noqa: S102 - our own page


def test_curl(server, folder):
    required("curl")
    (snippet,) = [snippet for snippet in snippets("sh") if "curl" in snippet]
    assert "http://127.0.0.1:7860" in snippet
    script = "set -e\n" + snippet.replace("http://127.0.0.1:7860", server.url)
    done = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True, check=True)
    assert "event: complete" in done.stdout and '"emotion": "happy"' in done.stdout
