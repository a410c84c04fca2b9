"""The configuration: what it derives, what it refuses, and that JSON keeps it."""

import json

import pytest

from modeling.configuration_mel_cnn import MelCNNConfig


def test_json_keeps_every_field(tmp_path):
    config = MelCNNConfig(n_mels=80, depths=(2, 2), id2label={0: "calm", 1: "angry"}, label2id={"calm": 0, "angry": 1})
    config.save_pretrained(tmp_path)
    loaded = MelCNNConfig.from_pretrained(tmp_path)
    assert loaded.to_dict() == config.to_dict()
    assert loaded.id2label == {0: "calm", 1: "angry"}
    config.to_json_file(tmp_path / "file.json")
    assert MelCNNConfig.from_json_file(tmp_path / "file.json").to_dict() == config.to_dict()
    assert json.loads(config.to_json_string())["n_mels"] == 80


def test_number_of_labels():
    config = MelCNNConfig(num_labels=33)
    assert len(config.id2label) == len(config.label2id) == 33
    config.num_labels = 3
    assert len(config.id2label) == len(config.label2id) == 3


def test_auto_classes_are_named():
    assert MelCNNConfig().auto_map["AutoModel"] == "modeling_mel_cnn.MelCNNModel"


def test_plain_network_has_three_stages_and_a_window():
    plain = MelCNNConfig(architecture="plain", window_duration=2.5)
    assert plain.n_stages == 3
    assert plain.window_length == 40_000
    assert MelCNNConfig(depths=(1, 1)).n_stages == 2
    assert MelCNNConfig().window_length is None


@pytest.mark.parametrize(
    ("options", "facts"),
    [
        ({"n_fft": 512, "win_length": 800}, ["800", "512", "raise n_fft"]),
        ({"f_max": 9_000}, ["9000", "8000"]),
        ({"f_min": 5_000, "f_max": 4_000}, ["5000", "4000"]),
        ({"f_min": -1}, ["-1"]),
        ({"n_mels": 0}, ["n_mels is 0", "above 0"]),
        ({"calibration_temperature": 0}, ["calibration_temperature is 0"]),
        ({"log_floor": 0.0}, ["log_floor is 0"]),
        ({"hop_length": -160}, ["hop_length is -160"]),
        ({"depths": ()}, ["depths", "at least 1 stage"]),
        ({"depths": (1, 0)}, ["depths", "at least 1 block"]),
    ],
)
def test_impossible_values_are_refused(options, facts):
    with pytest.raises(ValueError) as error:
        MelCNNConfig(**options)
    for fact in facts:
        assert fact in str(error.value)


@pytest.mark.parametrize("options", [{"architecture": "transformer"}, {"width": "32"}, {"n_mels": 64.5}])
def test_wrong_types_are_refused(options):
    with pytest.raises(Exception, match=next(iter(options))):
        MelCNNConfig(**options)
