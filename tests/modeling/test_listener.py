"""Who hears: precision, unlikeness, what is said of a recording, and timelines of any length."""

import io
import tracemalloc

import numpy as np
import pytest
import soundfile
import torch

from modeling import listener
from modeling.feature_extraction_mel_cnn import MelCNNFeatureExtractor
from modeling.listener import Listener
from tests.modeling.tiny import make_all_unlike, tiny_model, voice

RATE = 16_000


def flac(*parts: np.ndarray, rate: int = RATE) -> bytes:
    """The content of a file of these parts, one after the other."""
    content = io.BytesIO()
    soundfile.write(content, np.concatenate(parts), rate, format="FLAC")
    return content.getvalue()


def test_what_bfloat16_leaves_open_is_heard_again(monkeypatch):
    model, extractor = tiny_model(), MelCNNFeatureExtractor()
    precise = Listener(model, extractor).hear([voice(0.5)])[0].probabilities
    assert (
        np.abs(Listener(model, extractor, dtype=torch.bfloat16).hear([voice(0.5)])[0].probabilities - precise).max()
        < 0.02
    )
    monkeypatch.setattr(listener, "ROUNDING", 1.0)  # everything is open
    again = Listener(model, extractor, dtype=torch.bfloat16).hear([voice(0.5)])[0].probabilities
    np.testing.assert_array_equal(again, precise)


def test_how_unlike_a_clip_is_where_the_model_knows():
    model, clip = tiny_model(), voice(0.5)
    assert Listener(model, MelCNNFeatureExtractor()).hear([clip])[0].unlikeness is None
    make_all_unlike(model)
    expected = model(torch.from_numpy(clip)[None]).unlikeness.item()
    assert Listener(model, MelCNNFeatureExtractor()).hear([clip])[0].unlikeness == pytest.approx(expected) != 0


def test_a_problem_names_the_recording_and_never_shows_its_content(tmp_path):
    path = tmp_path / "silent.wav"
    soundfile.write(path, np.zeros(8_000), 16_000)
    content = path.read_bytes()
    sources = [str(path), content, {"bytes": content, "path": "a/b.wav"}, {"bytes": content, "path": None}]
    found = list(Listener(None, MelCNNFeatureExtractor()).decode(sources))
    names = [str(path), "the recording", "b.wav", "the recording"]
    assert [problem.split(" holds only silence")[0] for problem in found] == names


@pytest.mark.parametrize("seconds", [0.15, 0.2, 1.0, 1.07])
def test_a_timeline_is_that_of_the_model(seconds):
    model, waveform = tiny_model(), flac(voice(seconds))
    (heard,) = Listener(model, MelCNNFeatureExtractor(), window=0.2, hop=0.1).answer([waveform])
    spans, probabilities = model.timeline(soundfile.read(io.BytesIO(waveform), dtype="float32")[0], 0.2, 0.1)
    np.testing.assert_allclose(heard.spans, spans)
    np.testing.assert_allclose(heard.probabilities, probabilities, atol=1e-6)
    assert heard.problem is None and heard.no_speech == [None] * len(spans)


def test_windows_without_speech_have_no_probabilities_and_say_why():
    time = np.arange(RATE) / RATE
    tone, clipped = 0.3 * np.sin(2 * np.pi * 440 * time), np.sign(np.sin(2 * np.pi * 440 * time))
    content = flac(voice(1.0), np.zeros(RATE), tone, clipped, voice(1.0, seed=1))
    (heard,) = Listener(tiny_model(), MelCNNFeatureExtractor(), window=1.0).answer([content])
    assert heard.no_speech == [None, "holds only silence", "holds only a steady tone", "is clipped throughout", None]
    assert np.isnan(heard.probabilities).all(axis=1).tolist() == [False, True, True, True, False]


def test_a_timeline_without_any_speech_is_a_problem():
    (heard,) = Listener(tiny_model(), MelCNNFeatureExtractor(), window=1.0).answer([flac(np.zeros(3 * RATE))])
    assert heard.problem == "the recording holds only silence. Check the microphone, and speak closer to it."
    assert heard.spans is None


def test_a_timeline_of_a_damaged_or_empty_recording_is_a_problem():
    damaged, empty = flac(voice(3.0))[:20_000], {"array": [0.1], "sampling_rate": 64_000}
    broken, without = Listener(tiny_model(), MelCNNFeatureExtractor(), window=1.0).answer([damaged, empty])
    assert "breaks off" in broken.problem and "is empty: 1 samples" in without.problem
    assert broken.probabilities is None


@pytest.mark.slow
def test_memory_does_not_grow_with_a_recording():
    """Three hours, of which the last second is speech: as a whole they would take 690 MB."""
    rate, model = 8_000, tiny_model()
    content = flac(np.zeros(3 * 3600 * rate, np.int16), np.int16(32_767 * voice(1.0, rate)), rate=rate)
    tracemalloc.start()
    (heard,) = Listener(model, MelCNNFeatureExtractor(), window=10.0).answer([content])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert heard.spans[-1].tolist() == pytest.approx([3 * 3600 - 9, 3 * 3600 + 1])
    assert heard.no_speech[-1] is None and set(heard.no_speech[:-2]) == {"holds only silence"}
    assert peak < 100e6
