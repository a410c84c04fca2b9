"""The network: shapes, that a clip does not see its neighbours, precision, windows and saliency."""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
import torch

from modeling.configuration_mel_cnn import MelCNNConfig
from modeling.feature_extraction_mel_cnn import MelCNNFeatureExtractor
from modeling.modeling_mel_cnn import MelCNNForAudioClassification, MelCNNModel
from tests.modeling.tiny import batch, tiny_model, train, voice, with_statistics


@pytest.fixture(params=["residual", "plain"])
def architecture(request) -> str:
    return request.param


@pytest.fixture
def model(architecture) -> MelCNNForAudioClassification:
    return tiny_model(architecture=architecture)


def test_default_architecture_is_small():
    assert MelCNNForAudioClassification(MelCNNConfig(num_labels=8)).num_parameters() <= 2_000_000


def test_outputs(model):
    inputs = batch(0.5, 1.0)
    output = model(**inputs)
    assert output.logits.shape == (2, 4)
    assert output.loss is None and output.hidden_states is None
    assert torch.isfinite(output.logits).all()
    torch.testing.assert_close(model(**inputs).logits, output.logits, rtol=0, atol=0)
    assert isinstance(model.base_model, MelCNNModel)
    assert isinstance(model.get_input_embeddings(), torch.nn.Module)


def test_tuples_and_hidden_states(model):
    inputs = batch(0.5, 1.0) | {"labels": torch.tensor([0, 1])}
    output = model(**inputs, output_hidden_states=True)
    assert len(output.hidden_states) == model.config.n_stages
    loss, logits, hidden_states, *more = model(**inputs, output_hidden_states=True, return_dict=False)
    torch.testing.assert_close((loss, logits, hidden_states), (output.loss, output.logits, output.hidden_states))
    torch.testing.assert_close(more, [output.pooler_output, output.unlikeness])
    embedded = model.base_model(inputs["input_values"], inputs["attention_mask"], output_hidden_states=True)
    torch.testing.assert_close(embedded.last_hidden_state, embedded.hidden_states[-1])
    assert embedded.pooler_output.shape == (2, model.classifier.in_features)
    model.config.output_hidden_states, model.config.return_dict = True, False
    torch.testing.assert_close(model(**inputs), (loss, logits, hidden_states, *more))


@pytest.mark.parametrize("seconds", [1 / 16_000, 0.05, 0.3, 1.0, 2.345, 4.0])
def test_clip_does_not_depend_on_batch_or_padding(model, seconds):
    others = batch(seconds, 3.0, seconds / 2 + 0.01)
    alone = batch(seconds)
    expected = model(alone["input_values"]).logits[0]
    for inputs in (alone, others, batch(seconds, padding="max_length", max_length=80_000)):
        torch.testing.assert_close(model(**inputs).logits[0], expected, atol=1e-4, rtol=0)
    noisy = others["input_values"] + (1 - others["attention_mask"])
    torch.testing.assert_close(model(noisy, others["attention_mask"]).logits[0], expected, atol=1e-4, rtol=0)


def test_default_architecture_does_not_see_padding():
    torch.manual_seed(0)
    model = with_statistics(MelCNNForAudioClassification(MelCNNConfig(num_labels=8)))
    inputs = batch(0.05, 1.0, 2.0)
    logits = model(**inputs).logits
    for row, mask, expected in zip(inputs["input_values"], inputs["attention_mask"], logits, strict=True):
        torch.testing.assert_close(model(row[None, : mask.sum()]).logits[0], expected, atol=1e-4, rtol=0)


@pytest.mark.slow
@torch.no_grad()
def test_from_a_twentieth_of_a_second_to_ten_minutes():
    torch.manual_seed(0)
    model = with_statistics(MelCNNForAudioClassification(MelCNNConfig(num_labels=8)))
    for seconds in (0.05, 600.0):
        waveform = torch.from_numpy(voice(1.0)).repeat(601)[: round(seconds * 16_000)]
        assert torch.isfinite(model(waveform[None]).logits).all()


