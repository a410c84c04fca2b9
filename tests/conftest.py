"""Fixtures that several test files share."""

import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:  # two processes that each take all cores slow each other down tenfold
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import evaluate.config
import huggingface_hub.constants
import pytest
import transformers.dynamic_module_utils

from data_scripts.build import build
from tests.loopback_hub import LoopbackHub
from tests.miniature_corpora import write_corpora, write_more_corpora

SLOW_FIXTURES = {"browser", "run_train", "server", "start", "studied", "release"}  # trainings, servers, whole releases
SLOW_FILES = {
    "test_annotate.py",
    "test_assemble.py",
    "test_campaign.py",
    "test_export.py",
    "test_interruption.py",
    "test_learning.py",
}
SLOW_FILES |= {"test_auto_classes.py", "test_push.py", "test_study.py", "test_train.py"}
SLOW_FILES |= {"test_distrust.py", "test_interrupted_download.py", "test_locks.py", "test_staging_killed.py"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks as slow what needs a browser, a server or a training."""
    for item in items:
        if SLOW_FIXTURES & set(getattr(item, "fixturenames", ())) or item.path.name in SLOW_FILES:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session", autouse=True)
def own_modules(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The code that is copied out of checkpoints and metrics stays in a temporary folder, one for all tests: it is a package.

    Evaluate puts its folder on the import path too. In the user's own, code of the user's checkpoints would be found first.
    """
    modules = str(tmp_path_factory.mktemp("modules"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transformers.dynamic_module_utils, "HF_MODULES_CACHE", modules)
        patch.setattr(evaluate.config, "HF_MODULES_CACHE", modules)
        yield


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path) -> Iterator[LoopbackHub]:
    """An empty Hub on a free port; this process talks to it as alice, who may write."""
    with LoopbackHub() as hub:
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", hub.endpoint)
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
        monkeypatch.setenv("HF_TOKEN", "hf_write")
        yield hub


@pytest.fixture
def hub_with_cache(hub, tmp_path, monkeypatch) -> LoopbackHub:
    """The Hub to download from as well, into a cache of its own."""
    template = hub.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    return hub


@pytest.fixture
def tiny_disk(tmp_path) -> Iterator[Path]:
    """A disk of 1 MiB, which is soon full; only root can make one."""
    folder = tmp_path / "tiny-disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=False, capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"no disk of 1 MiB can be mounted, which takes root's rights: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture(scope="session")
def tiny_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built dataset of 56 tones of 0.4 s: every corpus, emotion and split, eight speakers. Not to be written to."""
    root = tmp_path_factory.mktemp("tiny")
    return build(write_corpora(root / "raw"), root / "corpus", allow_partial=True, report=lambda line: None)


@pytest.fixture(scope="session")
def extended_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with 20 tones of nEMO and Indian EmoSpeech, four speakers more. Not to be written to."""
    root = tmp_path_factory.mktemp("extended")
    folders = write_corpora(root / "raw") | write_more_corpora(root / "raw")
    return build(folders, root / "corpus", allow_partial=True, report=lambda line: None)


@pytest.fixture
def run_train(monkeypatch: pytest.MonkeyPatch, tmp_path) -> Callable[..., None]:
    """Runs train.py's main in an empty folder with a tiny model."""
    import train  # takes seconds, which tests of the dataset need not wait
    from tests.tiny_model import train_command

    monkeypatch.chdir(tmp_path)

    def run(*options: str, epochs: int = 1) -> None:
        monkeypatch.setattr(sys, "argv", ["train.py", *train_command(*options, epochs=epochs)])
        train.main()

    return run


@pytest.fixture(scope="session")
def real_corpora() -> Path:
    """The folder with ``ravdess/``, ``tess/`` and ``crema_d/``: $MEL_EMOTION_CORPORA, or shared/corpora beside the project."""
    default = Path(__file__).parents[2] / "shared" / "corpora"
    folder = Path(os.environ.get("MEL_EMOTION_CORPORA", default))
    if not all((folder / corpus).is_dir() for corpus in ("ravdess", "tess", "crema_d")):
        pytest.skip(
            f"no real corpora in {folder}; set MEL_EMOTION_CORPORA to a folder with ravdess/, tess/ and crema_d/"
        )
    return folder


@pytest.fixture
def torchcodec():
    """torchcodec; a test is skipped where it or FFmpeg's libraries are absent, but on a machine for tests (CI is set) it fails."""
    if "CI" in os.environ:
        return importlib.import_module("torchcodec")
    reason = "torchcodec, which needs FFmpeg's libraries, cannot be imported; on Debian: apt-get install ffmpeg"
    return pytest.importorskip("torchcodec", reason=reason, exc_type=(ImportError, RuntimeError))
