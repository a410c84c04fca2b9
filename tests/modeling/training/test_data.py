"""Columns, labels and decoding."""

import numpy as np
import pytest
import soundfile
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

from modeling.training.data import Clips, DataArguments, load, own_labels


def arguments(**options) -> DataArguments:
    return DataArguments(**{"dataset_name": "made up", "speaker_column_name": "speaker_id"} | options)


def test_own_labels_are_those_of_the_corpus():
    features = Features({"corpus": Value("string"), "emotion": ClassLabel(names=["neutral", "happy", "calm"])})
    rows = [{"corpus": "a", "emotion": name} for name in ("calm", "happy", "neutral")]
    rows += [{"corpus": "b", "emotion": name} for name in ("neutral", "happy")]
    splits = DatasetDict(train=Dataset.from_list(rows[1:], features=features))
    splits["validation"] = Dataset.from_list(rows[:1], features=features)
    assert own_labels(splits, arguments()) == {"a": [0, 1, 2], "b": [0, 1]}


@pytest.fixture(scope="module")
def audio_folder(tmp_path_factory):
    """One sub-folder of audio per class, as people have it."""
    folder = tmp_path_factory.mktemp("own data")
    rng = np.random.default_rng(0)
    for label in ("bored", "excited"):
        (folder / label).mkdir()
        for number in range(6):
            soundfile.write(folder / label / f"{number}.wav", 0.1 * rng.standard_normal((8000, 2)), 44_100)
    return folder


def test_folder_of_audio_has_its_classes_as_labels(audio_folder):
    splits = load(arguments(dataset_name=str(audio_folder), label_column_name="label", speaker_column_name=None))
    assert splits["train"].features["label"].names == ["bored", "excited"]
    clip = Clips(splits["train"], arguments(label_column_name="label"), 16_000)[0]
    assert clip["input_values"].shape == (round(8000 * 16_000 / 44_100),) and clip["labels"] == 0


def test_missing_column_is_an_error_that_names_the_columns(audio_folder):
    with pytest.raises(ValueError, match=r"--label_column_name emotion: .* no such column. Choose one of audio, label"):
        load(arguments(dataset_name=str(audio_folder), speaker_column_name=None))


def test_labels_follow_the_order_of_the_model(audio_folder):
    options = {"dataset_name": str(audio_folder), "label_column_name": "label", "speaker_column_name": None}
    splits = load(arguments(**options), label_names=["excited", "sad", "bored"])
    assert set(splits["train"]["label"]) == {0, 2}
    with pytest.raises(ValueError, match="bored.*not among the model's: sad, excited"):
        load(arguments(**options), label_names=["sad", "excited"])


def test_text_labels_are_sorted(tmp_path):
    rows = [{"audio": None, "emotion": name} for name in ("sad", "angry", "sad")]
    Dataset.from_list(rows).to_parquet(tmp_path / "train.parquet")
    splits = load(arguments(dataset_name=str(tmp_path), speaker_column_name=None))
    assert splits["train"].features["emotion"].names == ["angry", "sad"]
    assert list(splits["train"]["emotion"]) == [1, 0, 1]


def test_null_label_is_an_error_and_no_class(tmp_path):
    Dataset.from_list([{"audio": None, "emotion": name} for name in ("sad", None)]).to_parquet(
        tmp_path / "train.parquet"
    )
    with pytest.raises(ValueError, match="1 of 2 clips of the split train have no emotion"):
        load(arguments(dataset_name=str(tmp_path), speaker_column_name=None))


def test_folders_of_splits_are_known_by_their_usual_names_and_clutter_is_passed_over(tmp_path):
    for folder in ("train/low", "train/high", "val/low"):
        (tmp_path / folder).mkdir(parents=True)
        soundfile.write(tmp_path / folder / "1.wav", np.zeros(8), 16_000)
        (tmp_path / folder / "Thumbs.db").write_bytes(b"\0")
    splits = load(arguments(dataset_name=str(tmp_path), label_column_name="label", speaker_column_name=None))
    assert {name: len(split) for name, split in splits.items()} == {"train": 2, "validation": 1}
    assert splits["validation"].features["label"].names == ["high", "low"]


def test_long_clips_are_cropped_in_training_only(audio_folder):
    splits = load(arguments(dataset_name=str(audio_folder), label_column_name="label", speaker_column_name=None))
    options = arguments(label_column_name="label")
    assert len(Clips(splits["train"], options, 16_000, max_length=1000)[0]["input_values"]) == 1000
    assert len(Clips(splits["train"], options, 16_000)[0]["input_values"]) > 1000


def test_a_whole_clip_is_transformed_then_cropped(audio_folder):
    splits = load(arguments(dataset_name=str(audio_folder), label_column_name="label", speaker_column_name=None))
    whole = Clips(splits["train"], arguments(label_column_name="label"), 16_000)[0]["input_values"]
    seen = []

    def silence(waveform: np.ndarray, index: int) -> np.ndarray:
        seen.append((len(waveform), index))
        return np.zeros(5_000, np.float32)

    clip = Clips(splits["train"], arguments(label_column_name="label"), 16_000, 1_000, silence)[0]["input_values"]
    assert seen == [(len(whole), 0)]
    np.testing.assert_array_equal(clip, np.zeros(1_000))
