"""The feature extractor: what it refuses and says, how it pads, and that it is a transformers extractor like others."""

import json

import numpy as np
import pytest
import torch

from modeling.feature_extraction_mel_cnn import MelCNNFeatureExtractor
from tests.modeling.tiny import voice

RATE = 16_000


@pytest.fixture
def extractor() -> MelCNNFeatureExtractor:
    return MelCNNFeatureExtractor()


@pytest.fixture
def clips() -> list[np.ndarray]:
    return [voice(samples / RATE, seed=samples) for samples in (800, 1000, 1200)]


@pytest.mark.parametrize("rate", [None, 44_100, 8_000, 48_000.0])
def test_missing_or_wrong_rate_is_refused(extractor, rate):
    with pytest.raises(ValueError) as error:
        extractor(voice(0.1), sampling_rate=rate)
    for fact in ("16000 Hz", "no sampling_rate" if rate is None else f"{rate} Hz", "feature_extractor.read"):
        assert fact in str(error.value)


@pytest.mark.parametrize(
    ("speech", "facts"),
    [
        (np.zeros((2, RATE), np.float32), ["(2, 16000)", "mono", "average"]),
        (np.zeros((RATE, 2), np.float32), ["(16000, 2)", "mono"]),
        (np.zeros((RATE, 1), np.float32), ["(16000, 1)", "mono"]),
        (np.zeros((RATE, 6), np.float32), ["(16000, 6)", "mono"]),
        (torch.zeros(2, RATE), ["(2, 16000)", "mono"]),
        ([np.zeros((2, RATE), np.float32)], ["(2, 16000)", "mono"]),
        (np.zeros((2, 3, 100), np.float32), ["(2, 3, 100)"]),
        (np.float32(0.5), ["()"]),
        (np.zeros(0, np.float32), ["0 samples", "at least 1"]),
        ([np.zeros(9, np.float32), np.zeros(0, np.float32)], ["0 samples"]),
        ([], ["0 waveforms", "at least 1"]),
        (np.array([0.1, np.nan, 0.2, np.nan]), ["2 of", "4 samples", "NaN"]),
        (np.array([0.1, np.inf, 0.2]), ["1 of", "3 samples", "infinite"]),
        ([[0.1, float("-inf")]], ["1 of", "2 samples"]),
        (np.zeros(RATE, np.int16), ["int16", "32768"]),
        (np.zeros(RATE, np.int32), ["int32", "floats"]),
        ([0, 1, 2], ["int64", "floats"]),
        (np.zeros(RATE, bool), ["bool", "floats"]),
        (1e4 * voice(0.1), ["peak", "1.0", "32768"]),
        (np.array([1e300, 0.0]), ["1e+300", "1.0"]),
        ("clip.wav", ["()"]),
        ([[0.1, 0.2], [0.1, [0.2]]], ["differ in length or kind"]),
    ],
)
def test_bad_audio_is_refused_with_fact_and_remedy(extractor, speech, facts):
    with pytest.raises(ValueError) as error:
        extractor(speech, sampling_rate=RATE)
    for fact in facts:
        assert fact in str(error.value)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_tensors_in_any_precision_with_gradients(extractor, dtype):
    speech = torch.from_numpy(voice(0.1)).to(dtype).requires_grad_()
    for batch in (speech, [speech], speech[None]):
        values = extractor(batch, sampling_rate=RATE, return_tensors="np")["input_values"]
        assert values.dtype == np.float32
        np.testing.assert_allclose(values[0], voice(0.1), atol=0.01)


def test_padding_to_a_multiple_of_nothing_is_refused(extractor):
    with pytest.raises(ValueError, match="pad_to_multiple_of is 0"):
        extractor(voice(0.1), sampling_rate=RATE, pad_to_multiple_of=0)


def test_misspelt_argument_is_refused(extractor):
    with pytest.raises(TypeError, match="return_tensor"):
        extractor(voice(0.1), sampling_rate=RATE, return_tensor="pt")


def test_values_arrive_unchanged(extractor, clips):
    batch = extractor(clips, sampling_rate=RATE, return_tensors="np")
    assert batch["input_values"].shape == batch["attention_mask"].shape == (3, 1200)
    assert batch["attention_mask"].sum(-1).tolist() == [800, 1000, 1200]
    for row, mask, clip in zip(batch["input_values"], batch["attention_mask"], clips, strict=True):
        np.testing.assert_array_equal(row[mask == 1], clip)
        assert not row[mask == 0].any()


