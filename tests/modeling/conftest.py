"""A tiny checkpoint, and some recordings to predict."""

import numpy as np
import pytest
import soundfile

from modeling.loading import load_model
from tests.modeling.tiny import save_checkpoint, voice


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    save_checkpoint(folder)
    return folder


@pytest.fixture(scope="module")
def loaded(checkpoint):
    return load_model(checkpoint)


@pytest.fixture
def recordings(tmp_path, monkeypatch):
    """Three clips of different formats, rates and channels, in folders, beside other files; the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clips" / "deep").mkdir(parents=True)
    soundfile.write("clips/a.wav", voice(1.0), 16_000, subtype="FLOAT")
    soundfile.write("clips/B.FLAC", np.stack([voice(0.5, 44_100)] * 2, axis=1), 44_100)
    soundfile.write("clips/deep/c.ogg", voice(2.0, 8_000), 8_000)
    (tmp_path / "clips" / "notes.txt").write_text("none of this is audio")
    (tmp_path / "clips" / "._a.wav").write_bytes(b"what a file manager left")
    return tmp_path
