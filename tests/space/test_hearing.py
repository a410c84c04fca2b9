"""The answers of a checkpoint: clips, files, recordings, the microphone."""

import json
import shutil

import hearing
import numpy as np
import pytest
import soundfile
from sound import load

from modeling.predict import CHECKPOINT
from tests.space.conftest import LABELS, RATE, SPACE, hum


def test_answers_agree_with_the_checkpoint_itself(listener, clips):
    waveform = load(clips["sad.wav"], RATE)
    inputs = listener.feature_extractor(waveform, sampling_rate=RATE, return_tensors="pt")
    expected = listener.model(**inputs).logits[0].softmax(-1).tolist()
    answer = listener.hear(waveform)
    assert list(answer.probabilities) == LABELS
    assert list(answer.probabilities.values()) == pytest.approx(expected, abs=1e-4)
    assert answer.as_row()["emotion"] == "sad"
    assert sum(answer.as_row()["probabilities"].values()) == pytest.approx(1, abs=1e-3)


def test_the_checkpoint_of_this_repository_hears_the_examples_as_they_are_named():
    examples = sorted(str(path) for path in (SPACE / "examples").iterdir())
    for answer in hearing.Listener(str(CHECKPOINT)).hear_files(examples):
        assert answer["sure"] and answer["emotion"] == answer["file"].partition("_")[0]


def test_below_the_threshold_it_is_not_sure():
    answer = hearing.Answer({"happy": 0.39, "sad": 0.61}, unsure_threshold=0.7)
    assert (answer.emotion, answer.sure) == ("sad", False)
    assert hearing.Answer({"happy": 0.39, "sad": 0.61}, unsure_threshold=0.6).sure


def test_evidence_lies_on_the_frames_of_the_spectrogram(listener, clips):
    waveform = load(clips["happy.wav"], RATE)
    evidence = listener.explain(waveform, listener.hear(waveform))
    config = listener.config
    n_frames = 2 * RATE // config.hop_length + 1
    assert evidence.spectrogram.shape == evidence.evidence.shape == (config.n_mels, n_frames)
    assert evidence.evidence.min() >= 0
    assert evidence.evidence.max() <= 1


def test_a_timeline_follows_the_emotions_and_marks_silence(listener, clips):
    timeline = listener.follow(clips["long.wav"], 3, 3)
    emotions = [row["emotion"] for row in timeline.as_rows()]
    assert len(emotions) == 30
    assert emotions[:9] == ["sad"] * 9
    assert emotions[11:19] == ["silence"] * 8
    assert emotions[21:] == ["happy"] * 9
    assert sum(timeline.overall.values()) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(("window", "step"), [(0, 3), (3, 0), (3, -1), (31, 3), (float("nan"), 3), (None, 3)])
def test_a_window_out_of_range_is_a_sentence(listener, clips, window, step):
    with pytest.raises(ValueError, match="0.5 to 30.0 s are possible"):
        listener.follow(clips["long.wav"], window, step)


def test_one_bad_file_does_not_stop_the_others(listener, clips):
    rows = listener.hear_files([str(clips[name]) for name in ("happy.wav", "empty.wav", "sad.wav")])
    assert [row.get("emotion") for row in rows] == ["happy", None, "sad"]
    assert rows[1] == {"file": "empty.wav", "problem": "This file is empty. Record again, or choose another file."}


def test_the_microphone_hears_silence_and_then_a_voice(listener, tmp_path):
    microphone, heard = hearing.Microphone(), []
    for seconds, waveform in enumerate([np.zeros(48_000), hum(150, 1, rate=48_000), hum(150, 1, rate=48_000)]):
        soundfile.write(tmp_path / f"{seconds}.wav", waveform, 48_000)
        microphone.answered = 0.0
        assert microphone.hear(str(tmp_path / f"{seconds}.wav"), listener)
        answer = microphone.history[-1][1]
        heard.append(answer and answer.emotion)
    assert heard == [None, "sad", "sad"]
    assert len(microphone.sound) <= hearing.LIVE_WINDOW * 48_000


def test_the_microphone_answers_now_and_then_but_at_once_when_a_voice_begins(listener, tmp_path):
    microphone, answered = hearing.Microphone(), []
    pieces = [np.zeros(0), *[np.zeros(4_800)] * 3, *[hum(150, 0.2, rate=48_000)] * 3]
    for number, piece in enumerate(pieces):
        soundfile.write(tmp_path / f"{number}.wav", piece, 48_000)
        answered.append(microphone.hear(str(tmp_path / f"{number}.wav"), listener))
    assert answered[:2] == [False, True]
    assert not any(answered[2:4])
    assert answered[4]
    assert [answer and answer.emotion for _, answer in microphone.history][:2] == [None, "sad"]


def test_a_checkpoint_without_an_evaluation_is_served_all_the_same(checkpoint, tmp_path):
    folder = shutil.copytree(checkpoint, tmp_path / "bare")
    (folder / "evaluation.json").unlink()
    (folder / "README.md").unlink()
    listener = hearing.Listener(str(folder))
    assert (listener.evaluation, listener.licences, listener.datasets, listener.terms) == (None, [], [], "")


def test_a_card_states_one_licence_and_dataset_or_several(checkpoint, tmp_path):
    folder = shutil.copytree(checkpoint, tmp_path / "model")
    metadata = "---\nlicense: [odbl, mit]\ndatasets: alice/voices\n---\n"
    (folder / "README.md").write_text(
        f"{metadata}\n# A model\n\n## Licence\n\nThe data are\nunder odbl.\n\nAnd so on.\n"
    )
    listener = hearing.Listener(str(folder))
    assert (listener.licences, listener.datasets) == (["odbl", "mit"], ["alice/voices"])
    assert listener.terms == "The data are\nunder odbl."


@pytest.mark.parametrize("model_id", ["owner/name", "no-such-folder"])
def test_a_checkpoint_on_the_hub_is_pinned(model_id):
    with pytest.raises(ValueError, match="owner/name@commit"):
        hearing.Listener(model_id)


def test_a_folder_without_a_checkpoint_is_named(tmp_path):
    with pytest.raises(ValueError, match="holds no checkpoint"):
        hearing.Listener(str(tmp_path))


def test_rows_can_be_written_as_json(listener, clips):
    rows = [
        listener.hear(load(clips["happy.wav"], RATE)).as_row(),
        *listener.follow(clips["long.wav"], 3, 3).as_rows(),
    ]
    assert json.loads(json.dumps(rows)) == rows
