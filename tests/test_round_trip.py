"""From this repository to the Hub and back: published by the commands, loaded by programs that know only the names.

Every program is a process of its own, with real clients and real HTTP. The strangers start in an empty folder, with an empty
cache, no token, and nothing of this repository on their path.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.loopback_hub import LoopbackHub
from tests.modeling.annotated import write_dataset
from tests.tiny_model import write_model

ROOT = Path(__file__).parents[1]
OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE", "PYTHONPATH", "HF_TOKEN", "HF_HUB_TOKEN")

UPLOAD = """
import sys
from huggingface_hub import HfApi
HfApi().create_repo(sys.argv[1], repo_type="dataset")
HfApi().upload_folder(repo_id=sys.argv[1], folder_path=sys.argv[2], repo_type="dataset")
"""


class Release:
    """What was published, and how to run a program against it."""

    def __init__(self, hub: LoopbackHub, folder: Path):
        self.hub, self.folder, self.n_processes = hub, folder, 0

    def run(self, *command: object, cwd: Path, **environment: str) -> str:
        self.n_processes += 1
        home = self.folder / f"home-{self.n_processes}"
        kept = {name: value for name, value in os.environ.items() if name not in OFFLINE}
        settings = {
            "HF_ENDPOINT": self.hub.endpoint,
            "HF_HOME": str(home),
            "HF_HUB_DISABLE_XET": "1",
            "OMP_NUM_THREADS": "1",
        }
        process = subprocess.run(
            [sys.executable, *map(str, command)],
            cwd=cwd,
            env=kept | settings | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert process.returncode == 0, process.stderr[-4_000:] + process.stdout[-1_000:]
        return process.stdout

    def command(self, *command: object) -> str:
        """Runs one of this repository's commands, as alice."""
        return self.run(*command, cwd=ROOT, HF_TOKEN="hf_write")

    def stranger(self, program: str) -> dict:
        """Runs a program from an empty folder; what it printed as JSON in its last line."""
        folder = self.folder / f"stranger-{self.n_processes}"
        folder.mkdir()
        return json.loads(self.run("-c", program, cwd=folder).splitlines()[-1])


@pytest.fixture(scope="module")
def release(tmp_path_factory, tiny_corpus):
    with LoopbackHub() as hub:
        release = Release(hub, tmp_path_factory.mktemp("release"))
        model = write_model(release.folder / "model")
        release.command("-m", "data_scripts.publish", tiny_corpus, "--repo-id", "alice/corpus")
        release.command("-m", "modeling.publish", model, "--repo-id", "alice/model")
        release.command("-m", "space.publish", "--repo-id", "alice/space", "--model", "alice/model")
        yield release


def test_dataset(release, tiny_corpus):
    """Every config, whole and streamed; the recordings are those that were built."""
    seen = release.stranger(
        """
import hashlib, io, json
import soundfile
from datasets import Audio, get_dataset_config_names, load_dataset

seen = {}
for config in [None, *get_dataset_config_names("alice/corpus")]:
    dataset = load_dataset("alice/corpus", config).cast_column("audio", Audio(decode=False))
    streamed = load_dataset("alice/corpus", config, streaming=True).cast_column("audio", Audio(decode=False))
    seen[str(config)] = {}
    for split, rows in dataset.items():
        assert [row["audio"]["bytes"] for row in streamed[split]] == [row["audio"]["bytes"] for row in rows]
        seen[str(config)][split] = [row["audio"]["path"] for row in rows]
row = dataset["train"][0]
waveform, sampling_rate = soundfile.read(io.BytesIO(row["audio"]["bytes"]))
seen["waveform"] = [waveform.shape, sampling_rate, dataset["train"].features["emotion"].int2str(row["emotion"])]
print(json.dumps(seen))
"""
    )
    from datasets import Audio, load_dataset

    for config in ("all", "ravdess", "tess", "crema_d"):
        built = load_dataset(str(tiny_corpus), config).cast_column("audio", Audio(decode=False))
        assert seen[config] == {split: [row["audio"]["path"] for row in rows] for split, rows in built.items()}
    assert seen["None"] == seen["all"]
    assert seen["waveform"][:2] == [[6_400], 16_000]