def test_silence_is_finite(model):
    logits = model(torch.zeros(1, 16_000)).logits
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize(
    ("values", "mask", "facts"),
    [
        (torch.zeros(16_000), None, ["(16000,)", "(batch, n_samples)"]),
        (torch.zeros(1, 2, 100), None, ["(1, 2, 100)"]),
        (torch.zeros(1, 0), None, ["(1, 0)"]),
        (torch.zeros(1, 100, dtype=torch.int16), None, ["int16", "floating-point"]),
        (torch.zeros(2, 100), torch.ones(2, 90), ["(2, 90)", "(2, 100)"]),
        (torch.zeros(2, 4), torch.tensor([[1, 1, 1, 0], [0, 1, 1, 1]]), ["1 of 2", "left", 'padding_side="right"']),
        (torch.zeros(2, 4), torch.tensor([[1, 1, 0, 0], [1, 0, 1, 0]]), ["1 of 2", "0 before a 1"]),
        (torch.zeros(1, 4), torch.zeros(1, 4), ["1 of 1", "empty"]),
    ],
)
def test_bad_input_is_refused(model, values, mask, facts):
    with pytest.raises(ValueError) as error:
        model(values, mask)
    for fact in facts:
        assert fact in str(error.value)


def test_padding_on_the_left_is_refused(model):
    extractor = MelCNNFeatureExtractor(padding_side="left")
    inputs = extractor([voice(0.1), voice(0.2)], sampling_rate=16_000, return_tensors="pt")
    with pytest.raises(ValueError, match="left"):
        model(**inputs)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(model, dtype, tmp_path):
    inputs = batch(0.5, 1.0)
    expected = model(**inputs).logits
    model.save_pretrained(tmp_path)
    loaded = MelCNNForAudioClassification.from_pretrained(tmp_path, dtype=dtype)
    for half in (loaded, tiny_model(architecture=model.config.architecture).to(dtype)):
        assert {parameter.dtype for parameter in half.parameters()} == {dtype}
        assert {buffer.dtype for buffer in half.base_model.log_mel.buffers()} == {torch.float32}
        logits = half(**inputs).logits
        assert logits.dtype == dtype
        torch.testing.assert_close(logits.float(), expected, atol=0.1, rtol=0.1)
        torch.testing.assert_close(
            half(inputs["input_values"].to(dtype)).logits[1].float(), expected[1], atol=0.2, rtol=0.2
        )
    with torch.autocast("cpu", dtype):
        torch.testing.assert_close(model(**inputs).logits.float(), expected, atol=0.1, rtol=0.1)


def test_double_precision(model):
    inputs = batch(0.5)
    expected = model(**inputs).logits
    torch.testing.assert_close(model.double()(**inputs).logits.float(), expected, atol=1e-4, rtol=0)


@pytest.mark.slow
@pytest.mark.skipif(
    not shutil.which("g++") and not shutil.which("clang++") and "CI" not in os.environ,
    reason="torch.compile needs a C++ compiler",
)
def test_compiled_model_agrees():
    model, inputs = tiny_model(depths=(1,)), batch(0.5, 1.0)
    compiled = torch.compile(model)
    with torch.no_grad():
        torch.testing.assert_close(compiled(**inputs).logits, model(**inputs).logits, atol=1e-4, rtol=0)


@pytest.mark.slow
def test_one_graph_without_a_break(model):
    """What strict export, and a compiler that is to see the whole model, both need."""
    inputs = batch(0.5, 1.0)
    exported = torch.export.export(model, (), inputs, strict=True).module()
    torch.testing.assert_close(exported(**inputs).logits, model(**inputs).logits)
    whole = torch.compile(model, fullgraph=True, backend="eager")
    torch.testing.assert_close(whole(**inputs).logits, model(**inputs).logits)


@pytest.mark.filterwarnings("ignore")  # a trace takes sizes for constants, and says so
def test_traced_model_minds_padding(model):
    unpadded, padded = batch(1.0, 1.0), batch(0.5, 1.0)
    model.config.return_dict = False
    traced = torch.jit.trace(model, (unpadded["input_values"], unpadded["attention_mask"]))
    inputs = padded["input_values"], padded["attention_mask"]
    torch.testing.assert_close(traced(*inputs), model(*inputs), atol=1e-4, rtol=0)


def test_timeline(model):
    waveform = voice(3.7)
    spans, probabilities = model.timeline(waveform, window=1.0, hop=0.5, batch_size=2)
    assert spans[0].tolist() == [0, 1]
    assert spans[-1].tolist() == pytest.approx([2.7, 3.7])
    assert (spans[1:, 0] <= spans[:-1, 1]).all()
    assert ((spans[:, 1] - spans[:, 0]) == 1).all()
    torch.testing.assert_close(probabilities.sum(-1), torch.ones(len(spans)))
    for (start, end), row in zip((spans * 16_000).round().int().tolist(), probabilities, strict=True):
        logits = model(torch.from_numpy(waveform[start:end])[None]).logits
        torch.testing.assert_close(row, logits[0].softmax(-1), atol=1e-4, rtol=0)
    torch.testing.assert_close(model.timeline(torch.from_numpy(waveform), 1.0, 0.5)[1], probabilities)


