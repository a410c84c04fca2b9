"""pipeline("audio-classification") on a checkpoint folder, in every form that takes audio."""

import io
import os
import shutil

import numpy as np
import pytest
import soundfile
import torch
from torchaudio.functional import resample
from transformers import pipeline

from modeling.modeling_mel_cnn import MelCNNForAudioClassification
from tests.modeling.tiny import EMOTIONS, voice

needs_ffmpeg = pytest.mark.skipif(
    not shutil.which("ffmpeg") and "CI" not in os.environ, reason="the pipeline decodes files by FFmpeg's program"
)


@pytest.fixture(scope="module")
def classifier(checkpoint):
    return pipeline("audio-classification", model=str(checkpoint), trust_remote_code=True)


def by_label(rows: list[dict]) -> dict[str, float]:
    return {row["label"]: pytest.approx(row["score"], abs=1e-4) for row in rows}


def test_array(classifier, checkpoint):
    waveform = voice(1.0)
    rows = classifier(waveform)
    assert [row["score"] for row in rows] == sorted((row["score"] for row in rows), reverse=True)
    logits = MelCNNForAudioClassification.from_pretrained(checkpoint)(torch.from_numpy(waveform)[None]).logits[0]
    assert by_label(rows) == dict(zip(EMOTIONS, logits.softmax(-1).tolist(), strict=True))
    assert by_label(classifier(torch.from_numpy(waveform))) == {row["label"]: row["score"] for row in rows}
    assert by_label(classifier(waveform.astype(np.float64))) == {row["label"]: row["score"] for row in rows}


@pytest.mark.parametrize("name", ["raw", "array"])
@pytest.mark.parametrize("rate", [16_000, 44_100, 8_000])
def test_dictionary_at_any_rate(classifier, name, rate):
    waveform = voice(1.0, rate)
    expected = classifier(resample(torch.from_numpy(waveform), rate, 16_000).numpy())
    inputs = {name: waveform, "sampling_rate": rate, "path": None} if name == "array" else {name: waveform}
    rows = classifier(inputs | {"sampling_rate": rate})
    assert by_label(rows) == {row["label"]: row["score"] for row in expected}


@pytest.mark.parametrize("batch_size", [1, 3])
def test_list(classifier, batch_size):
    clips = [voice(seconds, seed=seed) for seed, seconds in enumerate((0.5, 0.05, 2.0, 1.0))]
    dictionaries = [{"raw": clip, "sampling_rate": 16_000} for clip in clips]
    alone = [classifier(clip) for clip in clips]
    for inputs in (clips, dictionaries):
        together = classifier(inputs, batch_size=batch_size)
        assert [by_label(rows) for rows in together] == [{row["label"]: row["score"] for row in rows} for rows in alone]


def test_number_of_labels(classifier):
    assert len(classifier(voice(0.5))) == len(EMOTIONS)
    assert len(classifier(voice(0.5), top_k=1)) == 1
    assert len(classifier(voice(0.5), top_k=2)) == 2
    assert len(classifier(voice(0.5), top_k=100)) == len(EMOTIONS)


def test_stereo_and_other_bad_input_is_refused(classifier):
    for waveform in (np.zeros((2, 100), np.float32), np.zeros(0, np.float32), np.zeros(100, np.int16)):
        with pytest.raises(ValueError, match="channel|0 samples|int16"):
            classifier(waveform)


def test_the_feature_extractor_reads_files_without_ffmpeg(classifier, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    stereo = np.stack([voice(1.0, 44_100)] * 2, axis=1)
    soundfile.write(tmp_path / "clip.flac", stereo, 44_100)
    waveform = classifier.feature_extractor.read(tmp_path / "clip.flac")
    assert waveform.shape == (16_000,)
    assert len(classifier(waveform)) == len(EMOTIONS)


@needs_ffmpeg
def test_file_name_and_bytes(classifier, tmp_path):
    soundfile.write(tmp_path / "clip.wav", voice(1.0), 16_000, subtype="FLOAT")
    expected = {row["label"]: row["score"] for row in classifier(voice(1.0))}
    assert by_label(classifier(str(tmp_path / "clip.wav"))) == expected
    assert by_label(classifier((tmp_path / "clip.wav").read_bytes())) == expected
    assert len(classifier([str(tmp_path / "clip.wav")] * 2)) == 2
    stereo = io.BytesIO()
    soundfile.write(stereo, np.stack([voice(1.0, 48_000)] * 2, axis=1), 48_000, format="WAV")
    assert len(classifier(stereo.getvalue())) == len(EMOTIONS)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(classifier, checkpoint, dtype):
    half = pipeline("audio-classification", model=str(checkpoint), trust_remote_code=True, dtype=dtype)
    assert half.model.dtype == dtype
    for row in half(voice(1.0)):
        expected = next(other["score"] for other in classifier(voice(1.0)) if other["label"] == row["label"])
        assert row["score"] == pytest.approx(expected, abs=0.05)


def test_new_labels_show(checkpoint, tmp_path):
    names = {0: "bored", 1: "curious", 2: "tired"}
    tuned = MelCNNForAudioClassification.from_pretrained(
        checkpoint, num_labels=3, id2label=names, ignore_mismatched_sizes=True
    )
    tuned.save_pretrained(tmp_path)
    shutil.copy(checkpoint / "preprocessor_config.json", tmp_path)
    for part in ("feature_extraction", "recording", "decoding", "speech"):
        shutil.copy(checkpoint / f"{part}_mel_cnn.py", tmp_path)
    rows = pipeline("audio-classification", model=str(tmp_path), trust_remote_code=True)(voice(0.5))
    assert {row["label"] for row in rows} == set(names.values())
    assert sum(row["score"] for row in rows) == pytest.approx(1, abs=1e-4)
