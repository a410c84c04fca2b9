"""Publishing a corpus: what arrives on the Hub, what stays here, and what the user is told when it cannot be done."""

import io
import re

import huggingface_hub.constants
import numpy as np
import pandas as pd
import pytest
import soundfile
from datasets import load_dataset
from huggingface_hub import metadata_load

from data_scripts import publish
from data_scripts.build import build

STEMS = {
    "ravdess": [f"03-01-{emotion}-01-01-01-{actor}" for emotion in ("01", "05") for actor in ("01", "06", "08")],
    "tess": [f"{actor}_back_{emotion}" for emotion in ("angry", "sad") for actor in ("OAF", "YAF")],
    "crema_d": [f"{actor}_DFA_{emotion}_XX" for emotion in ("ANG", "NEU") for actor in (1001, 1002, 1009)],
}


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """A built corpus of a few clips of noise from each of the three."""
    root = tmp_path_factory.mktemp("publish")
    generator = np.random.default_rng(0)
    for name, stems in STEMS.items():
        (root / name).mkdir()
        for stem in stems:
            soundfile.write(root / name / f"{stem}.wav", generator.normal(0, 0.1, 8_000), 16_000)
    return build({name: root / name for name in STEMS}, root / "corpus", allow_partial=True)


def run(capsys, *arguments) -> tuple[str, str]:
    """Runs the command; what it printed, and the error line that it ended with (or an empty one)."""
    try:
        publish.main([str(argument) for argument in arguments])
        error = ""
    except SystemExit as end:
        error = str(end.code)
    captured = capsys.readouterr()
    return captured.err + captured.out, error


def test_the_repository_becomes_the_folder(hub, corpus, capsys):
    printed, error = run(capsys, corpus, "--repo-id", "alice/corpus")
    assert error == ""
    assert printed.strip().endswith(f"{hub.endpoint}/datasets/alice/corpus")
    published = dict(hub.files("datasets", "alice/corpus"))
    assert published.pop(".gitattributes")
    expected = {path.relative_to(corpus).as_posix(): path.read_bytes() for path in corpus.rglob("*") if path.is_file()}
    here, there = b'load_dataset("build/corpus"', b'load_dataset("alice/corpus"'
    assert here in expected["README.md"]
    expected["README.md"] = expected["README.md"].replace(here, there)  # so that its snippets run as they stand
    assert published == expected
    assert not hub.repositories["datasets", "alice/corpus"].private


def test_a_second_run_makes_no_commit(hub, corpus, capsys):
    run(capsys, corpus, "--repo-id", "alice/corpus")
    commits = hub.titles("datasets", "alice/corpus")
    assert run(capsys, corpus, "--repo-id", "alice/corpus")[1] == ""
    assert hub.titles("datasets", "alice/corpus") == commits


def test_after_a_break_only_what_is_missing_goes_up(hub, corpus, capsys):
    hub.outage = True
    assert "no commits just now" in run(capsys, corpus, "--repo-id", "alice/corpus")[1]
    assert sum(line.startswith("PUT") for line in hub.requests) == len(hub.objects) > 0
    hub.outage = False
    hub.requests.clear()
    assert run(capsys, corpus, "--repo-id", "alice/corpus")[1] == ""
    assert not [line for line in hub.requests if line.startswith("PUT")]
    assert "clips.csv" in hub.files("datasets", "alice/corpus")


def test_files_that_are_gone_here_leave_the_repository(hub, corpus, capsys):
    run(capsys, corpus, "--repo-id", "alice/corpus")
    run(capsys, corpus, "--repo-id", "alice/corpus", "--corpora", "ravdess")
    paths = hub.files("datasets", "alice/corpus")
    assert {path.split("/")[1] for path in paths if path.startswith("data/")} == {"ravdess"}
    assert ".gitattributes" in paths


