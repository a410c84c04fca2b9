"""Decoding, the answers of a checkpoint, loudness and pitch."""

import json
import shutil

import hearing
import numpy as np
import pytest
import soundfile
from tests.space.conftest import LABELS, RATE, hum


@pytest.fixture(scope="module")
def listener(checkpoint):
    return hearing.Listener(str(checkpoint))


@pytest.mark.parametrize("name", ["happy.wav", "happy.mp3", "happy.flac", "happy.ogg", "stereo.wav", "phone.wav"])
def test_any_format_rate_and_channel_count_gives_the_same_answer(listener, clips, name):
    waveform = listener.load(clips[name])
    assert waveform.shape[0] == pytest.approx(2 * RATE, rel=0.05)
    assert listener.hear(waveform).emotion == "happy"


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="no ffmpeg on this machine")
@pytest.mark.parametrize("name", ["happy.m4a", "happy.webm"])
def test_what_phones_record_is_read_where_ffmpeg_is(listener, clips, tmp_path, name):
    import subprocess

    command = ["ffmpeg", "-v", "error", "-i", clips["stereo.wav"], "-c:a", "libopus" if "webm" in name else "aac"]
    subprocess.run([*command, tmp_path / name], check=True)
    waveform = listener.load(tmp_path / name)
    assert waveform.shape[0] == pytest.approx(2 * RATE, rel=0.05)
    assert listener.hear(waveform).emotion == "happy"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (None, "Record or upload a clip first."),
        ("empty.wav", "empty"),
        ("broken.wav", "read this file"),
        ("text.mp3", "read this file"),
        ("truncated.flac", "."),
        ("short.wav", "0.02 s; at least 0.1 s"),
        ("silent.wav", "only silence"),
        ("nan.wav", "not numbers"),
        ("endless.flac", "61 s; 60 s is the most"),
    ],
)
def test_a_bad_file_is_a_sentence(listener, clips, name, sentence):
    with pytest.raises(ValueError, match=sentence) as problem:
        listener.load(name and clips[name])
    assert str(problem.value).endswith(".")
    assert "/" not in str(problem.value)


def test_a_header_that_promises_too_much_is_not_believed(listener, tmp_path):
    """Eight channels of silence compress to nothing, and would fill the memory."""
    path = tmp_path / "bomb.flac"
    soundfile.write(path, np.zeros((30 * 48_000, 8), dtype=np.int16), 480_000)
    monstrous = hearing.MOST_SAMPLES
    hearing.MOST_SAMPLES = 1_000_000
    try:
        with pytest.raises(ValueError, match="samples in 8 channels"):
            listener.load(path)
    finally:
        hearing.MOST_SAMPLES = monstrous


def test_answers_agree_with_the_checkpoint_itself(listener, clips):
    waveform = listener.load(clips["sad.wav"])
    inputs = listener.feature_extractor(waveform, sampling_rate=RATE, return_tensors="pt")
    expected = listener.model(**inputs).logits[0].softmax(-1).tolist()
    answer = listener.hear(waveform)
    assert list(answer.probabilities) == LABELS
    assert list(answer.probabilities.values()) == pytest.approx(expected, abs=1e-4)
    assert answer.as_row()["emotion"] == "sad"
    assert sum(answer.as_row()["probabilities"].values()) == pytest.approx(1, abs=1e-3)


def test_below_the_threshold_it_is_not_sure():
    answer = hearing.Answer({"happy": 0.39, "sad": 0.61}, unsure_threshold=0.7)
    assert (answer.emotion, answer.sure) == ("sad", False)
    assert hearing.Answer({"happy": 0.39, "sad": 0.61}, unsure_threshold=0.6).sure


def test_evidence_lies_on_the_frames_of_the_spectrogram(listener, clips):
    waveform = listener.load(clips["happy.wav"])
    evidence = listener.explain(waveform, listener.hear(waveform))
    config = listener.config
    n_frames = 2 * RATE // config.hop_length + 1
    assert evidence.spectrogram.shape == evidence.evidence.shape == (config.n_mels, n_frames)
    assert evidence.evidence.min() >= 0
    assert evidence.evidence.max() <= 1


