"""Long recordings: windows, phrases, silence, and what is no voice."""

from itertools import pairwise

import following
import numpy as np
import pytest
import soundfile
from following import follow

from tests.space.made_up import RATE, hum


def test_a_timeline_follows_the_emotions_and_marks_silence(listener, clips):
    timeline, waveform = follow(listener, clips["long.wav"], 3, 3)
    emotions = [row["emotion"] for row in timeline.as_rows()]
    assert len(emotions) == 30
    assert emotions[:9] == ["sad"] * 9
    assert emotions[11:19] == ["silence"] * 8
    assert emotions[21:] == ["happy"] * 9
    assert sum(timeline.overall.values()) == pytest.approx(1, abs=1e-3)
    assert len(waveform) == 90 * RATE


def test_what_is_no_voice_has_no_emotion(listener, tmp_path):
    tone = 0.2 * np.sin(2 * np.pi * 440 * np.arange(6 * RATE) / RATE)
    soundfile.write(tmp_path / "call.wav", np.concatenate([hum(150, 6), tone]), RATE)
    timeline, _ = follow(listener, str(tmp_path / "call.wav"), 3, 3)
    assert [row["emotion"] for row in timeline.as_rows()] == ["sad", "sad", "no voice", "no voice"]
    assert timeline.n_silent == 2


def test_phrases_are_cut_in_pauses_and_cover_the_recording(listener, tmp_path):
    quiet = np.zeros(round(0.8 * RATE), dtype=np.float32)
    sounds = [hum(150, 2), quiet, hum(600, 3), quiet, hum(150, 9), np.zeros(4 * RATE)]
    soundfile.write(tmp_path / "talk.wav", np.concatenate(sounds), RATE)
    timeline, _ = follow(listener, str(tmp_path / "talk.wav"), 5, 3, pauses=True)
    spans = [(start, end) for start, end, _ in timeline.windows]
    assert spans[0][0] == 0 and spans[-1][1] == pytest.approx(19.6, abs=0.01)
    assert all(end == start for (_, end), (start, _) in pairwise(spans))
    assert max(end - start for start, end in spans) <= 5.01
    emotions = [row["emotion"] for row in timeline.as_rows()]
    assert emotions == ["sad", "happy", "sad", "sad", "silence"]
    assert spans[0][1] == pytest.approx(2.4, abs=0.15)


@pytest.mark.parametrize("seconds", [0.2, 1, 30])
def test_phrases_of_one_sound_are_windows(seconds):
    spans = following.phrases(hum(150, seconds), RATE, 3)
    assert spans[0][0] == 0 and spans[-1][1] == pytest.approx(seconds)
    assert len(spans) == max(round(seconds / 3), 1)


def test_windows_end_with_the_recording():
    assert following.windows(10, 3, 3) == [(0, 3), (3, 6), (6, 9), (7, 10)]
    assert following.windows(9, 3, 3) == [(0, 3), (3, 6), (6, 9)]
    assert following.windows(2, 3, 3) == [(0, 2)]


def test_windows_that_overlap_are_smoothed_and_others_are_left():
    apart = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    assert following.smoothed(apart, [(0, 3), (3, 6), (6, 9)]).tolist() == apart.tolist()
    smooth = following.smoothed(apart, [(0, 3), (1, 4), (2, 5)])
    assert smooth[1] == pytest.approx([4 / 7, 3 / 7])
    assert smooth.sum(axis=1) == pytest.approx(1)


@pytest.mark.parametrize(("window", "step"), [(0, 3), (3, 0), (3, -1), (31, 3), (float("nan"), 3), (None, 3)])
def test_a_window_out_of_range_is_a_sentence(listener, clips, window, step):
    with pytest.raises(ValueError, match="0.5 to 30.0 s are possible"):
        follow(listener, clips["long.wav"], window, step)
