"""Streams: the same answers however the samples are cut, silence, voices that begin and end, and other rates."""

import subprocess
import sys

import numpy as np
import pytest
import soxr
import torch

from tests.modeling.tiny import save_checkpoint, tiny_model, voice

QUIET = np.zeros(32_000, np.float32)


@pytest.fixture(scope="module")
def model():
    return tiny_model()


def listen(stream, waveform, sizes) -> list:
    """The answers to a waveform in pieces of these sizes, over and over."""
    answers, start, number = [], 0, 0
    while start < len(waveform):
        answers += stream.push(waveform[start : start + sizes[number % len(sizes)]])
        start, number = start + sizes[number % len(sizes)], number + 1
    return answers


def assert_same(found, expected):
    assert [(one.start, one.end, one.probabilities is None) for one in found] == [
        (one.start, one.end, one.probabilities is None) for one in expected
    ]
    for one, other in zip(found, expected, strict=True):
        if one.probabilities is not None:
            torch.testing.assert_close(one.probabilities, other.probabilities)


@pytest.mark.parametrize("rate", [16_000, 8_000, 44_100, 48_000])
def test_pieces_say_the_same_as_the_whole(model, rate):
    waveform = np.concatenate([voice(4.0, rate), np.zeros(2 * rate, np.float32), voice(1.5, rate, seed=1)])
    whole = model.stream(rate).push(waveform)
    assert len(whole) > 15 and any(answer.probabilities is None for answer in whole)
    for sizes in ([1024], [1, 333, 7000, 50], [rate // 2]):
        assert_same(listen(model.stream(rate), waveform, sizes), whole)


def test_an_answer_is_what_the_model_says_of_the_window(model):
    waveform = voice(5.0)
    answers = model.stream(hop=0.5).push(waveform)
    assert [answer.end for answer in answers] == pytest.approx(np.arange(1, 11) / 2)
    assert [answer.start for answer in answers] == pytest.approx(np.maximum(np.arange(1, 11) / 2 - 3, 0))
    with torch.inference_mode():
        heard = model(torch.from_numpy(waveform[-48_000:])[None]).logits[0].softmax(-1)
    torch.testing.assert_close(answers[-1].probabilities, heard)


def test_silence_has_no_emotion_and_a_voice_is_answered_when_it_begins(model):
    answers = model.stream(hop=1.0).push(np.concatenate([QUIET, voice(2.0), QUIET]))
    silent = [answer.probabilities is None for answer in answers]
    assert silent[:2] == [True, True] and silent[-1] and not all(silent)
    begins = answers[silent.index(False)].end
    assert 2.0 < begins < 2.5 and begins not in (2.0, 3.0)  # at once, not at the next full hop


def test_reset_begins_anew(model):
    stream = model.stream(48_000)
    first = stream.push(voice(2.0, 48_000))
    stream.push(voice(1.0, 48_000, seed=5))
    stream.reset()
    assert_same(stream.push(voice(2.0, 48_000)), first)


def test_nothing_and_little_are_no_answer(model):
    stream = model.stream()
    assert stream.push(np.empty(0, np.float32)) == [] and stream.push(torch.zeros(100)) == []


@pytest.mark.parametrize(
    "samples",
    [np.zeros(10, np.int16), np.zeros((10, 2), np.float32), np.array([0.0, np.nan], np.float32), [[0.1, 0.2]]],
)
def test_what_is_no_waveform_is_refused(model, samples):
    with pytest.raises(ValueError, match=r"floats with full scale at 1.0"):
        model.stream().push(samples)


@pytest.mark.parametrize("options", [{"window": 0.0}, {"hop": -1}, {"pause": 0.01}, {"sampling_rate": 0}])
def test_impossible_lengths_are_refused(model, options):
    with pytest.raises(ValueError, match="at least"):
        model.stream(**options)


@pytest.mark.slow
def test_it_travels_with_the_checkpoint(tmp_path):
    save_checkpoint(tmp_path / "model")
    code = """
import sys, numpy as np
from transformers import AutoModelForAudioClassification
model = AutoModelForAudioClassification.from_pretrained(sys.argv[1], trust_remote_code=True)
assert model.stream(8_000).push(0.1 * np.random.default_rng(0).standard_normal(8_000).astype("float32"))
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "model")], cwd=tmp_path, check=True, timeout=300)


def test_the_resampler_does_not_see_the_pieces():
    """What the first test stands on."""
    waveform = voice(1.0, 44_100)
    stream = soxr.ResampleStream(44_100, 16_000, 1, dtype="float32")
    pieces = [stream.resample_chunk(piece) for piece in np.array_split(waveform, 37)]
    whole = soxr.ResampleStream(44_100, 16_000, 1, dtype="float32").resample_chunk(waveform)
    found = np.concatenate(pieces)
    np.testing.assert_array_equal(found[: len(whole)], whole[: len(found)])
