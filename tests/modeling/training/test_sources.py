"""The forms in which people have their own data, and what is said where one is unclear."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from datasets import Audio, ClassLabel, Dataset, DatasetDict, Features, List, Value
from huggingface_hub import HfApi

from modeling.training.data import Clips, DataArguments, load
from modeling.training.sources import load_card
from tests.modeling.tiny import voice
from tests.plain_words import assert_plain

RATE = 16_000


def write(path: Path, seed: int = 0, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, voice(0.2, seed=seed), RATE, **options)
    return path


@pytest.fixture
def recordings(tmp_path, monkeypatch):
    """Four recordings of two classes in folders; the working directory is another one."""
    monkeypatch.chdir(tmp_path)
    for number, label in enumerate(("bored", "bored", "keen", "keen")):
        write(Path("own") / label / f"{number}.wav", number)
    return Path("own")


def options(name, **others) -> DataArguments:
    return DataArguments(**{"dataset_name": str(name), "label_column_name": "label"} | others)


def heard(name, **others) -> dict[str, list]:
    """Split -> label and length of every clip, as training gets them; and what was reported."""
    lines = []
    arguments = options(name, **others)
    splits = load(arguments, report=lines.append)
    found = {}
    for split, data in splits.items():
        names = data.features[arguments.label_column_name].names
        clips = Clips(data, arguments, RATE)
        found[str(split)] = [
            (names[clip["labels"]], len(clip["input_values"])) for clip in map(clips.__getitem__, range(len(clips)))
        ]
    return found | {"report": lines}


FOUR = [("bored", 3_200)] * 2 + [("keen", 3_200)] * 2


def test_a_folder_of_classes_takes_every_suffix_and_names_what_is_left_out(recordings):
    for suffix, kind in (("oga", "OGG"), ("aif", "AIFF"), ("m4a", "WAV"), ("aac", "FLAC"), ("MP3", "MP3")):
        write(recordings / "bored" / f"more.{suffix}", format=kind)
    for clutter in (
        "keen/.ipynb_checkpoints/a.wav",
        ".cache/a.wav",
        "keen/._1.wav",
        "__MACOSX/keen/a.wav",
        "keen/Thumbs.db",
    ):
        (recordings / clutter).parent.mkdir(parents=True, exist_ok=True)
        (recordings / clutter).write_bytes(b"\0")
    (recordings / "notes.txt").write_text("x")
    (recordings / "bored/notes.txt").write_text("x")
    (recordings / "sad").mkdir()
    found = heard(recordings)
    assert [label for label, _ in found["train"]] == ["bored"] * 7 + ["keen"] * 2
    assert found["report"] == [
        "left out, no recordings by their names: .txt 2",
        "left out, empty folders: sad",
    ]


@pytest.mark.parametrize(
    ("name", "fact"),
    [
        ("stray.wav", r"own.stray\.wav lies beside the folders of the classes"),
        ("bored/anna/1.wav", r"anna.1\.wav lies 2 folders deep, so its class is unclear"),
        ("sad/1.xyz", r"own.sad holds no recording, but \.xyz, so a class may be missing"),
    ],
)
def test_an_unclear_class_is_refused(recordings, name, fact):
    (recordings / name).parent.mkdir(parents=True, exist_ok=True)
    (recordings / name).write_bytes(b"x")
    with pytest.raises(ValueError, match=fact):
        load(options(recordings))


def test_all_that_is_unclear_is_said_at_once(recordings):
    write(recordings / "stray.wav")
    write(recordings / "other.wav")
    with pytest.raises(ValueError, match=r"--dataset_name own:\n.*other\.wav lies.*\n.*stray\.wav lies"):
        load(options(recordings))


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("column", ["audio", "file_name", "path"])
def test_a_table_of_paths(recordings, separator, column):
    """As spreadsheets write it; named itself, or by its folder; paths are relative to it, not to the working directory."""
    rows = [(f"{label}/{number}.wav", label, "anna") for number, label in enumerate(("bored", "bored", "keen", "keen"))]
    lines = [separator.join(row) for row in [(column, "label", "speaker_id"), *rows]]
    (recordings / "train.csv").write_text("\ufeff" + "\r\n".join(lines), encoding="utf-8")
    for name in (recordings / "train.csv", recordings):
        assert heard(name)["train"] == FOUR
    assert load(options(recordings))["train"]["speaker_id"] == ["anna"] * 4


def test_tables_of_splits_and_a_column_of_splits(recordings):
    (recordings / "train.csv").write_text("audio,label\nbored/0.wav,bored\nkeen/2.wav,keen\n")
    (recordings / "val.csv").write_text("audio,label\nbored\\1.wav,bored\n")
    found = heard(recordings)
    assert found["train"] == [("bored", 3_200), ("keen", 3_200)] and found["validation"] == [("bored", 3_200)]
    assert found["report"] == ["left out, recordings in own that no table names: 1, such as 3.wav"]
    rows = [{"file_name": f"bored/{n}.wav", "label": "ab"[n], "split": ("train", "dev")[n]} for n in range(2)]
    Path("own/all.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert {name: len(found) for name, found in heard("own/all.jsonl").items()} == {
        "train": 1,
        "validation": 1,
        "report": 1,
    }


def test_metadata_beside_the_recordings_of_a_split(recordings):
    for split in ("train", "test"):
        shutil.copytree("own/bored", f"parts/{split}")
        rows = "".join(f"{path.name},{'xy'[n]}\n" for n, path in enumerate(sorted(Path("parts", split).glob("*.wav"))))
        Path("parts", split, "metadata.csv").write_text(f"file_name,label\n{rows}")
    found = heard("parts")
    assert [label for label, _ in found["train"]] == [label for label, _ in found["test"]] == ["x", "y"]


def test_a_saved_dataset_and_parquet(recordings):
    features = Features({"audio": Audio(decode=False), "label": ClassLabel(names=["bored", "keen"])})
    paths = sorted(map(str, recordings.rglob("*.wav")))
    rows = {
        "audio": [{"path": Path(path).name, "bytes": Path(path).read_bytes()} for path in paths],
        "label": [0, 0, 1, 1],
    }
    data = Dataset.from_dict(rows, features=features)
    data.save_to_disk("saved")
    DatasetDict({"train": data, "validation": data}).save_to_disk("both")
    data.to_parquet("one.parquet")
    Path("folder").mkdir()
    data.to_parquet("folder/train.parquet")
    for name in ("saved", "one.parquet", "folder", "both"):
        assert heard(name)["train"] == FOUR
    assert heard("both")["validation"] == FOUR


@pytest.mark.parametrize("form", ["dictionaries", "lists"])
def test_rows_of_arrays_are_resampled_by_their_rate(tmp_path, form):
    arrays = [voice(0.2, 8_000, seed=seed).tolist() for seed in range(2)]
    rows = {"audio": arrays, "sampling_rate": [8_000] * 2, "label": ["a", "b"]}
    if form == "dictionaries":
        rows["audio"] = [{"array": array, "sampling_rate": 8_000, "path": None} for array in arrays]
        del rows["sampling_rate"]
    Dataset.from_dict(rows).save_to_disk(tmp_path / "saved")
    assert heard(tmp_path / "saved")["train"] == [("a", 3_200), ("b", 3_200)]


def test_arrays_without_a_rate_are_refused(tmp_path):
    Dataset.from_dict({"audio": [[0.1] * 9] * 2, "label": ["a", "b"]}).save_to_disk(tmp_path / "saved")
    with pytest.raises(ValueError, match="no column says at which rate: add a column sampling_rate"):
        load(options(tmp_path / "saved"))


LABELS = ClassLabel(names=["a", "b"])


@pytest.mark.parametrize(
    ("labels", "feature", "fact"),
    [
        ([0, -1, -1], LABELS, "2 of 3 clips of the split train have no label .*-1 of hidden labels"),
        ([0, None, 1], LABELS, "1 of 3 clips of the split train have no label"),
        (["a", None, "b"], Value("string"), "1 of 3 clips"),
        ([0, 0, 0], LABELS, "All 3 clips have the one label a; at least 2"),
        (["x", "x", "x"], Value("string"), "the one label x"),
        ([["a"], ["b"], ["a"]], List(Value("string")), "--label_column_name label holds list, but one class a clip"),
        ([0.1, 0.5, 0.2], Value("float32"), "label holds float32, but one class a clip"),
    ],
)
def test_labels_that_are_none(tmp_path, labels, feature, fact):
    features = Features({"audio": Value("string"), "label": feature})
    Dataset.from_dict({"audio": ["1.wav"] * 3, "label": labels}, features=features).save_to_disk(tmp_path / "saved")
    with pytest.raises(ValueError, match=fact):
        load(options(tmp_path / "saved"))


def test_hidden_labels_of_any_split_are_said(tmp_path):
    features = Features({"audio": Value("string"), "label": LABELS})
    parts = {
        name: Dataset.from_dict({"audio": ["1.wav"] * 2, "label": labels}, features=features)
        for name, labels in {"train": [0, 1], "test": [-1, -1]}.items()
    }
    DatasetDict(parts).save_to_disk(tmp_path / "saved")
    with pytest.raises(ValueError, match="2 of 2 clips of the split test have no label"):
        load(options(tmp_path / "saved", eval_split_name="test"))


@pytest.mark.slow
def test_what_is_no_dataset_is_refused_in_a_line_of_the_users(tmp_path, monkeypatch, hub_with_cache):
    monkeypatch.chdir(tmp_path)
    Path("letter.txt").write_text("Dear mother")
    Path("empty").mkdir()
    Path("script").mkdir()
    Path("script/script.py").write_text("import datasets\n")
    Path("torn.parquet").write_bytes(b"PAR1 and no more")
    Path("saved").mkdir()
    Path("saved/state.json").write_text("{}")
    Path("bad.csv").write_bytes(b"audio,label\n\xff\xfe,a\n")
    Path("other.csv").write_text("name,label\na,b\n")
    Path("bare.csv").write_text("audio,label\n")
    for name, fact in [
        ("letter.txt", r"letter\.txt is a file that ends in '\.txt'\. Name folders of audio"),
        ("empty", "empty holds no recording, but nothing at all"),
        ("script", "script brings a script that would load it|script cannot be read as a dataset"),
        ("torn.parquet", r"torn\.parquet cannot be read as a dataset"),
        ("saved", "saved was saved by save_to_disk, but is not whole"),
        ("bad.csv", r"bad\.csv is no table in UTF-8"),
        ("other.csv", r"other\.csv has the columns name, label, and none with the recordings' paths"),
        ("bare.csv", r"bare\.csv.*(no row follows the header|columns of no row)"),
        ("no/such/folder", "no/such/folder: there is no such file or folder|no/such/folder cannot be read"),
        ("alice/nothing", "alice/nothing: there is no such file or folder"),
    ]:
        with pytest.raises(ValueError, match=fact) as error:
            load(options(name))
        message = str(error.value)
        assert "\n" not in message
        assert_plain(message)


def test_a_column_that_holds_no_recordings_is_refused(tmp_path):
    Dataset.from_dict({"audio": [1, 2], "label": ["a", "b"]}).save_to_disk(tmp_path / "saved")
    with pytest.raises(
        ValueError, match="--audio_column_name audio holds int64, no recordings. Choose one of audio, label"
    ):
        load(options(tmp_path / "saved"))


def test_a_card_that_is_no_yaml_is_said(tmp_path):
    (tmp_path / "README.md").write_text("---\nlicense: mit\nname: [a, b\n---\n# Mine\n")
    with pytest.raises(ValueError, match=r"its README\.md is no YAML, at line \d"):
        load_card(str(tmp_path))
    assert load_card(str(tmp_path / "README.md")) == {}


def test_configurations_are_named(hub_with_cache, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two"):
        Path("data", name).mkdir(parents=True)
        Dataset.from_dict({"audio": ["1.wav"], "label": [name]}).to_parquet(f"data/{name}/train.parquet")
    configs = "".join(f"- config_name: {name}\n  data_files: {name}/train.parquet\n" for name in ("one", "two"))
    Path("data/README.md").write_text(f"---\nconfigs:\n{configs}---\n")
    with pytest.raises(ValueError, match="no --dataset_config_name is given; it has one, two. Choose one"):
        load(options("data"))
    with pytest.raises(ValueError, match="--dataset_config_name is three; it has one, two"):
        load(options("data", dataset_config_name="three"))


def test_a_card_out_of_reach_is_not_taken_for_none(hub_with_cache, monkeypatch):
    import huggingface_hub.constants

    api = HfApi()
    api.create_repo("alice/corpus", repo_type="dataset")
    assert load_card("alice/corpus") == {}
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ValueError, match=r"alice/corpus: its card, .* out of reach"):
        load_card("alice/corpus")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    card = b"---\nlicense: odbl\n---\n"
    api.upload_file(path_or_fileobj=card, path_in_repo="README.md", repo_id="alice/corpus", repo_type="dataset")
    assert load_card("alice/corpus") == {"license": "odbl"}
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert load_card("alice/corpus") == {"license": "odbl"}  # from the cache


def test_a_tone_needs_no_scaling_to_be_read(recordings):
    """A float WAV at 16-bit scale is refused by name wherever it is read."""
    soundfile.write(recordings / "bored/loud.wav", 32_768 * voice(0.2), RATE, subtype="FLOAT")
    with pytest.raises(ValueError, match=r"loud\.wav has a peak of"):
        heard(recordings)
    np.testing.assert_equal(len(load(options(recordings))["train"]), 5)
