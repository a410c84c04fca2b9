"""What can be taken along: tables, labels, JSON, pictures."""

import base64
import io
import json
import re

import numpy as np
import pytest
import share
from hearing import Listener
from page import Page
from PIL import Image
from visitors import Visitors

from tests.space.made_up import LABELS

ROWS = [
    {
        "file": "=1+1.wav",
        "emotion": "sad",
        "sure": True,
        "probability": 0.75,
        "probabilities": {"happy": 0.25, "sad": 0.75},
    },
    {"file": "ü.wav", "problem": "ü.wav is empty."},
]


def test_a_table_opens_in_a_spreadsheet(listener):
    table = share.csv_table(["file"], ROWS, ["happy", "sad"], listener.model.csv_bytes)
    assert table.startswith(b"\xef\xbb\xbf")
    lines = table.decode("utf-8-sig").splitlines()
    assert lines[0] == "file,emotion,sure,problem,happy,sad"
    assert lines[1] == "'=1+1.wav,sad,yes,,0.25,0.75"
    assert lines[2] == "ü.wav,,,ü.wav is empty.,,"


def test_labels_for_audacity():
    rows = [
        {"start": 0, "end": 1.5, "emotion": "sad", "sure": True, "probability": 0.75},
        {"start": 1.5, "end": 3, "emotion": "happy", "sure": False, "probability": 0.3},
        {"start": 3, "end": 4, "emotion": "silence", "sure": None, "probability": None},
    ]
    assert share.audacity(rows).decode() == (
        "0.000000\t1.500000\tsad 0.75\n1.500000\t3.000000\tnot sure (happy) 0.30\n3.000000\t4.000000\tsilence\n"
    )


@pytest.fixture
def page(listener: Listener, tmp_path) -> Page:
    return Page(listener, Visitors(tmp_path))


class Request:
    session_hash = "somebody"


def test_a_clip_is_a_picture_and_json_with_its_figures(page, clips):
    heard = page._clip(str(clips["happy.wav"]), Request())
    with Image.open(io.BytesIO(share.picture(heard))) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    assert pixels.shape[1] == share.WIDTH and len(np.unique(pixels.reshape(-1, 3), axis=0)) > 100
    known = json.loads(share.clip_json(heard))
    assert known["emotion"] == "happy" and list(known["probabilities"]) == LABELS
    assert known["seconds"] == 2 and known["median_pitch"] == pytest.approx(600, rel=0.1)
    assert known["worth"] == heard.worth and "in 100" in heard.worth


def test_two_clips_are_compared_and_their_differences_are_figures(page, clips):
    shown = page.show_comparison(str(clips["sad.wav"]), str(clips["happy.wav"]), Request())
    words = " ".join(re.sub("<[^>]+>", " ", shown).split())
    assert "Sad" in words and "Happy" in words
    assert re.search(r"median pitch 1\d\d Hz [56]\d\d Hz \+2\d\.\d semitones", words)
    assert re.search(r"happy \d+% \d+% \+\d+ points", words)
    assert page.show_comparison(str(clips["sad.wav"]), None, Request()).startswith('<p class="hint">')


def test_a_recording_can_be_taken_along_three_ways(page, clips):
    shown = page.show_recording(str(clips["long.wav"]), 3, 3, False, Request())
    files = dict(re.findall(r'download="([^"]+)" href="data:[^;]+;base64,([^"]+)"', shown))
    assert set(files) == {"timeline.csv", "labels.txt", "timeline.json"}
    contents = {name: base64.b64decode(content).decode("utf-8-sig") for name, content in files.items()}
    assert len(contents["timeline.csv"].splitlines()) == 31
    assert len(contents["labels.txt"].splitlines()) == len(json.loads(contents["timeline.json"])["windows"]) == 30
