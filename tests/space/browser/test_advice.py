"""The page's advice is the Gradio Space's: JavaScript and Python agree, on voices, tones, noises and bad recordings."""

import advice
import numpy as np
import pytest
from playwright.sync_api import expect

from modeling.speech_mel_cnn import REMEDIES, why_no_speech
from tests.space.browser.conftest import WAIT
from tests.space.conftest import RATE, hum
from tests.space.test_advice import SOUNDS

JUDGE = """async ([name, samples, rate]) => {
  const { aboutSound, noVoice } = await import("./advice.js");
  const { whyNoSpeech } = await import("./speech.js");
  const waveform = new Float32Array(samples);
  return [whyNoSpeech(waveform, rate), noVoice(waveform, rate), ...aboutSound(waveform, rate)];
}"""


def recordings() -> dict[str, np.ndarray]:
    voice = hum(200, 2)
    noise = np.random.default_rng(1).standard_normal(len(voice))
    made = {name: 0.25 * sound / np.abs(sound).max() for name, sound in SOUNDS.items()}
    made |= {f"voice of {frequency} Hz": hum(frequency, 2) for frequency in (80, 150, 300, 550)}
    made |= {
        "clipped": np.clip(8 * voice, -1, 1),
        "clipped throughout": np.clip(300 * voice, -1, 1),
        "quiet": 0.01 * voice,
        "hardly anything": 0.003 * voice,
        "nothing": np.zeros(RATE),
        "an offset": 0.3 + 1e-5 * voice,
        "steady tones": sum(0.1 * np.sin(2 * np.pi * f * np.arange(2 * RATE) / RATE) for f in (300, 377)),
        "in noise": voice + 0.06 * noise,
        "mostly silent": np.pad(voice, (0, 8 * RATE)),
        "short": voice[: RATE // 2],
        "very short": voice[: RATE // 20],
        "long": np.tile(voice, 6),
    }
    return {name: sound.astype(np.float32) for name, sound in made.items()}


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_the_page_and_the_gradio_space_say_the_same_of_every_sound(visit):
    page = visit("Clip")
    said = set()
    for name, waveform in recordings().items():
        expected = [why_no_speech(waveform, RATE), advice.no_voice(waveform, RATE), *advice.about_sound(waveform, RATE)]
        assert page.evaluate(JUDGE, [name, waveform.tolist(), RATE]) == expected, name
        said |= set(expected)
    every = [*REMEDIES, *(sentence.partition("{")[0] for sentence in advice.SENTENCES.values())]
    assert [words for words in every if not any(words in (sentence or "") for sentence in said)] == []


def test_what_is_wrong_stands_under_the_answer_and_a_tone_gets_none(visit, clips):
    page = visit("Clip")
    panel = page.locator("[role=tabpanel]:visible")
    for name, words in (
        ("tone.wav", "This clip holds only a steady tone."),
        ("chords.wav", "holds no voice"),
    ):
        panel.locator("input[type=file]").set_input_files(str(clips[name]))
        expect(panel.locator(".sentence")).to_contain_text(words, timeout=WAIT)
        expect(panel.locator(".headline")).to_have_count(0)