@pytest.mark.parametrize("convert", [list, np.ndarray.tolist, torch.from_numpy, lambda clip: clip.astype(np.float64)])
def test_kinds_of_waveforms_are_equal(extractor, clips, convert):
    expected = extractor(clips, sampling_rate=RATE, return_tensors="np")["input_values"]
    converted = extractor([convert(clip) for clip in clips], sampling_rate=RATE, return_tensors="np")["input_values"]
    assert converted.dtype == np.float32
    np.testing.assert_array_equal(converted, expected)
    one = extractor(convert(clips[0]), sampling_rate=RATE, return_tensors="np")["input_values"]
    np.testing.assert_array_equal(one, clips[0][None])


def test_array_that_cannot_be_stereo_is_a_batch(extractor):
    rows = [voice(0.05, seed=seed) for seed in range(3)]
    expected = extractor(rows, sampling_rate=RATE, return_tensors="np")["input_values"]
    for batch in (np.stack(rows), torch.from_numpy(np.stack(rows))):
        values = extractor(batch, sampling_rate=RATE, return_tensors="np")["input_values"]
        np.testing.assert_array_equal(values, expected)
    assert extractor(rows[0][None], sampling_rate=RATE, return_tensors="np")["input_values"].shape == (1, 800)


def test_padding_and_truncation(extractor, clips):
    def shape(**options):
        batch = extractor(clips, sampling_rate=RATE, return_tensors="np", **options)
        return batch["input_values"].shape, batch["attention_mask"].sum(-1).tolist()

    assert shape(padding="longest") == ((3, 1200), [800, 1000, 1200])
    assert shape(padding="max_length", max_length=2000) == ((3, 2000), [800, 1000, 1200])
    assert shape(padding="max_length", max_length=1000, truncation=True) == ((3, 1000), [800, 1000, 1000])
    assert shape(padding="longest", max_length=2000, truncation=True) == ((3, 1200), [800, 1000, 1200])
    assert shape(pad_to_multiple_of=512) == ((3, 1536), [800, 1000, 1200])
    ragged = extractor(clips, sampling_rate=RATE, padding=False)["input_values"]
    assert [len(row) for row in ragged] == [800, 1000, 1200]
    with pytest.raises(ValueError, match="max_length"):
        extractor(clips, sampling_rate=RATE, padding="max_length")
    with pytest.raises(ValueError, match="max_length"):
        extractor(clips, sampling_rate=RATE, truncation=True)


def test_tensors_and_mask_on_request(extractor, clips):
    batch = extractor(clips, sampling_rate=RATE, return_tensors="pt")
    assert batch["input_values"].dtype == torch.float32 and batch["attention_mask"].dtype == torch.int32
    assert list(extractor(clips, sampling_rate=RATE, return_attention_mask=False)) == ["input_values"]
    assert list(MelCNNFeatureExtractor(return_attention_mask=False)(clips, sampling_rate=RATE)) == ["input_values"]


@pytest.mark.parametrize("convert", [np.asarray, list])
def test_pad_serves_as_collator(extractor, clips, convert):
    features = [{"input_values": convert(clip.astype(np.float64))} for clip in clips]
    batch = extractor.pad(features, return_tensors="pt")
    assert batch["input_values"].dtype == torch.float32
    assert batch["input_values"].shape == (3, 1200)
    assert batch["attention_mask"].sum(-1).tolist() == [800, 1000, 1200]


def test_json_keeps_every_field(tmp_path):
    options = {"feature_size": 1, "sampling_rate": 8_000, "padding_value": 0.0, "return_attention_mask": True}
    extractor = MelCNNFeatureExtractor(**options)
    assert json.loads(extractor.to_json_string()).items() >= options.items()
    extractor.to_json_file(tmp_path / "file.json")
    assert MelCNNFeatureExtractor.from_json_file(tmp_path / "file.json").to_dict() == extractor.to_dict()
    extractor.save_pretrained(tmp_path)
    loaded = MelCNNFeatureExtractor.from_pretrained(tmp_path)
    assert loaded.to_dict() == extractor.to_dict()
    assert loaded(voice(0.1, 8_000), sampling_rate=8_000)["input_values"][0].shape == (800,)


def test_saved_file_is_small_and_has_no_array(tmp_path):
    MelCNNFeatureExtractor().save_pretrained(tmp_path)
    saved = json.loads((tmp_path / "preprocessor_config.json").read_text())
    assert saved["sampling_rate"] == RATE
    assert not [name for name, value in saved.items() if isinstance(value, list)]
