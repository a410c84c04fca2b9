"""A model that gets used to a place before it hears it, and the sentence that says when that is worth it."""

import json

import numpy as np
import pytest
import soundfile
import torch

from modeling.adaptation import ENOUGH_FILES, adapt_to, advice
from modeling.loading import load_model
from modeling.predict import main
from tests.modeling.tiny import make_all_unlike, save_checkpoint, voice


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Recordings of one place, enough of them."""
    folder = tmp_path_factory.mktemp("place")
    for seed in range(ENOUGH_FILES):
        soundfile.write(folder / f"{seed:02}.wav", 0.1 * voice(0.4, seed=seed), 16_000)
    return folder


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    """A model to which all recordings are unlike those that it learned from."""
    folder = tmp_path_factory.mktemp("model")
    model = save_checkpoint(folder)
    make_all_unlike(model)
    model.save_pretrained(folder)
    return folder


def answers(file) -> list[dict]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_predict_hears_by_the_adapted_model(stranger, place, tmp_path, capsys):
    plain, adapted = tmp_path / "plain.jsonl", tmp_path / "adapted.jsonl"
    main([str(place), "--model", str(stranger), "--output", str(plain)])
    assert "20 of 20 files sound unlike" in (said := capsys.readouterr().err) and "--adapt-to a folder of them" in said
    main([str(place), "--model", str(stranger), "--output", str(adapted), "--adapt-to", str(place)])
    assert "--adapt-to" not in capsys.readouterr().err
    model, feature_extractor = load_model(stranger)
    model = adapt_to(model, feature_extractor, place)
    with torch.no_grad():
        waveform = torch.from_numpy(feature_extractor.read(place / "00.wav"))
        expected = model(waveform[None]).logits.softmax(-1)[0]
    heard = answers(adapted)[0]["probabilities"]
    assert [heard[model.config.id2label[index]] for index in range(4)] == pytest.approx(expected.tolist(), abs=1e-4)
    assert answers(plain)[0]["probabilities"] != heard


def test_of_long_recordings_as_much_is_heard_as_of_many_short_ones(stranger, tmp_path, monkeypatch):
    monkeypatch.setattr("modeling.adaptation.HEARD", 6.0)
    speech = 0.1 * np.concatenate([voice(1.0, seed=seed) for seed in range(9)])
    for name, seconds in (("a.wav", 9), ("b.flac", 9), ("beginning/a.wav", 3), ("beginning/b.wav", 3)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / name, speech[: seconds * 16_000], 16_000)
    of_long = adapt_to(*load_model(stranger), tmp_path / "[ab].*").classifier.bias
    of_beginnings = adapt_to(*load_model(stranger), tmp_path / "beginning").classifier.bias
    torch.testing.assert_close(of_long, of_beginnings, atol=1e-4, rtol=0)
    monkeypatch.undo()
    of_all = adapt_to(*load_model(stranger), tmp_path / "[ab].*").classifier.bias
    assert (of_all - of_beginnings).abs().max() > 1e-2


def test_a_place_that_cannot_be_heard_is_named(stranger, tmp_path):
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    with pytest.raises(ValueError, match="broken.wav"):
        adapt_to(*load_model(stranger), tmp_path)
    with pytest.raises(ValueError, match="there is no file or folder"):
        adapt_to(*load_model(stranger), tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("unlikeness", "adapted", "said"),
    [
        ([0.5, None], False, None),
        ([1.5], False, "This sounds unlike the recordings that the model learned from"),
        ([1.5, 0.9, 2.0], False, "2 of 3 files sound unlike"),
        ([2.0] * ENOUGH_FILES, False, "20 of 20 files sound unlike"),
        ([0.5] * ENOUGH_FILES, False, "If these files are of one voice or place, --adapt-to"),
        ([0.5] * ENOUGH_FILES, True, None),
    ],
)
def test_what_is_said_of_unlike_recordings(unlikeness, adapted, said):
    line = advice(unlikeness, adapted)
    assert line is None if said is None else said in line
    assert ("--adapt-to" in (line or "")) == (len(unlikeness) >= ENOUGH_FILES and not adapted)
    assert "--adapt-to" not in (advice(unlikeness, adapted=True) or "")
