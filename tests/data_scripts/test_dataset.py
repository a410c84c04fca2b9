"""What a user loads from a built folder."""

import io

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import soundfile
from datasets import Audio, ClassLabel, get_dataset_config_names, load_dataset
from huggingface_hub import DatasetCard

from data_scripts.build import build
from data_scripts.schema import EMOTIONS
from tests.miniature_corpora import write_more_corpora


@pytest.mark.parametrize(
    "config, sizes",
    [
        (None, {"train": 21, "validation": 14, "test": 21}),
        ("all", {"train": 21, "validation": 14, "test": 21}),
        ("ravdess", {"train": 8, "validation": 8, "test": 8}),
        ("tess", {"train": 7, "test": 7}),
        ("crema_d", {"train": 6, "validation": 6, "test": 6}),
    ],
)
def test_every_configuration_loads(tiny_corpus, tmp_path, config, sizes):
    dataset = load_dataset(str(tiny_corpus), config, cache_dir=str(tmp_path))
    assert {split: len(part) for split, part in dataset.items()} == sizes
    for part in dataset.values():
        assert part.features["audio"] == Audio(sampling_rate=16_000)
        assert part.features["emotion"] == ClassLabel(names=list(EMOTIONS))
        for row in part.cast_column("audio", Audio(decode=False)):
            waveform, sampling_rate = soundfile.read(io.BytesIO(row["audio"]["bytes"]))
            assert sampling_rate == 16_000 and waveform.ndim == 1
            assert row["duration"] == len(waveform) / 16_000 == pytest.approx(0.4, abs=1e-3)


def test_configurations_are_listed_with_all_as_the_default(tiny_corpus):
    assert sorted(get_dataset_config_names(str(tiny_corpus))) == ["all", "crema_d", "ravdess", "tess"]
    configs = DatasetCard.load(tiny_corpus / "README.md").data.configs
    assert [config["config_name"] for config in configs if config.get("default")] == ["all"]


@pytest.mark.parametrize("config", ["all", "ravdess", "tess", "crema_d"])
def test_streaming_gives_the_same_rows(tiny_corpus, tmp_path, config):
    whole = load_dataset(str(tiny_corpus), config, split="test", cache_dir=str(tmp_path))
    stream = load_dataset(str(tiny_corpus), config, split="test", streaming=True)
    undecoded = Audio(decode=False)
    assert list(stream.cast_column("audio", undecoded)) == list(whole.cast_column("audio", undecoded))


def test_torchcodec_decodes_what_soundfile_decodes(torchcodec, tiny_corpus, tmp_path):
    dataset = load_dataset(str(tiny_corpus), "ravdess", split="train", cache_dir=str(tmp_path))
    samples = dataset[0]["audio"].get_all_samples()
    reference, _ = soundfile.read(io.BytesIO(dataset.cast_column("audio", Audio(decode=False))[0]["audio"]["bytes"]))
    assert samples.sample_rate == 16_000
    assert np.array_equal(samples.data[0].numpy(), reference.astype(np.float32))


def test_rows_carry_what_the_corpora_say(tiny_corpus, tmp_path):
    dataset = load_dataset(str(tiny_corpus), split="train", cache_dir=str(tmp_path)).remove_columns("audio")
    rows = {row["source_file"]: row for row in dataset}
    emotion = EMOTIONS.index
    assert rows["1002_DFA_HAP_XX.wav"] == {
        "emotion": emotion("happy"),
        "corpus": "crema_d",
        "speaker_id": "crema_d_1002",
        "gender": "female",
        "age": 21,
        "ethnicity": "Hispanic",
        "race": "African American",
        "text": "Don't forget a jacket",
        "language": "en",
        "intensity": None,
        "repetition": None,
        "duration": 0.4,
        "votes": {"neutral": 4, "happy": 0, "sad": 0, "angry": 5, "fearful": 1, "disgust": 0},
        "label_conflict": False,
        "source_file": "1002_DFA_HAP_XX.wav",
        "source_sampling_rate": 16_000,
    }
    ravdess = rows["03-01-08-01-01-01-05.wav"]
    assert (ravdess["emotion"], ravdess["intensity"], ravdess["repetition"]) == (emotion("surprised"), "normal", 1)
    assert (ravdess["age"], ravdess["race"], ravdess["votes"]) == (None, None, None)
    assert ravdess["source_sampling_rate"] == 48_000
    tess = rows["OAF_back_ps.wav"]
    assert (tess["emotion"], tess["age"], tess["intensity"]) == (emotion("surprised"), 64, None)
    assert tess["source_sampling_rate"] == 24_414


def test_no_speaker_stands_on_two_sides(tiny_corpus):
    clips = pd.read_csv(tiny_corpus / "clips.csv")
    assert (clips.groupby("speaker_id").split.nunique() == 1).all()


