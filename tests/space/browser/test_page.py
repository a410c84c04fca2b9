"""The page in a real browser: every tab, and that it says what PyTorch says."""

import csv
import io
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from playwright.sync_api import Locator, Page, expect

from modeling.feature_extraction_mel_cnn import MelCNNFeatureExtractor
from tests.modeling.tiny import voice
from tests.space.browser.conftest import WAIT
from tests.space.conftest import LABELS, RATE, hum, required


def panel(page: Page) -> Locator:
    return page.locator("[role=tabpanel]:visible")


def choose(page: Page, *paths) -> None:
    panel(page).locator("input[type=file]").set_input_files([str(path) for path in paths])


def headline(page: Page) -> Locator:
    return panel(page).locator(".headline")


def table(page: Page) -> list[dict[str, str]]:
    """The CSV that the page offers."""
    with page.expect_download() as download:
        panel(page).get_by_role("link", name="Download the table as CSV").click()
    return rows_of(Path(download.value.path()))


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"))))


def voices(folder: Path) -> list[Path]:
    """Ten, from a third of a second to four seconds."""
    paths = [folder / f"{seed}.{'flac' if seed % 2 else 'wav'}" for seed in range(10)]
    for seed, path in enumerate(paths):
        soundfile.write(path, voice(0.3 + 0.4 * seed, seed=seed), RATE)
    return paths


def assert_heard_as_by_pytorch(rows: list[dict[str, str]], paths: list[Path], model) -> None:
    assert [row["path"] for row in rows] == [path.name for path in paths]
    for row, path in zip(rows, paths, strict=True):
        waveform = torch.from_numpy(soundfile.read(path, dtype="float32")[0])
        with torch.no_grad():
            expected = model(waveform[None]).logits.softmax(-1)[0]
        heard = [float(row[label]) for label in LABELS]
        np.testing.assert_allclose(heard, expected.numpy(), atol=1e-4)
        assert row["emotion"] == LABELS[expected.argmax()]
        assert float(row["end"]) == pytest.approx(len(waveform) / RATE)
        assert (row["sure"] == "True") == (expected.max().item() >= model.config.unsure_threshold)


def test_ten_voices_are_heard_as_by_pytorch(visit, model, tmp_path):
    paths = voices(tmp_path)
    page = visit("Batch")
    choose(page, *paths)
    expect(headline(page)).to_contain_text("10 of 10 clips heard", timeout=WAIT)
    assert_heard_as_by_pytorch(table(page), paths, model)


def test_other_rates_channels_codecs_and_films(visit, model, clips, tmp_path):
    ffmpeg = required("ffmpeg")
    made = {}
    for name, options in {
        "high.wav": ["-ar", "44100"],
        "sound.m4a": ["-ar", "48000", "-c:a", "aac"],
        "opus.webm": ["-c:a", "libopus"],
        "film.mp4": ["-f", "lavfi", "-i", "testsrc=duration=2:size=64x64:rate=5", "-pix_fmt", "yuv420p", "-shortest"],
    }.items():
        made[name] = tmp_path / name
        command = [ffmpeg, "-v", "error", "-i", str(clips["happy.wav"]), *options, str(made[name])]
        subprocess.run(command, check=True, timeout=60)
    same = [clips[name] for name in ("happy.wav", "happy.mp3", "happy.ogg", "stereo.wav")] + list(made.values())
    page = visit("Batch")
    choose(page, *same, clips["phone.wav"])
    expect(headline(page)).to_contain_text("9 of 9 clips heard", timeout=WAIT)
    *rows, phone = table(page)
    with torch.no_grad():
        clip = torch.from_numpy(MelCNNFeatureExtractor().read(clips["happy.wav"]))
        expected = model(clip[None]).logits.softmax(-1)[0].numpy()
    for row in rows:
        # Codecs take something away, and others resample in another way.
        np.testing.assert_allclose([float(row[label]) for label in LABELS], expected, atol=0.05, err_msg=row["path"])
    assert phone["emotion"] == "happy"