def test_dataset_decoded_by_torchcodec(torchcodec, release):
    seen = release.stranger(
        """
import io, json
import numpy, soundfile
from datasets import Audio, load_dataset

dataset = load_dataset("alice/corpus", "crema_d", split="train")
waveform = dataset[0]["audio"].get_all_samples().data[0].numpy()
expected, _ = soundfile.read(io.BytesIO(dataset.cast_column("audio", Audio(decode=False))[0]["audio"]["bytes"]))
streamed = next(iter(load_dataset("alice/corpus", "crema_d", split="train", streaming=True)))
print(json.dumps({
    "error": float(numpy.abs(waveform - expected).max()),
    "rate": streamed["audio"].get_all_samples().sample_rate,
}))
"""
    )
    assert seen == {"error": pytest.approx(0, abs=1e-6), "rate": 16_000}


def test_model(release):
    """The classifier, its pipeline and its metric, at the commit that was published."""
    commit = release.hub.repositories["models", "alice/model"].find("main").oid
    seen = release.stranger(
        f"""
import json, sys
import evaluate, numpy, torch
from huggingface_hub import hf_hub_download
from transformers import AutoFeatureExtractor, AutoModelForAudioClassification, pipeline

options = {{"trust_remote_code": True, "revision": "{commit}"}}
model = AutoModelForAudioClassification.from_pretrained("alice/model", **options).eval()
extractor = AutoFeatureExtractor.from_pretrained("alice/model", **options)
waveform = numpy.sin(numpy.arange(16_000) / 10).astype("float32")
with torch.no_grad():
    logits = model(**extractor(waveform, sampling_rate=16_000, return_tensors="pt")).logits
answer = pipeline("audio-classification", model="alice/model", **options)(waveform, top_k=8)
metric = evaluate.load(hf_hub_download("alice/model", "metrics.py", revision="{commit}"))
figures = metric.compute(predictions=torch.softmax(logits, -1).tolist(), references=[int(logits.argmax())])
print(json.dumps({{
    "logits": logits[0].tolist(),
    "scores": {{entry["label"]: entry["score"] for entry in answer}},
    "accuracy": figures["accuracy"],
    "repository": [module for module in sys.modules if module.split(".")[0] in ("modeling", "data_scripts", "train")],
}}))
"""
    )
    import numpy as np
    import torch

    from modeling.feature_extraction_mel_cnn import MelCNNFeatureExtractor
    from modeling.modeling_mel_cnn import MelCNNForAudioClassification

    model = MelCNNForAudioClassification.from_pretrained(release.folder / "model").eval()
    waveform = np.sin(np.arange(16_000) / 10).astype("float32")
    with torch.no_grad():
        inputs = MelCNNFeatureExtractor()(waveform, sampling_rate=16_000, return_tensors="pt")
        logits = model(**inputs).logits[0]
    assert torch.allclose(torch.tensor(seen["logits"]), logits, atol=1e-4)
    assert set(seen["scores"]) == set(model.config.id2label.values())
    assert seen["scores"]["sad"] == pytest.approx(
        torch.softmax(logits, -1)[model.config.label2id["sad"]].item(), abs=1e-4
    )
    assert seen["accuracy"] == 1
    assert seen["repository"] == []


def test_space(release):
    """What a Space would be given: the demo, whole, and the commit of the model that it is to serve."""
    seen = release.stranger(
        """
import json
from pathlib import Path
from huggingface_hub import snapshot_download

folder = Path(snapshot_download("alice/space", repo_type="space"))
files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
print(json.dumps({"files": files, "model": (folder / "model_id.txt").read_text()}))
"""
    )
    commit = release.hub.repositories["models", "alice/model"].find("main").oid
    assert seen["model"] == f"alice/model@{commit}\n"
    assert {"README.md", "app.py", "requirements.txt"} <= set(seen["files"])
    assert "publish.py" not in seen["files"]


