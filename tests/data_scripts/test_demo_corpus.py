from pathlib import Path

import numpy as np
import pytest
import soundfile
from datasets import load_dataset
from huggingface_hub import DatasetCard

from data_scripts import crema_d, demo_corpus, ravdess, tess
from data_scripts.corpora import CORPORA
from data_scripts.demo_corpus import build_demo_corpus, generator, voice_of
from data_scripts.source_files import SYNTHETIC_MARKER
from data_scripts.splits import split_of
from data_scripts.synthesis import PROSODIES, speak


@pytest.fixture(autouse=True)
def fewer_clips(monkeypatch):
    monkeypatch.setattr(demo_corpus, "RAVDESS_ACTORS", (5,))
    monkeypatch.setattr(demo_corpus, "TESS_WORDS", ("back",))
    monkeypatch.setattr(demo_corpus, "CREMA_D_ACTORS", (1001, 1002, 1009))
    monkeypatch.setattr(demo_corpus, "CREMA_D_SENTENCES", ("IEO",))
    monkeypatch.setattr(demo_corpus, "NEMO_ACTORS", {"EB0": "female", "MP0": "male"})
    monkeypatch.setattr(demo_corpus, "NEMO_SENTENCES", {"1": "Dom"})
    monkeypatch.setattr(demo_corpus, "EMOSPEECH_SPEAKERS", ("1cfb36", "4e520c"))
    monkeypatch.setattr(demo_corpus, "EMOSPEECH_WORDS", ("no",))


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_it_has_the_official_layouts_and_builds_into_a_dataset_called_synthetic(tmp_path):
    corpus = build_demo_corpus(tmp_path / "demo")
    assert corpus == tmp_path / "demo" / "corpus"
    raw = tmp_path / "demo" / "raw"
    for path, rate in (
        ("ravdess/Actor_05/03-01-05-01-02-01-05.wav", 48_000),
        ("tess/YAF_pleasant_surprise/YAF_back_ps.wav", 24_414),
        ("crema_d/AudioWAV/1009_IEO_ANG_HI.wav", 16_000),
        ("nemo/samples/EB0_sadness_1.wav", 24_000),
        (f"emospeech/House/no-safe-calm-1562998317870-{demo_corpus.hash_of('4e520c')}.wav", 16_000),
    ):
        info = soundfile.info(raw / path)
        assert (info.samplerate, info.subtype, info.channels) == (rate, "PCM_16", 1)
        assert 0.2 < info.duration < 6
    assert all((raw / name / SYNTHETIC_MARKER).is_file() for name in CORPORA)

    dataset = load_dataset(str(corpus), cache_dir=str(tmp_path / "cache"))
    assert {split: len(part) for split, part in dataset.items()} == {"train": 29, "validation": 6, "test": 13}
    (row,) = [row for row in dataset["train"].remove_columns("audio") if row["source_file"] == "1002_IEO_ANG_HI.wav"]
    assert (
        sum(row["votes"].values()) == 10 and 20 <= row["age"] < 75 and row["race"] is None and row["ethnicity"] is None
    )
    polish = load_dataset(str(corpus), "nemo", split="validation", cache_dir=str(tmp_path / "cache"))
    assert {(row["gender"], row["text"]) for row in polish.remove_columns("audio")} == {("male", "Dom.")}
    five = load_dataset(str(corpus), "extended", cache_dir=str(tmp_path / "cache"))
    assert {split: len(part) for split, part in five.items()} == {"train": 39, "validation": 16, "test": 13}
    card = DatasetCard.load(corpus / "README.md")
    assert "synthetic" in card.data.tags and card.data.license == ["cc0-1.0"] and "doi" not in card.content


def test_it_is_the_same_each_time_and_a_second_call_takes_what_is_there(tmp_path):
    corpus = build_demo_corpus(tmp_path / "demo")
    written = (corpus / "README.md").stat().st_mtime_ns
    assert build_demo_corpus(tmp_path / "demo") == corpus
    assert (corpus / "README.md").stat().st_mtime_ns == written
    build_demo_corpus(tmp_path / "again")
    assert content(tmp_path / "demo") == content(tmp_path / "again")


def test_another_version_is_replaced(tmp_path, monkeypatch):
    corpus = build_demo_corpus(tmp_path / "demo")
    monkeypatch.setattr(demo_corpus, "marker_text", lambda: "another version\n")
    monkeypatch.setattr(demo_corpus, "TESS_WORDS", ("bean",))
    build_demo_corpus(tmp_path / "demo")
    assert "OAF_bean_sad.wav" in (corpus / "clips.csv").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]


def test_a_failure_leaves_nothing(tmp_path, monkeypatch):
    def fail(*arguments):
        raise OSError("no space left on device")

    monkeypatch.setattr(demo_corpus, "write_crema_d_tables", fail)
    with pytest.raises(OSError):
        build_demo_corpus(tmp_path / "demo")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_something_else_is_not_replaced(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(ValueError, match="not a demo corpus"):
        build_demo_corpus(tmp_path)


def test_the_default_has_every_split_of_every_corpus_and_both_sexes(monkeypatch):
    monkeypatch.undo()
    clips = list(demo_corpus.paths().values())
    assert 400 <= len(clips) <= 750
    sides = {(clip.corpus, split_of(clip.corpus, clip.actor), clip.gender) for clip in clips}
    for corpus, splits in (("ravdess", 3), ("crema_d", 3)):
        assert len({side for side in sides if side[0] == corpus}) == 2 * splits
    assert len({side for side in sides if side[0] == "nemo"}) == 4
    assert not any(clip.label_conflict for clip in clips)


def say(clip) -> np.ndarray:
    return speak(clip.text, voice_of(clip), PROSODIES[clip.emotion], generator(clip.stem))


def test_the_voice_carries_the_emotion():
    spoken = {emotion: say(tess.parse(f"OAF_back_{code}")) for code, emotion in tess.EMOTION_CODES.items()}
    assert np.std(spoken["angry"]) > 2 * np.std(spoken["sad"])
    assert len(spoken["sad"]) > 1.2 * len(spoken["fearful"])
    for waveform in spoken.values():
        assert np.isfinite(waveform).all() and np.max(np.abs(waveform)) <= 1


def test_a_speaker_keeps_one_voice_and_men_speak_lower():
    assert voice_of(ravdess.parse("03-01-05-01-01-01-05")) == voice_of(ravdess.parse("03-01-03-01-02-01-05"))
    voices = [(clip.gender, voice_of(clip)) for clip in (crema_d.parse(f"{n}_DFA_ANG_XX") for n in range(1001, 1021))]
    men, women = ([voice.pitch for gender, voice in voices if gender == sex] for sex in ("male", "female"))
    assert max(men) < min(women)
