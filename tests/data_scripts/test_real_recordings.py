"""The build on untouched originals and on CREMA-D's own tables, where they are at hand."""

import csv
import io
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile

from data_scripts import emospeech, nemo
from data_scripts.build import build
from data_scripts.corpora import completeness


def quiet(line: str) -> None:
    pass


def test_the_irregular_originals(real_corpora, tmp_path):
    originals = real_corpora.parent / "originals"
    if not originals.is_dir():
        pytest.skip(f"no untouched originals in {originals}")
    folders = {}
    for path in originals.iterdir():
        corpus = "ravdess" if "-" in path.stem else "crema_d" if path.stem[0] == "1" else "tess"
        folders[corpus] = tmp_path / corpus
        folders[corpus].mkdir(exist_ok=True)
        shutil.copy(path, folders[corpus])
    output = build(folders, tmp_path / "corpus", allow_partial=True, report=quiet)
    rows = {row["source_file"]: row for path in output.rglob("*.parquet") for row in pq.read_table(path).to_pylist()}
    assert "1076_MTI_SAD_XX.wav" not in rows
    assert rows["1006_TIE_HAP_XX.wav"]["label_conflict"] and rows["1006_TIE_NEU_XX.wav"]["label_conflict"]
    assert rows["OAF_food_fear.wav"]["source_sampling_rate"] == 96_000
    assert rows["OA_bite_neutral.wav"]["speaker_id"] == "tess_OAF"
    stereo, _ = soundfile.read(originals / "03-01-02-01-01-02-01.wav")
    row = rows["03-01-02-01-01-02-01.wav"]
    assert stereo.shape[1] == 2 and row["duration"] == pytest.approx(len(stereo) / 48_000, abs=1e-4)
    original, _ = soundfile.read(originals / "1002_DFA_ANG_XX.wav", dtype="int16")
    decoded, _ = soundfile.read(io.BytesIO(rows["1002_DFA_ANG_XX.wav"]["audio"]["bytes"]), dtype="int16")
    assert np.array_equal(original, decoded)


def test_real_recordings_carry_the_values_of_the_real_tables(real_corpora, tmp_path):
    source = real_corpora / "crema_d"
    folder = tmp_path / "crema_d"
    for path in (
        *source.glob("AudioWAV/1002_IEO_*"),
        source / "VideoDemographics.csv",
        *source.glob("processedResults/tab*"),
    ):
        target = folder / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    output = build({"crema_d": folder}, tmp_path / "corpus", allow_partial=True, report=quiet)
    with open(output / "clips.csv", newline="") as file:
        rows = {Path(row["source_file"]).stem: row for row in csv.DictReader(file)}
    assert len(rows) == 16
    row = rows["1002_IEO_ANG_LO"]
    assert (row["age"], row["gender"], row["intensity"]) == ("21", "female", "low")
    assert [row[f"votes_{emotion}"] for emotion in ("angry", "disgust", "fearful")] == ["7", "2", "1"]
    assert 1 < float(row["duration"]) < 5


def test_copies_of_the_other_peoples_corpora_are_whole_by_name(real_corpora):
    foreign = real_corpora.parent / "foreign"
    if not foreign.is_dir():
        pytest.skip(f"no copies of nEMO and Indian EmoSpeech in {foreign}")
    for facts, folder, n_clips in ((nemo, "nemo", 4_481), (emospeech, "commands", 1_667)):
        clips = facts.records(foreign / folder, quiet)
        count, complete = completeness(facts, clips)
        assert complete and len(clips) == n_clips, count
        assert Counter(clip.emotion for clip in clips) == facts.EXPECTED["emotions"]
    polish = {clip.stem: clip for clip in nemo.records(foreign / "nemo", quiet)}
    assert all(clip.gender and clip.age and clip.text for clip in polish.values())
    women = {clip.actor for clip in polish.values() if clip.gender == "female"}
    assert women == {"EB0", "IC0", "KD0", "MK0"} and polish["WR0_surprised_64"].age == 23
