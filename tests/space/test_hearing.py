"""The answers of a checkpoint to clips and files."""

import json
import shutil

import hearing
import pytest
import torch
from advice import UNLIKE
from checkpoint import Record
from following import follow
from sent import Sent
from sound import load

from tests.space.made_up import LABELS, RATE


def test_answers_agree_with_the_checkpoint_itself(listener, clips):
    waveform = load(clips["sad.wav"], listener.feature_extractor)
    inputs = listener.feature_extractor(waveform, sampling_rate=RATE, return_tensors="pt")
    expected = listener.model(**inputs).logits[0].softmax(-1).tolist()
    answer = listener.hear(waveform)
    assert list(answer.probabilities) == LABELS
    assert list(answer.probabilities.values()) == pytest.approx(expected, abs=1e-4)
    assert answer.as_row()["emotion"] == "sad"
    assert sum(answer.as_row()["probabilities"].values()) == pytest.approx(1, abs=1e-3)


def test_below_the_threshold_it_is_not_sure():
    answer = hearing.Answer({"happy": 0.39, "sad": 0.61}, unsure_threshold=0.7)
    assert (answer.emotion, answer.sure) == ("sad", False)
    assert hearing.Answer({"happy": 0.39, "sad": 0.61}, unsure_threshold=0.6).sure


def test_evidence_lies_on_the_frames_of_the_spectrogram(listener, clips):
    waveform = load(clips["happy.wav"], listener.feature_extractor)
    evidence = listener.explain(waveform, listener.hear(waveform))
    config = listener.config
    n_frames = 2 * RATE // config.hop_length + 1
    assert evidence.spectrogram.shape == evidence.evidence.shape == (config.n_mels, n_frames)
    assert evidence.evidence.min() >= 0
    assert evidence.evidence.max() <= 1


def test_one_bad_file_does_not_stop_the_others(listener, clips):
    names = ("happy.wav", "empty.wav", "tone.wav", "sad.wav")
    rows = listener.hear_files([Sent(str(clips[name]), f"my {name}") for name in names])
    assert [row.get("emotion") for row in rows] == ["happy", None, None, "sad"]
    assert [row["file"] for row in rows] == [f"my {name}" for name in names]
    assert "empty.wav is empty" in rows[1]["problem"]
    assert "tone.wav holds only a steady tone" in rows[2]["problem"]


def test_a_checkpoint_without_an_evaluation_is_served_all_the_same(checkpoint, tmp_path):
    folder = shutil.copytree(checkpoint, tmp_path / "bare")
    (folder / "evaluation.json").unlink()
    (folder / "study.json").unlink()
    (folder / "README.md").unlink()
    assert hearing.Listener(str(folder)).record == Record()


def test_a_card_states_one_licence_and_dataset_or_several(checkpoint, tmp_path):
    folder = shutil.copytree(checkpoint, tmp_path / "model")
    metadata = "---\nlicense: [odbl, mit]\ndatasets: alice/voices\n---\n"
    (folder / "README.md").write_text(
        f"{metadata}\n# A model\n\n## Licence\n\nThe data are\nunder odbl.\n\nAnd so on.\n"
    )
    record = Record.of(str(folder), None)
    assert (record.licences, record.datasets) == (["odbl", "mit"], ["alice/voices"])
    assert record.terms == "The data are\nunder odbl."


@pytest.mark.parametrize("model_id", ["owner/name", "no-such-folder"])
def test_a_checkpoint_on_the_hub_is_pinned(model_id):
    with pytest.raises(ValueError, match="owner/name@commit"):
        hearing.Listener(model_id)


def test_a_folder_without_a_checkpoint_is_named(tmp_path):
    with pytest.raises(ValueError, match="holds no checkpoint"):
        hearing.Listener(str(tmp_path))


def test_rows_can_be_written_as_json(listener, clips):
    rows = [
        listener.hear(load(clips["happy.wav"], listener.feature_extractor)).as_row(),
        *follow(listener, clips["long.wav"], 3, 3)[0].as_rows(),
    ]
    assert json.loads(json.dumps(rows)) == rows


def test_a_checkpoint_that_says_how_unlike_a_sound_is_is_listened_to(listener, clips, monkeypatch):
    """The checkpoint of the tests does not say it, so nothing is said."""
    waveform = load(clips["sad.wav"], listener.feature_extractor)
    assert UNLIKE not in listener.hear(waveform).advice
    forward = listener.model.forward

    def telling(unlikeness):
        def told(*arguments, **named):
            outputs = forward(*arguments, **named)
            outputs["unlikeness"] = torch.tensor([unlikeness])
            return outputs

        return told

    for unlikeness in (0.9, 1.1):
        monkeypatch.setattr(listener.model, "forward", telling(unlikeness))
        assert (UNLIKE in listener.hear(waveform).advice) == (unlikeness > 1)
