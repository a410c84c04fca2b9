"""The page's advice is the Gradio Space's: JavaScript and Python agree, on voices, tones, noises and bad recordings."""

import advice
import numpy as np
from playwright.sync_api import expect

from tests.space.browser.conftest import WAIT
from tests.space.conftest import RATE, hum
from tests.space.test_advice import SOUNDS

JUDGE = """async ([name, samples, rate]) => {
  const { aboutSound, noVoice } = await import("./advice.js");
  const waveform = new Float32Array(samples);
  return [noVoice(waveform, rate), aboutSound(waveform, rate)];
}"""


def recordings() -> dict[str, np.ndarray]:
    voice = hum(200, 2)
    noise = np.random.default_rng(1).standard_normal(len(voice))
    made = {name: 0.25 * sound / np.abs(sound).max() for name, sound in SOUNDS.items()}
    made |= {f"voice of {frequency} Hz": hum(frequency, 2) for frequency in (80, 150, 300, 550)}
    made |= {
        "clipped": np.clip(8 * voice, -1, 1),
        "quiet": 0.003 * voice,
        "in noise": voice + 0.06 * noise,
        "mostly silent": np.pad(voice, (0, 8 * RATE)),
        "short": voice[: RATE // 2],
        "very short": voice[: RATE // 20],
        "long": np.tile(voice, 6),
    }
    return {name: sound.astype(np.float32) for name, sound in made.items()}


def test_the_page_and_the_gradio_space_say_the_same_of_every_sound(visit):
    page = visit("Clip")
    said = set()
    for name, waveform in recordings().items():
        expected = [advice.no_voice(waveform, RATE), advice.about_sound(waveform, RATE)]
        assert page.evaluate(JUDGE, [name, waveform.tolist(), RATE]) == expected, name
        said |= {expected[0], *expected[1]}
    assert len(said) > 8  # every sentence is among them


def test_what_is_wrong_stands_under_the_answer_and_a_tone_gets_none(visit, clips):
    page = visit("Clip")
    panel = page.locator("[role=tabpanel]:visible")
    for name, words in (
        ("tone.wav", "This clip holds no voice, only a steady tone."),
        ("chords.wav", "holds no voice"),
    ):
        panel.locator("input[type=file]").set_input_files(str(clips[name]))
        expect(panel.locator(".sentence")).to_contain_text(words, timeout=WAIT)
        expect(panel.locator(".headline")).to_have_count(0)
