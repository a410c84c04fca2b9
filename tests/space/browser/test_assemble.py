"""Putting the page together, and publishing it."""

import json
import re
import shutil
import subprocess
import sys
import urllib.request

import pytest

from modeling.publish import publish_model
from space import publish
from space.browser import assemble, runtime
from tests.space.conftest import LABELS, SPACE


def test_everything_is_listed_and_shared(page_folder, exported):
    listed = json.loads((page_folder / "files.json").read_text())
    there = {path.relative_to(page_folder).as_posix() for path in page_folder.rglob("*") if path.is_file()}
    assert set(listed["files"]) == there - {"files.json", "README.md"}
    assert not [name for name in there if name.endswith(".py")]
    for name in ("page.css", "player.js", "microphone-worklet.js"):
        assert (page_folder / name).read_bytes() == (SPACE / name).read_bytes()
    settings = json.loads((page_folder / "settings.js").read_text().partition("settings = ")[2].rstrip(";\n"))
    assert settings["labels"] == LABELS and settings["unsure_threshold"] == 0.4
    assert len(settings["worth"]) == len(settings["worth_unlike"]) == 101
    assert "as sure as this one" in settings["worth"][90] and "elsewhere" in settings["worth"][90]
    assert "as sure as this one" not in settings["worth_unlike"][90] and "elsewhere" in settings["worth_unlike"][90]
    assert "where it was sure" not in settings["worth"][39] and "where it was sure" in settings["worth"][40]
    assert (page_folder / "model" / "model.onnx").read_bytes() == (exported / "onnx" / "model.onnx").read_bytes()


def test_no_address_outside_the_page_is_loaded(page_folder):
    """Links that a visitor may follow are no address that the page loads."""
    html = (page_folder / "index.html").read_text()
    assert not re.search("<!-- (about|introduction|examples|hint)", html)
    for attribute in ('src="', 'href="'):
        for part in html.split(attribute)[1:]:
            if not part.startswith(("http", "data:,")):
                assert (page_folder / part.partition('"')[0]).is_file()
    assert 'src="http' not in html and 'rel="stylesheet" href="http' not in html


def test_version_follows_the_files(exported, runtime, page_folder, tmp_path):
    again = assemble.assemble(exported, tmp_path / "again")
    assert (again / "files.json").read_bytes() == (page_folder / "files.json").read_bytes()
    changed = tmp_path / "changed"
    shutil.copytree(exported, changed)
    description = json.loads((changed / "onnx" / "model.json").read_text()) | {"unsure_threshold": 0.5}
    (changed / "onnx" / "model.json").write_text(json.dumps(description))
    other = assemble.assemble(changed, tmp_path / "again")
    versions = [json.loads((folder / "files.json").read_text())["version"] for folder in (other, page_folder)]
    assert versions[0] != versions[1]


def test_a_checkpoint_that_was_not_exported(checkpoint, tmp_path):
    with pytest.raises(ValueError, match="uv run -m modeling.export"):
        assemble.assemble(checkpoint, tmp_path / "page")
    assert not (tmp_path / "page").exists()


def test_a_runtime_that_cannot_be_had(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ValueError, match="by npm, which is not here"):
        runtime.runtime_folder(tmp_path / "kept")
    monkeypatch.setattr(shutil, "which", lambda name: "npm")
    failed = subprocess.CompletedProcess([], 1, "", "npm error network\nmore")
    monkeypatch.setattr(subprocess, "run", lambda *arguments, **options: failed)
    with pytest.raises(ValueError, match=r"npm cannot fetch onnxruntime-web .*: npm error network$"):
        runtime.runtime_folder(tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_a_runtime_that_is_not_the_pinned_one(tmp_path, monkeypatch):
    def pack(command, cwd, **options):
        names = [f"package/dist/{name}" for name in runtime.FILES]
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text("another one")
        shutil.make_archive(f"{cwd}/package", "gztar", tmp_path, "package")
        shutil.move(f"{cwd}/package.tar.gz", f"{cwd}/package.tgz")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(shutil, "which", lambda name: "npm")
    monkeypatch.setattr(subprocess, "run", pack)
    with pytest.raises(ValueError, match="was pinned"):
        runtime.runtime_folder(tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


@pytest.mark.slow
def test_serve_shows_the_page(exported, runtime, tmp_path):
    """As a script, from elsewhere."""
    command = [sys.executable, str(SPACE / "browser" / "serve.py"), str(exported), "--port", "0"]
    command += ["--output", str(tmp_path / "page")]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as server:
        try:
            address = next(line.split()[0] for line in server.stdout if line.startswith("http://127.0.0.1:"))
            with urllib.request.urlopen(f"{address}/runtime/ort-wasm-simd-threaded.wasm") as answer:
                assert answer.headers["Content-Type"] == "application/wasm"
            with urllib.request.urlopen(address) as answer:
                assert b"Nothing leaves this device" in answer.read()
        finally:
            server.terminate()


def test_publishing(hub_with_cache, exported, runtime, checkpoint, capsys, tmp_path):
    hub, model = hub_with_cache, tmp_path / "model"
    shutil.copytree(exported, model)
    (model / "README.md").write_text(
        "---\nlicense: cc-by-nc-sa-4.0\nlibrary_name: transformers\n---\n\n# A tiny model\n"
    )
    commit = publish_model(model, "alice/model")
    capsys.readouterr()
    publish.main(["--browser", "--repo-id", "alice/page", "--model", "alice/model"])
    assert capsys.readouterr().out.strip().endswith(f"{hub.endpoint}/spaces/alice/page")
    published = hub.files("spaces", "alice/page")
    assert b"sdk: static" in published["README.md"] and b"alice/model" in published["README.md"]
    assert published["model/model.onnx"] == (exported / "onnx" / "model.onnx").read_bytes()
    assert set(json.loads(published["files.json"])["files"]) <= set(published)
    assert f"alice/model, at {commit[:7]}".encode() in published["index.html"]
    assert not [name for name in published if name.endswith(".py")]
    assert hub.repositories["spaces", "alice/page"].sdk == "static"


def test_publishing_a_model_that_was_not_exported(hub_with_cache, checkpoint, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(checkpoint, model)
    publish_model(model, "alice/model")
    with pytest.raises(SystemExit, match="uv run -m modeling.export"):
        publish.main(["--browser", "--repo-id", "alice/page", "--model", "alice/model"])
    assert ("spaces", "alice/page") not in hub_with_cache.repositories
