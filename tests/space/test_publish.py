"""Publishing the Space: it is pinned to a commit of the model, and the publishing script stays here."""

import pytest

from modeling.publish import publish_model
from space import publish
from tests.tiny_model import write_model

CARD = "---\ntitle: Emotions\nsdk: gradio\napp_file: app.py\n---\n\n# Emotions\n"


@pytest.fixture
def space(tmp_path, monkeypatch):
    """A Space of the least files, in the place of this repository's."""
    folder = tmp_path / "space"
    files = {
        "README.md": CARD,
        "app.py": "",
        "requirements.txt": "gradio\n",
        "publish.py": "",
        "examples/a.wav": "sound",
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "app.pyc").write_text("")
    monkeypatch.setattr(publish, "SPACE", folder)
    return folder


@pytest.fixture
def model(hub, tmp_path):
    """The commit at which the model stands on the Hub."""
    return publish_model(write_model(tmp_path / "model"), "alice/model")


def run(capsys, *arguments) -> tuple[str, str]:
    capsys.readouterr()
    try:
        publish.main(["--repo-id", "alice/space", "--model", *arguments])
        error = ""
    except SystemExit as end:
        error = str(end.code)
    return capsys.readouterr().out, error


def test_the_space_names_the_model_at_its_commit(hub, space, model, capsys):
    printed, error = run(capsys, "alice/model")
    assert error == ""
    assert printed.strip().endswith(f"{hub.endpoint}/spaces/alice/space")
    published = hub.files("spaces", "alice/space")
    assert published["model_id.txt"].decode() == f"alice/model@{model}\n"
    assert set(published) == {
        *(".gitattributes", "README.md", "app.py", "requirements.txt", "examples/a.wav", "model_id.txt")
    }
    assert "models:\n- alice/model\n" in published["README.md"].decode()
    assert not (space / "model_id.txt").exists() and (space / "README.md").read_text() == CARD


def test_the_space_stays_at_its_commit_until_it_is_published_again(hub, space, model, capsys, tmp_path):
    run(capsys, "alice/model")
    run(capsys, "alice/model")
    assert len(hub.titles("spaces", "alice/space")) == 2
    newer = publish_model(write_model(tmp_path / "newer", seed=1), "alice/model")
    assert model in hub.files("spaces", "alice/space")["model_id.txt"].decode()
    run(capsys, "alice/model")
    assert newer in hub.files("spaces", "alice/space")["model_id.txt"].decode()
    run(capsys, f"alice/model@{model}")
    assert model in hub.files("spaces", "alice/space")["model_id.txt"].decode()


def test_dry_run_asks_nobody(hub, space, capsys, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    printed, error = run(capsys, "alice/model", "--dry-run")
    assert error == "" and hub.requests == []
    assert f"{len('alice/model@') + 41}  model_id.txt" in printed


@pytest.mark.parametrize("name", ["alice/nothing", "alice/model@v9"])
def test_a_model_that_is_not_there(hub, space, model, capsys, name):
    _, error = run(capsys, name)
    assert f"the Hub has no model {name}" in error and "\n" not in error
    assert ("spaces", "alice/space") not in hub.repositories


def test_a_folder_that_is_no_space(hub, space, model, capsys):
    (space / "README.md").write_text("---\ntitle: Emotions\n---\n")
    assert "sdk: gradio" in run(capsys, "alice/model")[1]
    (space / "app.py").unlink()
    assert "it lacks app.py" in run(capsys, "alice/model")[1]