def test_a_clip_is_answered_with_bars_and_tracks(visit, clips):
    page = visit("Clip")
    choose(page, clips["happy.wav"])
    expect(headline(page)).to_contain_text("Happy", timeout=WAIT)
    expect(panel(page).locator(".bars tbody tr")).to_have_count(len(LABELS))
    shares = [int(text.split()[0]) for text in panel(page).locator(".bars .figure").all_inner_texts()]
    assert sum(shares) == pytest.approx(100, abs=4)
    for name in ("Waveform", "Mel spectrogram", "Loudness"):
        expect(panel(page).locator("figure").filter(has_text=name)).to_be_visible()
    marks = panel(page).locator("img.marks")
    expect(marks).to_be_visible()
    panel(page).get_by_label("Show what spoke for").uncheck()
    expect(marks).not_to_be_visible()
    panel(page).locator(".frame").first.click(position={"x": 100, "y": 20})
    expect(panel(page).locator(".now")).to_contain_text("happy")


def test_recording_oneself(visit):
    page = visit("Clip")
    for _ in range(2):
        panel(page).get_by_role("button", name="Record").click()
        expect(panel(page).get_by_role("button", name=re.compile(r"Stop \([2-9]"))).to_be_visible(timeout=WAIT)
        panel(page).get_by_role("button", name="Stop").click()
        expect(headline(page)).to_be_visible(timeout=WAIT)
        expect(panel(page).get_by_role("button", name="Record")).to_be_visible()


def test_live(visit):
    page = visit("Live")
    panel(page).get_by_role("button", name="Listen").click()
    heard = headline(page)
    for emotion in ("Sad", "Silence", "Happy"):  # what the microphone hears, in turn
        expect(heard).to_contain_text(emotion, timeout=WAIT)
    panel(page).get_by_role("button", name="Stop").click()
    expect(panel(page).get_by_role("button", name="Listen")).to_be_visible()
    assert panel(page).locator(".stack rect").count() > 5


def test_a_long_recording_is_the_timeline_of_the_model(visit, model, clips):
    page = visit("Long recording")
    choose(page, clips["long.wav"])
    expect(headline(page)).to_contain_text("30 windows, 10 of them without a voice", timeout=WAIT)
    rows = table(page)
    waveform = torch.from_numpy(soundfile.read(clips["long.wav"], dtype="float32")[0])
    spans, probabilities = model.timeline(waveform, 3.0, 3.0)
    assert [(float(row["start"]), float(row["end"])) for row in rows] == [tuple(span) for span in spans.tolist()]
    for row, expected in zip(rows, probabilities.numpy(), strict=True):
        if row["emotion"] != "silence":
            np.testing.assert_allclose([float(row[label]) for label in LABELS], expected, atol=1e-4)
    step = panel(page).get_by_label("Step")
    step.focus()
    step.press("End")  # ten seconds
    expect(headline(page)).to_contain_text("10 windows", timeout=WAIT)


def test_what_cannot_be_heard_is_a_sentence(visit, clips):
    page = visit("Clip")
    for name, words in {
        "empty.wav": "This file is empty",
        "broken.wav": "I cannot read this file as audio",
        "text.mp3": "I cannot read this file as audio",
        "short.wav": "at least 0.1 s is needed",
        "silent.wav": "holds only silence",
        "endless.flac": "60 s is the most here",
    }.items():
        choose(page, clips["happy.wav"])
        expect(headline(page)).to_be_visible(timeout=WAIT)
        choose(page, clips[name])
        expect(panel(page).locator(".sentence")).to_contain_text(words, timeout=WAIT)
        expect(headline(page)).to_have_count(0)
    page.get_by_role("tab", name="Batch").click()
    choose(page, clips["happy.wav"], clips["broken.wav"])
    expect(headline(page)).to_contain_text("1 of 2 clips heard", timeout=WAIT)
    assert "I cannot read this file" in table(page)[1]["problem"]


def test_file_names_are_texts(visit, tmp_path):
    """Neither markup on the page nor formulas in the table."""
    path = tmp_path / "=<img src=x onerror=alert(1)>.wav"
    soundfile.write(path, hum(600, 1), RATE)
    page = visit("Batch")
    choose(page, path)
    expect(headline(page)).to_contain_text("1 of 1 clips heard", timeout=WAIT)
    expect(panel(page).locator(".file")).to_have_text(path.name)
    assert table(page)[0]["path"] == f"'{path.name}"


def test_about(visit):
    page = visit("About")
    expect(panel(page)).to_contain_text("What it must not be used for")
    expect(panel(page)).to_contain_text("It stays on your device")
    expect(panel(page)).to_contain_text("64.1%")  # of evaluation.json
    expect(panel(page)).not_to_contain_text("gradio_client")