def test_clips_csv_leads_to_the_rows_of_the_parquet_files(tiny_corpus):
    clips = pd.read_csv(tiny_corpus / "clips.csv", dtype={"actor": str})
    assert len(clips) == 56
    assert list(clips.columns[:7]) == ["path", "row", "split", "emotion", "gender", "actor", "corpus"]
    assert set(clips.actor) == {"01", "05", "06", "OAF", "YAF", "1001", "1002", "1009"}
    for clip in clips.itertuples():
        row = pq.read_table(tiny_corpus / clip.path).slice(clip.row, 1).to_pylist()[0]
        assert row["source_file"] == clip.source_file
        assert EMOTIONS[row["emotion"]] == clip.emotion
        assert (row["votes"] or {}).get("angry") == (None if pd.isna(clip.votes_angry) else clip.votes_angry)


def test_the_card_counts_what_is_there_and_names_licences_and_citations(tiny_corpus):
    card = DatasetCard.load(tiny_corpus / "README.md")
    assert set(card.data.license) == {"cc-by-nc-sa-4.0", "cc-by-nc-nd-4.0", "odbl"}
    assert card.data.task_categories == ["audio-classification"]
    for info in card.data.dataset_info:
        files = [path for path in tiny_corpus.rglob("*.parquet") if info["config_name"] in ("all", path.parent.name)]
        assert info["download_size"] == sum(path.stat().st_size for path in files)
        assert info["dataset_size"] == sum(split["num_bytes"] for split in info["splits"])
        assert sum(split["num_examples"] for split in info["splits"]) == sum(
            pq.read_metadata(path).num_rows for path in files
        )
    for word in (
        "livingstone2018ravdess",
        "pichorafuller2020tess",
        "cao2014cremad",
        "1076_MTI_SAD_XX",
        "OA_bite_neutral",
    ):
        assert word in card.text
    assert "| ravdess | train | 1 (0, 1) | 8 | 0.00 | 1 | 1 | 1 | 1 | 1 | 1 | 1 | 1 |" in card.text
    assert "This build is partial. RAVDESS: 24 of 1,440 clips" in card.text
    assert "synthetic" not in card.content


# With the other people's corpora


@pytest.mark.parametrize(
    "config, sizes",
    [
        (None, {"train": 21, "validation": 14, "test": 21}),
        ("all", {"train": 21, "validation": 14, "test": 21}),
        ("extended", {"train": 31, "validation": 24, "test": 21}),
        ("nemo", {"train": 6, "validation": 6}),
        ("emospeech", {"train": 4, "validation": 4}),
    ],
)
def test_all_stays_the_three_and_extended_holds_five(extended_corpus, tmp_path, config, sizes):
    dataset = load_dataset(str(extended_corpus), config, cache_dir=str(tmp_path))
    assert {split: len(part) for split, part in dataset.items()} == sizes
    stream = load_dataset(str(extended_corpus), config, split="train", streaming=True)
    assert sum(1 for _ in stream.cast_column("audio", Audio(decode=False))) == sizes["train"]


def test_rows_of_the_others_carry_what_they_say(extended_corpus, tmp_path):
    dataset = load_dataset(str(extended_corpus), "extended", split="train", cache_dir=str(tmp_path))
    rows = {row["source_file"]: row for row in dataset.remove_columns("audio")}
    polish = rows["EB0_sadness_1.wav"]
    assert (polish["speaker_id"], polish["gender"], polish["age"]) == ("nemo_EB0", "female", 27)
    assert (polish["text"], polish["language"], polish["source_sampling_rate"]) == ("Lubię „to”.", "pl", 24_000)
    (calm,) = (row for row in rows.values() if row["speaker_id"] == "emospeech_4e520c" and "calm" in row["source_file"])
    assert (calm["emotion"], calm["text"], calm["language"]) == (EMOTIONS.index("neutral"), "help", "en")
    assert (calm["gender"], calm["age"], calm["votes"]) == (None, None, None)
    assert set(rows["OAF_back_sad.wav"]) == set(polish)


def test_the_card_of_five_names_what_each_configuration_holds(extended_corpus):
    card = DatasetCard.load(extended_corpus / "README.md")
    assert card.data.language == ["en", "pl"] and card.data.multilinguality == ["multilingual"]
    assert sorted(card.data.license) == ["cc-by-nc-nd-4.0", "cc-by-nc-sa-4.0", "odbl"]
    assert [config["config_name"] for config in card.data.configs if config.get("default")] == ["all"]
    for line in (
        "| `all` | CREMA-D, RAVDESS, TESS | 56 |",
        "| `extended` | CREMA-D, Indian EmoSpeech, nEMO, RAVDESS, TESS | 76 |",
        "| `nemo` | nEMO | 12 | CC BY-NC-SA 4.0 |",
        "| nemo | train | 1 (1, 0) | 6 |",
        "| emospeech | train | 1 (unknown) | 4 |",
        "christop2024nemo",
        "banga2019emospeech",
        "English and Polish",
    ):
        assert line in card.text


def test_others_alone_make_a_dataset_whose_default_is_extended(tmp_path):
    folders = write_more_corpora(tmp_path / "raw")
    output = build({"nemo": folders["nemo"]}, tmp_path / "corpus", allow_partial=True, report=lambda line: None)
    assert sorted(get_dataset_config_names(str(output))) == ["extended", "nemo"]
    assert load_dataset(str(output), split="validation", cache_dir=str(tmp_path / "cache")).num_rows == 6
    assert DatasetCard.load(output / "README.md").data.language == ["pl"]