def test_fine_tuning_the_published_model_on_the_published_dataset_and_pushing_it(release, tmp_path):
    from transformers import AutoModelForAudioClassification

    release.command(
        *("train.py", "--dataset_name", "alice/corpus", "--max_steps", 2, "--use_cpu", "True"),
        *("--model_name_or_path", "alice/model"),
        *("--output_dir", tmp_path / "run", "--model_dir", tmp_path / "model", "--report_to", "none"),
        *("--push_to_hub", "True", "--hub_model_id", "alice/trained", "--hub_strategy", "all_checkpoints"),
    )
    pushes = release.hub.repositories["models", "alice/trained"].branches["main"][1:]
    for push in pushes:
        card = push.files["README.md"].decode()
        assert "license: cc-by-nc-sa-4.0" in card and "base_model: alice/model" in card
        assert {"model.safetensors", "config.json", "modeling_mel_cnn.py", "metrics.py"} <= set(push.files)
        assert not [path for path in push.files if path.endswith((".bin", ".pt", ".pth"))]
    trained = {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()}
    # The published card is the folder's own, but that its snippet loads the model from the Hub.
    local_card, card = trained.pop("README.md").decode(), pushes[-1].files["README.md"].decode()
    assert card == local_card.replace('model="."', 'model="alice/trained"') != local_card
    assert trained.items() <= pushes[-1].files.items()
    assert "checkpoint-2/model.safetensors" in pushes[-1].files
    (tmp_path / "down").mkdir()
    for path, content in pushes[-1].files.items():
        if "/" not in path:
            (tmp_path / "down" / path).write_bytes(content)
    model = AutoModelForAudioClassification.from_pretrained(tmp_path / "down", trust_remote_code=True)
    assert model.config.id2label[0] == "neutral"


def test_annotated_dataset(release):
    """Annotated by name with a model by name, published shard by shard, gone on with, and held against `pipeline`."""
    commit = release.hub.repositories["models", "alice/model"].find("main").oid
    voices = write_dataset(release.folder / "voices", train=[range(10), range(10, 20)], test=[range(20, 24)])
    release.run("-c", UPLOAD, "alice/voices", voices, cwd=ROOT, HF_TOKEN="hf_write")
    output = "hf://datasets/alice/emotions"
    command = ["-m", "modeling.annotate", "alice/voices", "--output", output, "--dtype", "float32"]
    command += ["--model", "alice/model", "--model-revision", commit, "--rows-per-shard", "4", "--workers", "1"]
    release.command(*command)
    repository = release.hub.repositories["datasets", "alice/emotions"]
    whole = dict(repository.find("main").files)
    shards = [name for name in whole if name.endswith(".parquet")]
    assert len(shards) == 7 and {"README.md", "annotation.json"} < whole.keys()
    repository.commit("main", "a process was killed before it committed these", dict(whole))
    for name in (shards[1], shards[-1], "README.md"):
        del repository.find("main").files[name]
    release.command(*command)
    assert repository.find("main").files == whole
    seen = release.stranger(
        f"""
import io, json
import soundfile
from datasets import Audio, load_dataset
from transformers import pipeline

heard = load_dataset("alice/emotions")
spoken = load_dataset("alice/voices").cast_column("audio", Audio(decode=False))
classify = pipeline("audio-classification", model="alice/model", trust_remote_code=True, revision="{commit}", top_k=8)
error, n_problems, n_answers = 0.0, 0, 0
for split, rows in spoken.items():
    assert [row["id"] for row in rows] == [row["id"] for row in heard[split]]
    for row, answer in zip(rows, heard[split], strict=True):
        if answer["predicted_problem"]:
            n_problems += 1
            continue
        waveform, _ = soundfile.read(io.BytesIO(row["audio"]["bytes"]))
        scores = {{entry["label"]: entry["score"] for entry in classify(waveform)}}
        assert answer["predicted_emotion"] == max(scores, key=scores.get)
        error = max([error, *(abs(answer["predicted_probabilities"][label] - scores[label]) for label in scores)])
        n_answers += 1
print(json.dumps({{"error": error, "n_problems": n_problems, "n_answers": n_answers}}))
"""
    )
    assert seen == {"error": pytest.approx(0, abs=1e-5), "n_problems": 3, "n_answers": 21}
    card = whole["README.md"].decode()
    assert commit in card and "alice/voices" in card and "hf_write" not in card + whole["annotation.json"].decode()