def test_dry_run_lists_sizes_and_asks_nobody(hub, corpus, capsys, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    printed, error = run(capsys, corpus, "--repo-id", "alice/corpus", "--dry-run")
    assert error == ""
    assert hub.requests == []
    for path in corpus.rglob("*.parquet"):
        assert re.search(rf"{path.stat().st_size:,}\s+{path.relative_to(corpus)}", printed)


def test_private_and_revision(hub, corpus, capsys):
    printed, error = run(capsys, corpus, "--repo-id", "alice/corpus", "--private", "--revision", "draft/one")
    assert error == ""
    assert printed.strip().endswith("/datasets/alice/corpus/tree/draft/one")
    assert hub.repositories["datasets", "alice/corpus"].private
    assert "README.md" in hub.files("datasets", "alice/corpus", "draft/one")
    assert "README.md" not in hub.files("datasets", "alice/corpus")
    assert run(capsys, corpus, "--repo-id", "alice/corpus", "--private", "--revision", "draft/one")[1] == ""
    assert len(hub.titles("datasets", "alice/corpus", "draft/one")) == 2


def test_private_never_lands_in_a_public_repository(hub, corpus, capsys):
    run(capsys, corpus, "--repo-id", "alice/corpus", "--corpora", "ravdess")
    before = hub.titles("datasets", "alice/corpus")
    assert "is public" in run(capsys, corpus, "--repo-id", "alice/corpus", "--private")[1]
    assert hub.titles("datasets", "alice/corpus") == before


def test_corpora_leaves_one_out_with_card_configs_and_sizes(hub, corpus, capsys, tmp_path):
    printed, error = run(capsys, corpus, "--repo-id", "alice/corpus", "--corpora", "ravdess", "crema_d")
    assert error == ""
    assert "NC-ND" not in printed
    published = hub.files("datasets", "alice/corpus")
    card = tmp_path / "README.md"
    card.write_bytes(published["README.md"])
    metadata, whole = metadata_load(card), metadata_load(corpus / "README.md")
    assert {config["config_name"] for config in metadata["configs"]} == {"all", "ravdess", "crema_d"}
    assert not any("tess" in str(config["data_files"]) for config in metadata["configs"])
    assert "cc-by-nc-nd-4.0" not in metadata["license"]
    assert "TESS" not in card.read_text() and "RAVDESS: 6 of 1,440" in card.read_text()
    infos = {info["config_name"]: info for info in metadata["dataset_info"]}
    assert infos["ravdess"] == next(info for info in whole["dataset_info"] if info["config_name"] == "ravdess")
    parquet = [content for path, content in published.items() if path.endswith(".parquet")]
    assert infos["all"]["download_size"] == sum(map(len, parquet))
    assert sum(split["num_examples"] for split in infos["all"]["splits"]) == 12
    clips = pd.read_csv(io.BytesIO(published["clips.csv"]))
    assert set(clips.corpus) == {"ravdess", "crema_d"} and set(clips.path) < set(published)
    assert not [path for path in corpus.parent.iterdir() if path.name.startswith(".")]
    for path, content in published.items():
        (tmp_path / "down" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "down" / path).write_bytes(content)
    down = load_dataset(str(tmp_path / "down"), cache_dir=str(tmp_path / "cache"))
    assert sum(split.num_rows for split in down.values()) == 12


def test_no_derivatives_is_said_when_tess_is_published(hub, corpus, capsys):
    printed, _ = run(capsys, corpus, "--repo-id", "alice/corpus", "--dry-run")
    assert "CC BY-NC-ND 4.0" in printed and "--corpora ravdess crema_d" in printed


def test_demo_corpus_needs_synthetic(hub, corpus, capsys, tmp_path):
    card = (corpus / "README.md").read_text().replace("tags:\n", "tags:\n- synthetic\n")
    (tmp_path / "data/ravdess").mkdir(parents=True)
    (tmp_path / "README.md").write_text(card)
    for path in (corpus / "data/ravdess").iterdir():
        (tmp_path / "data/ravdess" / path.name).write_bytes(path.read_bytes())
    assert "--synthetic" in run(capsys, tmp_path, "--repo-id", "alice/demo")[1]
    assert hub.requests == []
    assert run(capsys, tmp_path, "--repo-id", "alice/demo", "--synthetic")[1] == ""


def test_only_a_corpus_goes_up(hub, corpus, capsys, tmp_path):
    for path in corpus.rglob("*"):
        if path.is_file():
            (tmp_path / path.relative_to(corpus)).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path.relative_to(corpus)).write_bytes(path.read_bytes())
    (tmp_path / "notes.pkl").write_bytes(b"\x80\x04N.")
    (tmp_path / "data" / ".DS_Store").write_bytes(b"")
    printed, _ = run(capsys, tmp_path, "--repo-id", "alice/corpus")
    assert "notes.pkl" in printed
    assert not {"notes.pkl", "data/.DS_Store"} & set(hub.files("datasets", "alice/corpus"))


@pytest.mark.parametrize(
    ("token", "repo_id", "remedy"),
    [
        ("", "alice/corpus", "hf auth login"),
        ("hf_unknown", "alice/corpus", "does not accept your token"),
        ("hf_read", "alice/corpus", "read-only"),
        ("hf_write", "bob/corpus", "belongs to someone else"),
        ("hf_write", "corpus", "OWNER/NAME"),
        ("hf_write", "alice/not a name", "alice/not a name"),
        ("hf_write", "alice/../corpus", "alice/../corpus"),
        ("hf_writé", "alice/corpus", "does not accept your token"),
    ],
)
def test_what_cannot_be_published_is_one_line_with_the_remedy(hub, corpus, capsys, monkeypatch, token, repo_id, remedy):
    monkeypatch.setenv("HF_TOKEN", token)
    printed, error = run(capsys, corpus, "--repo-id", repo_id)
    assert error.startswith("error: ") and remedy in error and "\n" not in error
    assert not token or token not in printed + error
    assert hub.repositories == {}


def test_no_network(hub, corpus, capsys, monkeypatch):
    hub.__exit__()
    _, error = run(capsys, corpus, "--repo-id", "alice/corpus")
    assert "check the network" in error and "\n" not in error
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE" in run(capsys, corpus, "--repo-id", "alice/corpus")[1]


def test_a_token_in_a_file_stays_here(hub, corpus, capsys, tmp_path):
    (tmp_path / "data/ravdess").mkdir(parents=True)
    (tmp_path / "README.md").write_text((corpus / "README.md").read_text() + "\ntoken: hf_write\n")
    (tmp_path / "data/ravdess/train.parquet").write_bytes(b"")
    _, error = run(capsys, tmp_path, "--repo-id", "alice/corpus")
    assert "README.md holds your Hugging Face token" in error
    assert hub.repositories == {}


def test_a_folder_that_is_no_corpus(hub, capsys, tmp_path):
    for folder in (tmp_path, tmp_path / "missing"):
        assert "is not a built corpus" in run(capsys, folder, "--repo-id", "alice/corpus")[1]
    assert hub.requests == []
