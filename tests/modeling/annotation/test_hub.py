"""From the Hub to the Hub: a dataset is annotated by its name and loaded as a stranger would."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from huggingface_hub import HfApi

from modeling.feature_extraction_mel_cnn import MelCNNFeatureExtractor
from modeling.listener import Listener
from modeling.loading import load_model
from tests.modeling.annotated import BAD, clip, write_dataset
from tests.modeling.tiny import EMOTIONS

ROOT = Path(__file__).parents[3]
CARD = """---
configs:
- {config_name: long, data_files: [{split: train, path: data/train-*}, {split: test, path: data/test-*}]}
- {config_name: short, data_files: [{split: test, path: data/test-*}]}
license: cc-by-4.0
---
# Clips
"""
LOAD = """
import json
from datasets import load_dataset
print(json.dumps({split: rows.to_list() for split, rows in load_dataset("alice/emotions").items()}))
"""


@pytest.fixture
def anywhere(hub, tmp_path) -> dict[str, str]:
    """The environment of somebody who knows the Hub alone, and may write to it."""
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_OFFLINE")}
    wanted = {"HF_ENDPOINT": hub.endpoint, "HF_TOKEN": "hf_write", "HF_HOME": str(tmp_path / "home")}
    return environment | wanted | {"HF_HUB_DISABLE_XET": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def published(hub, folder: Path) -> str:
    """Uploads a dataset of two configurations, and returns its commit."""
    api = HfApi(endpoint=hub.endpoint, token="hf_write")
    api.create_repo("alice/clips", repo_type="dataset", exist_ok=True)
    (folder / "README.md").write_text(CARD)
    return api.upload_folder(repo_id="alice/clips", folder_path=folder, repo_type="dataset").oid


@pytest.mark.slow
def test_from_the_hub_to_the_hub_and_back(hub, anywhere, checkpoint, tmp_path):
    folder = write_dataset(tmp_path / "clips", train=[range(10), range(10, 20)], test=[range(100, 104)])
    first = published(hub, folder)
    soundfile.write(folder / "late.wav", np.zeros(9), 16_000)
    published(hub, folder)

    def annotate(*options, n_processes: int = 1) -> str:
        """What the command says."""
        launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", n_processes]
        command = [
            *(launcher if n_processes > 1 else []),
            "-m",
            "modeling.annotate",
            "alice/clips",
            "--model",
            checkpoint,
        ]
        command += ["--output", "hf://datasets/alice/emotions", "--rows-per-shard", 6, "--workers", 1, *options]
        run = [sys.executable, *map(str, command)]
        return subprocess.run(
            run, cwd=tmp_path, env=anywhere, check=False, capture_output=True, text=True, timeout=600
        ).stderr

    assert "it has several configurations: choose by --config one of long, short" in annotate()
    options = ("--config", "long", "--dtype", "float32")
    said = annotate(*options, "--revision", first, n_processes=2)
    assert said.count("is complete: 24 rows, 3 of them with a problem") >= 1, said
    assert first in hub.files("datasets", "alice/emotions")["README.md"].decode()
    said = annotate(*options)  # the newest commit is another source
    assert f"source.commit: {first} there" in said and "--revision" in said

    loaded = subprocess.run(
        [sys.executable, "-c", LOAD], cwd=tmp_path, env=anywhere, check=True, capture_output=True, text=True
    )
    heard = json.loads(loaded.stdout)
    rows = [*heard["train"], *heard["test"]]
    assert [row["id"] for row in rows] == [*range(20), *range(100, 104)]
    listener = Listener(load_model(checkpoint)[0], MelCNNFeatureExtractor())
    for row in rows:
        if row["id"] in BAD:
            assert row["predicted_problem"] and row["predicted_emotion"] is None
            continue
        (alone,) = listener.answer([clip(row["id"])])
        found = [row["predicted_probabilities"][name] for name in EMOTIONS]
        np.testing.assert_allclose(found, alone.probabilities[0], atol=1e-5)