def test_a_timeline_follows_the_emotions_and_marks_silence(listener, clips):
    timeline = listener.follow(clips["long.wav"], 3, 3)
    emotions = [row["emotion"] for row in timeline.as_rows()]
    assert len(emotions) == 30
    assert emotions[:9] == ["sad"] * 9
    assert emotions[11:19] == ["silence"] * 8
    assert emotions[21:] == ["happy"] * 9
    assert sum(timeline.overall.values()) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(("window", "step"), [(0, 3), (3, 0), (3, -1), (31, 3), (float("nan"), 3), (None, 3)])
def test_a_window_out_of_range_is_a_sentence(listener, clips, window, step):
    with pytest.raises(ValueError, match="0.5 to 30.0 s are possible"):
        listener.follow(clips["long.wav"], window, step)


def test_one_bad_file_does_not_stop_the_others(listener, clips):
    rows = listener.hear_files([str(clips[name]) for name in ("happy.wav", "empty.wav", "sad.wav")])
    assert [row.get("emotion") for row in rows] == ["happy", None, "sad"]
    assert rows[1] == {"file": "empty.wav", "problem": "This file is empty. Record again, or choose another file."}


def test_the_microphone_hears_silence_and_then_a_voice(listener, tmp_path):
    microphone, heard = hearing.Microphone(), []
    for seconds, waveform in enumerate([np.zeros(48_000), hum(150, 1, rate=48_000), hum(150, 1, rate=48_000)]):
        soundfile.write(tmp_path / f"{seconds}.wav", waveform, 48_000)
        microphone.answered = 0.0
        assert microphone.hear(str(tmp_path / f"{seconds}.wav"), listener)
        answer = microphone.history[-1][1]
        heard.append(answer and answer.emotion)
    assert heard == [None, "sad", "sad"]
    assert len(microphone.sound) <= hearing.LIVE_WINDOW * 48_000


def test_loudness_of_a_full_scale_sine_is_3_db_below_full_scale():
    sine = np.sin(2 * np.pi * 200 * np.arange(RATE) / RATE)
    levels = hearing.loudness(sine, RATE)
    assert len(levels) == 100
    assert levels[5:-5] == pytest.approx(-3.01, abs=0.05)
    assert hearing.loudness(np.zeros(RATE), RATE).max() < -100


@pytest.mark.parametrize("frequency", [70, 150, 300, 450, 580])
def test_pitch_of_a_hum(frequency):
    track = hearing.pitch(hum(frequency, 1.5), RATE)
    assert len(track) == 150
    assert np.nanmedian(track) == pytest.approx(frequency, rel=0.01)


def test_nothing_voiced_has_no_pitch_and_a_tiny_clip_no_error():
    silence_then_hum = np.concatenate([np.zeros(RATE, dtype=np.float32), hum(200, 1)])
    track = hearing.pitch(silence_then_hum, RATE)
    assert np.isnan(track[:90]).all()
    assert len(hearing.pitch(hum(200, 0.1), RATE)) == 10


@pytest.mark.parametrize("seconds", [9.99, 10.01, 31.7, 60])
def test_a_long_clip_has_no_more_pitches_than_a_picture_shows(seconds):
    track = hearing.pitch(hum(200, seconds), RATE)
    assert hearing.MOST_PITCHES / 2 <= len(track) <= hearing.MOST_PITCHES
    assert np.nanmedian(track) == pytest.approx(200, rel=0.01)


def test_a_checkpoint_without_an_evaluation_is_served_all_the_same(checkpoint, tmp_path):
    folder = shutil.copytree(checkpoint, tmp_path / "bare")
    (folder / "evaluation.json").unlink()
    (folder / "README.md").unlink()
    listener = hearing.Listener(str(folder))
    assert (listener.evaluation, listener.licence, listener.datasets) == (None, None, [])


@pytest.mark.parametrize("model_id", ["owner/name", "no-such-folder"])
def test_a_checkpoint_on_the_hub_is_pinned(model_id):
    with pytest.raises(ValueError, match="owner/name@commit"):
        hearing.Listener(model_id)


def test_a_folder_without_a_checkpoint_is_named(tmp_path):
    with pytest.raises(ValueError, match="holds no checkpoint"):
        hearing.Listener(str(tmp_path))


def test_rows_can_be_written_as_json(listener, clips):
    rows = [
        listener.hear(listener.load(clips["happy.wav"])).as_row(),
        *listener.follow(clips["long.wav"], 3, 3).as_rows(),
    ]
    assert json.loads(json.dumps(rows)) == rows
