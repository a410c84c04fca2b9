"""Everything that the commands refuse is said in the user's words: the file or option, the fact and the remedy."""

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from datasets import ClassLabel, Dataset, Features, Value

from data_scripts import build
from modeling import predict
from tests.miniature_corpora import write_corpora
from tests.modeling.test_recording import REFUSALS
from tests.modeling.tiny import save_checkpoint, voice
from tests.plain_words import assert_plain

RATE = 16_000


def test_prediction_names_every_file_that_it_refuses(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")  # to start ffmpeg for each takes long; what it refuses is tested beside the reader
    save_checkpoint("model")
    Path("clips").mkdir()
    refused = {name: content for name, (content, _) in REFUSALS.items() if not name.startswith(("long", "wide"))}
    for name, content in refused.items():
        Path("clips", f"{name}.wav").write_bytes(content)
    soundfile.write("clips/silent.wav", np.zeros(RATE), RATE)
    soundfile.write("clips/tone.wav", 0.3 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE), RATE)
    soundfile.write("clips/voice.wav", voice(1.0), RATE)
    with pytest.raises(SystemExit) as end:
        predict.main(["clips", "--model", "model"])
    assert end.value.code == 1
    printed = capfd.readouterr()
    assert printed.out.count("clips/voice.wav") == 1 and printed.out.count("clips/") == 1
    for name in [*refused, "silent", "tone"]:
        (line,) = [line for line in printed.err.splitlines() if f"clips/{name}.wav" in line]
        assert_plain(line)
    assert_plain(printed.err)


def own(folder: Path, clips: dict[str, np.ndarray | bytes]) -> Path:
    for name, clip in clips.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if isinstance(clip, bytes):
            (folder / name).write_bytes(clip)
        else:
            soundfile.write(folder / name, clip, RATE, subtype="FLOAT")
    return folder


def saved(folder: Path, **columns) -> Path:
    features = columns.pop("features", None)
    Dataset.from_dict(columns, features=features).save_to_disk(folder)
    return folder


VOICES = {f"{label}/{number}.wav": voice(0.2, seed=number) for label in "ab" for number in range(6)}
LABELS = Features({"audio": Value("string"), "label": ClassLabel(names=["a", "b"])})
OWN_DATA = {  # what is made, and what is said of it
    "bad clips": (lambda: own(Path("x"), VOICES | {"a/0.wav": b"", "b/1.wav": np.full(RATE, np.inf)}), "2 of 12 clips"),
    "one class": (lambda: own(Path("x"), {"a/1.wav": voice(0.2), "a/2.wav": voice(0.2)}), "the one label a"),
    "one clip": (lambda: own(Path("x"), {"a/1.wav": voice(0.2), "b/2.wav": voice(0.2)}), "has 1 clip, but 2"),
    "stray": (lambda: own(Path("x"), VOICES | {"c.wav": voice(0.2)}), r"c\.wav lies beside"),
    "too deep": (lambda: own(Path("x"), {"a/b/c/1.wav": voice(0.2)}), "lies 3 folders deep"),
    "no audio": (lambda: own(Path("x"), {"a/1.txt": b"x"}), "x holds no recording, but \\.txt"),
    "hidden": (lambda: saved(Path("x"), audio=["1.wav"] * 2, label=[-1, -1], features=LABELS), "have no label"),
    "lists": (lambda: saved(Path("x"), audio=["1.wav"] * 2, label=[["a"], ["b"]]), "holds list"),
    "missing": (lambda: saved(Path("x"), audio=["1.wav"] * 4, label=["a", "b"] * 2), "4 of 4 clips .*is not there"),
    "null": (lambda: saved(Path("x"), audio=[None] * 4, label=["a", "b"] * 2), "4 of 4 clips .*is null"),
    "no rate": (lambda: saved(Path("x"), audio=[[0.1]] * 4, label=["a", "b"] * 2), "add a column sampling_rate"),
    "card": (lambda: own(Path("x"), VOICES | {"README.md": b"---\nname: [a\n---\n"}), "is no YAML"),
    "nothing": (lambda: Path("y"), "there is no such file or folder"),
}


@pytest.mark.parametrize("kind", OWN_DATA)
def test_training_refuses_own_data_in_words(kind, tmp_path, monkeypatch, run_train, hub_with_cache):
    make, fact = OWN_DATA[kind]
    with pytest.raises(SystemExit, match=f"(?s){fact}") as end:
        run_train("--dataset_name", make(), "--label_column_name", "label")
    assert_plain(str(end.value))
    assert str(end.value).startswith("train.py: ") and not Path("build/model").exists()


@pytest.mark.parametrize(
    ("options", "spoil", "fact"),
    [
        (["--model_name_or_path", "base"], "model.safetensors", r"model\.safetensors is cut off or damaged"),
        (["--model_name_or_path", "base"], "config.json", r"config\.json is no JSON"),
        (["--model_config", '{"width": "wide"}'], None, "Field 'width' expected int, got str"),
        (["--resume_from_checkpoint", "True"], None, r"checkpoint-1 has 4 labels \(.*\), the dataset 2 \(a, b\)"),
    ],
)
def test_training_refuses_models_in_words(options, spoil, fact, run_train):
    own(Path("x"), VOICES)
    save_checkpoint("base")
    if spoil:
        Path("base", spoil).write_bytes(Path("base", spoil).read_bytes()[:300])
    if "--resume_from_checkpoint" in options:
        save_checkpoint("build/run/checkpoint-1")
    with pytest.raises(SystemExit, match=fact) as end:
        run_train("--dataset_name", "x", "--label_column_name", "label", *options)
    assert_plain(str(end.value))


def test_the_build_refuses_a_corpus_in_words(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    raw = write_corpora(Path("raw"))
    torn = sorted(raw["tess"].rglob("*.wav"))[:3]
    for path, content in zip(torn, [b"", b"torn", REFUSALS["nan"][0]], strict=True):
        path.write_bytes(content)
    monkeypatch.setattr(sys, "argv", ["build", "--tess", "raw/tess", "--allow-partial", "--output", "out"])
    with pytest.raises(SystemExit) as end:
        build.main()
    assert_plain(str(end.value))
    assert all(path.name in str(end.value) for path in torn) and not Path("out").exists()
