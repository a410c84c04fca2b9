"""Models that are broken, each refused in a line that names the file and the remedy."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from modeling.model_files import modules_elsewhere
from modeling.modeling_mel_cnn import MelCNNForAudioClassification
from modeling.predict import load_model
from tests.modeling.tiny import save_checkpoint
from tests.plain_words import assert_plain


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    save_checkpoint(folder, calibration_temperature=2.0, unsure_threshold=0.4)
    return folder


def cut(path):
    path.write_bytes(path.read_bytes()[:300])


def set_fields(path, **fields):
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def spoil_weights(path):
    weights = load_file(path)
    weights["classifier.weight"][0, 0] = float("nan")
    save_file(weights, path, metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("name", "spoil", "fact"),
    [
        ("model.safetensors", cut, r"model\.safetensors is cut off or damaged: its 300 bytes"),
        ("model.safetensors", lambda path: path.write_bytes(b""), "its 0 bytes are no weights"),
        ("model.safetensors", spoil_weights, "classifier.weight holds weights that are NaN or infinite"),
        ("config.json", cut, r"config\.json is no JSON"),
        ("config.json", lambda path: path.write_text("[]"), "holds list, not the fields"),
        ("config.json", lambda path: set_fields(path, width="wide"), "Field 'width' expected int, got str"),
        ("config.json", lambda path: set_fields(path, width=-3), "width is -3, but it has to be above 0"),
        ("config.json", lambda path: set_fields(path, calibration_temperature=float("nan")), "temperature is nan"),
        ("config.json", lambda path: set_fields(path, unsure_threshold=float("nan")), "threshold is nan"),
        ("config.json", lambda path: set_fields(path, auto_map=None), "has the auto_map null"),
        ("config.json", lambda path: set_fields(path, auto_map=[1]), r"has the auto_map \[1\]"),
        ("preprocessor_config.json", lambda path: set_fields(path, auto_map=["x"]), "has the auto_map"),
        ("preprocessor_config.json", lambda path: path.unlink(), "cannot be loaded"),
    ],
)
def test_a_broken_model_is_refused_in_a_line(whole, tmp_path, name, spoil, fact):
    folder = shutil.copytree(whole, tmp_path / "model")
    spoil(folder / name)
    with pytest.raises(ValueError, match=fact) as error:
        load_model(folder)
    assert "\n" not in str(error.value)
    assert_plain(str(error.value))


def test_code_elsewhere_is_found_in_lists_too(tmp_path):
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"auto_map": {"AutoTokenizer": [None, "a/b--c.D"]}}))
    assert modules_elsewhere(tmp_path) == ["a/b--c.D"]


def test_a_new_head_is_not_calibrated_by_the_old_ones_validation(whole):
    same = MelCNNForAudioClassification.from_pretrained(whole)
    assert (same.config.calibration_temperature, same.config.unsure_threshold) == (2.0, 0.4)
    tuned, info = MelCNNForAudioClassification.from_pretrained(
        whole, num_labels=3, ignore_mismatched_sizes=True, output_loading_info=True
    )
    assert info["mismatched_keys"]
    assert (tuned.config.calibration_temperature, tuned.config.unsure_threshold) == (1.0, 0.0)
    asked = MelCNNForAudioClassification.from_pretrained(
        whole, num_labels=3, ignore_mismatched_sizes=True, calibration_temperature=1.5
    )
    assert asked.config.calibration_temperature == 1.5


def test_calls_that_are_wrong_are_refused_and_others_answered(whole):
    model = MelCNNForAudioClassification.from_pretrained(whole).eval()
    clips, mask = 0.1 * torch.randn(2, 8_000), torch.ones(2, 8_000, dtype=torch.int64)
    for inputs, fact in [
        ((clips[:0],), "at least 1 clip"),
        ((clips, -mask), "other values than 0 and 1"),
        ((clips, 2 * mask), "other values than 0 and 1"),
        ((1e19 * clips,), "full scale is 1.0"),
        ((clips + float("nan"),), "not finite"),
        ((clips.int(),), "floating-point"),
    ]:
        with pytest.raises(ValueError, match=fact):
            model(*inputs)
    for window, hop in [(np.inf, 1.0), (1.0, np.inf), (np.nan, 1.0), (0.0, 1.0), (1.0, -1.0)]:
        with pytest.raises(ValueError, match="window"):
            model.timeline(clips[0], window, hop)
    for waveform in (clips, clips[0, :0], clips[0].int()):
        with pytest.raises(ValueError, match="n_samples"):
            model.timeline(waveform, 1.0, 1.0)


def test_nothing_behind_the_mask_is_heard(whole):
    model = MelCNNForAudioClassification.from_pretrained(whole).eval()
    clips, mask = 0.1 * torch.randn(2, 8_000), torch.ones(2, 8_000, dtype=torch.int64)
    mask[1, 5_000:] = 0
    expected = model(clips, mask).logits
    for value in (float("nan"), float("inf"), 1e30):
        torch.testing.assert_close(model(clips.masked_fill(mask == 0, value), mask).logits, expected)


def test_saliency_works_in_inference_mode(whole):
    model = MelCNNForAudioClassification.from_pretrained(whole).eval()
    waveform = 0.1 * torch.randn(1, 8_000)
    expected = model.saliency(waveform)
    with torch.inference_mode():
        inputs = {"input_values": waveform * 1, "attention_mask": torch.ones(1, 8_000)}
        torch.testing.assert_close(model.saliency(**inputs), expected)