@pytest.mark.parametrize("seconds", [0.05, 1.0])
def test_timeline_of_a_short_recording_is_one_window(model, seconds):
    spans, probabilities = model.timeline(voice(seconds), window=1.0, hop=0.1)
    assert spans.tolist() == [[0, pytest.approx(seconds)]]
    assert probabilities.shape == (1, 4)


@pytest.mark.parametrize(("window", "hop"), [(0, 1), (1, 0), (-1, 1), (1, 1e-6)])
def test_timeline_without_length_is_refused(model, window, hop):
    with pytest.raises(ValueError, match=f"window is {window} s and hop {hop} s"):
        model.timeline(voice(1.0), window, hop)


def test_saliency(model):
    inputs = batch(0.5, 2.0)
    maps = [model.saliency(**inputs, label=label) for label in range(4)]
    for evidence in maps:
        assert evidence.shape == (2, 64, 2 * 100 + 1)
        assert evidence.min() >= 0 and evidence.max() <= 1
        assert torch.isfinite(evidence).all()
    assert any((a - b).abs().max() > 0.1 for a, b in pairwise(maps))
    labels = model(**inputs).logits.argmax(-1)
    likeliest = model.saliency(**inputs)
    for clip in range(2):
        torch.testing.assert_close(likeliest[clip], maps[labels[clip]][clip])
    assert all(parameter.grad is None for parameter in model.parameters())


def test_saliency_of_several_threads_at_once_is_each_ones_own(model):
    """A server asks one model for many visitors."""
    clips = [batch(0.3 + 0.05 * number) for number in range(8)]
    expected = [model.saliency(**clip, label=0) for clip in clips]
    with ThreadPoolExecutor(4) as threads:
        for _ in range(5):
            found = list(threads.map(lambda clip: model.saliency(**clip, label=0), clips))
            for one, other in zip(found, expected, strict=True):
                torch.testing.assert_close(one, other)


def test_saliency_stays_within_the_clip():
    evidence = tiny_model().saliency(**batch(0.5, 2.0), label=0)
    assert evidence[1, :, 100:].any()
    assert not evidence[0, :, 60:].any()


def test_saliency_finds_what_the_label_hangs_on():
    """The classes differ in the pitch of a short tone alone, so the evidence for either lies there."""
    model = tiny_model(dropout=0.0).train()
    noise = 1e-3 * torch.randn(8, 32_000, generator=torch.Generator().manual_seed(0))
    time = torch.arange(4_000) / 16_000
    other, tone = noise.clone(), noise.clone()
    other[:, 16_000:20_000] += 0.3 * torch.sin(2 * torch.pi * 3_000 * time)
    tone[:, 16_000:20_000] += 0.3 * torch.sin(2 * torch.pi * 1_000 * time)
    train(model, {"input_values": torch.cat([other, tone]), "labels": torch.tensor([0] * 8 + [1] * 8)}, 25, 1e-2)
    evidence = model.eval().saliency(tone[:1], label=1)[0].sum(0)
    assert evidence[90:135].sum() > 0.7 * evidence.sum()


def test_gradient_of_the_pooling_is_what_autograd_computes(model):
    """It is written out, because autograd cannot be exported."""
    pooling, inputs, seen = model.mel_cnn.pooling, batch(0.5, 2.0), []
    with pooling.register_forward_pre_hook(lambda pooling, pooled: seen.extend(pooled)):
        model(**inputs)
    features, frame_mask = seen[0].detach().requires_grad_(), seen[1]
    direction = torch.randn(2, pooling.embedding_size)
    (expected,) = torch.autograd.grad((pooling(features, frame_mask) * direction).sum(), features)
    assert expected.any()
    torch.testing.assert_close(pooling.gradient(features, frame_mask, direction), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("label", [4, -1])
def test_saliency_of_no_label_is_refused(model, label):
    with pytest.raises(ValueError, match=f"label is {label}, but the model has 4"):
        model.saliency(**batch(0.1), label=label)
