"""A voice that is told first: heard against as by the adapted PyTorch model, forgotten by one press, and refused in a sentence."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from playwright.sync_api import Page, expect

from modeling.export import export
from modeling.modeling_mel_cnn import MelCNNForAudioClassification
from space.browser.assemble import assemble
from tests.modeling.tiny import voice
from tests.space.browser.conftest import WAIT, opened
from tests.space.browser.test_page import rows_of
from tests.space.conftest import LABELS, RATE


@pytest.fixture(scope="module")
def model(checkpoint) -> MelCNNForAudioClassification:
    """Calibrated, with a label that most corpora lack, and with a place for what is unlike its training data."""
    model = MelCNNForAudioClassification.from_pretrained(checkpoint).eval()
    model.config.update({"calibration_temperature": 1.5, "unlike_temperature": 0.75, "uncommon_labels": [1]})
    unlikeness = model.mel_cnn.unlikeness
    identity = np.eye(len(unlikeness.whitening))
    for scale in (1.0, 1.1):  # in the middle between like and unlike
        unlikeness.fit(np.zeros(unlikeness.directions.shape), scale * identity, np.zeros(unlikeness.centres.shape))
        with torch.no_grad():
            identity = identity / model(torch.from_numpy(voice(3.0))[None]).unlikeness.item()
    return model


@pytest.fixture(scope="module")
def exported(model, checkpoint, tmp_path_factory) -> Path:
    """That model with its ONNX."""
    folder = tmp_path_factory.mktemp("calibrated") / "checkpoint"
    shutil.copytree(checkpoint, folder)
    export(model, folder)
    return folder


@pytest.fixture(scope="module")
def page_folder(exported, runtime, tmp_path_factory) -> Path:
    """The page with that model."""
    return assemble(exported, tmp_path_factory.mktemp("page") / "page")


@pytest.fixture(scope="module")
def mine(tmp_path_factory) -> Path:
    """A voice of four pieces, of which one is silent."""
    path = tmp_path_factory.mktemp("voice") / "mine.wav"
    spoken = np.concatenate([voice(3.3, seed=1), np.zeros(4 * RATE, np.float32), 0.2 * voice(6.2, seed=2)])
    soundfile.write(path, spoken, RATE, subtype="FLOAT")
    return path


@pytest.fixture
def page(visit) -> Page:
    page = visit("Batch")
    page.get_by_text("Your voice first").click()
    return page


def tell(page: Page, path: Path) -> None:
    page.locator("#voice input[type=file]").set_input_files(str(path))


def probabilities(page: Page, path: Path, tab: str = "Batch") -> list[float]:
    """What the page says of a clip, or of a recording that is one window long."""
    page.get_by_role("tab", name=tab).click()
    panel = page.locator("[role=tabpanel]:visible")
    panel.locator("input[type=file]").set_input_files(str(path))
    link = panel.get_by_role("link", name="Download the table as CSV")
    with page.expect_download() as download:
        link.click(timeout=WAIT)
    link.evaluate("link => link.remove()")  # the next answer brings another one
    [row] = rows_of(Path(download.value.path()))
    return [float(row[label]) for label in LABELS]


def test_everything_is_heard_against_the_voice_until_it_is_forgotten(page, model, mine, tmp_path):
    clip = voice(2.0, seed=5)
    soundfile.write(tmp_path / "clip.wav", clip, RATE, subtype="FLOAT")
    told, waveform = torch.from_numpy(soundfile.read(mine, dtype="float32")[0]), torch.from_numpy(clip)[None]
    adapted = model.adapt([told])
    with torch.no_grad():
        expected, before = (network(waveform).logits.softmax(-1)[0].numpy() for network in (adapted, model))
    assert np.abs(expected - before).max() > 0.01
    np.testing.assert_allclose(probabilities(page, tmp_path / "clip.wav"), before, atol=1e-4)
    tell(page, mine)
    sentence = page.locator("#voice .sentence")
    expect(sentence).to_have_text(
        re.compile("^I have heard 14 s of your voice. Until you leave the page"), timeout=WAIT
    )
    for tab in ("Batch", "Long recording"):
        np.testing.assert_allclose(probabilities(page, tmp_path / "clip.wav", tab), expected, atol=1e-4)
    page.get_by_role("tab", name="Clip").click()
    page.locator("#clip input[type=file]").set_input_files(str(tmp_path / "clip.wav"))
    expect(page.locator("#clip .bars")).to_contain_text(f"{100 * expected.max():.0f} %", timeout=WAIT)
    page.get_by_role("button", name="Forget my voice").click()
    expect(page.locator("#voice .hint")).to_be_visible(timeout=WAIT)
    np.testing.assert_allclose(probabilities(page, tmp_path / "clip.wav"), before, atol=1e-4)


@pytest.mark.parametrize(
    ("spoken", "words"),
    [
        (voice(2.0), "This lasts 2.0 s. Speak for 5 s or more, as you ordinarily do."),
        (np.zeros(8 * RATE), "holds only silence"),
        (0.2 * np.sin(2 * np.pi * 440 * np.arange(8 * RATE) / RATE), "holds only a steady tone"),
    ],
)
def test_what_is_no_voice_is_refused_in_a_sentence_and_the_one_before_it_is_forgotten(
    page, model, mine, tmp_path, spoken, words
):
    soundfile.write(tmp_path / "other.wav", spoken, RATE)
    tell(page, mine)
    expect(page.locator("#voice .sentence")).to_contain_text("of your voice", timeout=WAIT)
    tell(page, tmp_path / "other.wav")
    expect(page.locator("#voice .sentence")).to_contain_text(words, timeout=WAIT)
    with torch.no_grad():
        expected = model(torch.from_numpy(soundfile.read(mine, dtype="float32")[0])[None]).logits.softmax(-1)[0]
    np.testing.assert_allclose(probabilities(page, mine), expected.numpy(), atol=1e-4)


def test_a_voice_is_recorded(page):
    page.locator("#voice").get_by_role("button", name="Record").press("Enter")
    stop = page.locator("#voice").get_by_role("button", name=re.compile(r"Stop \(([89]|1\d)"))
    stop.click(timeout=WAIT)
    expect(page.locator("#voice .sentence")).to_contain_text(
        re.compile("I have heard [89]|1[0-9] s of your voice"), timeout=WAIT
    )


def test_a_checkpoint_that_was_exported_before_it_could_be_adapted(context, file_server, exported, tmp_path):
    old = shutil.copytree(exported, tmp_path / "old")
    description = json.loads((old / "onnx" / "model.json").read_text())
    del description["adapting"]
    (old / "onnx" / "model.json").write_text(json.dumps(description))
    settings = assemble(old, tmp_path / "page") / "settings.js"
    context.route("**/settings.js", lambda route: route.fulfill(path=settings))
    page = opened(context, file_server.url)
    expect(page.locator("#voice")).to_be_hidden()
