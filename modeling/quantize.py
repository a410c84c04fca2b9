"""An exported model in 8 bits: calibrated on training clips, judged on validation clips."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx.utils import Extractor
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from tqdm import tqdm

from modeling.training.data import Clips, DataArguments, evenly, load

N_CALIBRATION = 200  # clips
MOST_LOST = 0.005  # accuracy, on validation clips
# Eight bits hold neither the range of a power spectrum nor the small distances that `unlikeness` is about.
EXACT = ("mel_cnn.log_mel.", "mel_cnn.encoder.stem.", "mel_cnn.encoder.stages.0.", "mel_cnn.unlikeness.")  # parts
OUTPUTS = ("logits", "probabilities", "embedding", "unlikeness")  # what is left: pictures take the exact model


class Corpus:
    """The clips that a quantised model is calibrated and judged on.

    Args:
        dataset_name: Dataset on disk or on the Hub.
        config: The model's.

    Raises:
        ValueError: It has no train or validation split, or other labels than the model.
    """

    def __init__(self, dataset_name: str, config):
        arguments = DataArguments(dataset_name=dataset_name)
        splits = load(arguments, [config.id2label[index] for index in range(config.num_labels)])
        if missing := {"train", "validation"} - set(splits):
            raise ValueError(f"{dataset_name} has no split {' or '.join(sorted(missing))}, which quantising needs")
        rate = round(config.sampling_rate)
        self.training, self.validation = (Clips(splits[name], arguments, rate) for name in ("train", "validation"))

    def calibration_clips(self) -> Iterator[np.ndarray]:
        """Training clips, drawn evenly from the whole split."""
        return _spread(self.training, N_CALIBRATION)

    def validation_clips(self, n_clips: int | None = None) -> Iterator[np.ndarray]:
        """All validation clips, or so many of them, drawn evenly."""
        return _spread(self.validation, n_clips or len(self.validation))


def _spread(clips: Clips, n_clips: int) -> Iterator[np.ndarray]:
    for index in evenly(len(clips), n_clips):
        yield clips[int(index)]["input_values"]


class _Calibration(CalibrationDataReader):
    def __init__(self, corpus: Corpus):
        self.clips = iter(tqdm(corpus.calibration_clips(), total=N_CALIBRATION, unit="clip", desc="calibrate"))

    def get_next(self) -> dict | None:
        clip = next(self.clips, None)
        return None if clip is None else inputs(clip)


def quantize(model: Path, output: Path, corpus: Corpus) -> dict:
    """Writes the quantised model, unless it loses more than `MOST_LOST`.

    Static quantisation in QDQ form, with a scale for every channel. The parts named in `EXACT` stay in single precision.

    Args:
        model: The exact model.
        output: The file.
        corpus: Its training clips calibrate, its validation clips judge.

    Returns:
        What `judge` returns, and whether the file was kept.
    """
    exact = onnx.load(model)
    kept = [value.name for value in exact.graph.output if value.name in OUTPUTS]
    onnx.save(Extractor(exact).extract_model([value.name for value in exact.graph.input], kept), output)
    quant_pre_process(output, output, skip_symbolic_shape=True)  # weights that are reshaped become weights again
    prepared = onnx.load(output)
    exempt = [node.name for node in prepared.graph.node if any(part in name for name in node.input for part in EXACT)]
    _products_as_convolutions(prepared, exempt)
    onnx.save(prepared, output)
    quantize_static(
        output,
        output,
        _Calibration(corpus),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        nodes_to_exclude=exempt,
        op_types_to_quantize=["Conv", "Gemm", "MatMul"],
    )
    quantized = onnx.load(output)
    onnx.helper.set_model_props(quantized, {entry.key: entry.value for entry in exact.metadata_props})
    onnx.save(quantized, output)
    judgement = judge({"model": model, "model_quantized": output}, corpus)
    lost = judgement["accuracy"]["model"] - judgement["accuracy"]["model_quantized"]
    judgement["kept"] = bool(lost <= MOST_LOST)
    if not judgement["kept"]:
        output.unlink()
    return judgement


def judge(models: dict[str, Path], corpus: Corpus) -> dict:
    """Accuracy of two models on the validation clips, and how far they agree: on labels, probabilities, and what is unlike."""
    sessions = [onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]) for path in models.values()]
    labels = np.array(corpus.validation.labels)
    answers, unlike = [], []
    for clip in tqdm(corpus.validation_clips(), total=len(labels), unit="clip", desc="judge"):
        found = [session.run(["probabilities", "unlikeness"], inputs(clip)) for session in sessions]
        answers.append([probabilities[0] for probabilities, _ in found])
        unlike.append([unlikeness[0] > 1 for _, unlikeness in found])
    answers, unlike = np.array(answers), np.array(unlike)
    heard = answers.argmax(-1)
    return {
        "n_clips": len(labels),
        "accuracy": dict(zip(models, (heard == labels[:, None]).mean(0).round(4).tolist(), strict=True)),
        "same_label": round(float((heard[:, 0] == heard[:, 1]).mean()), 4),
        "same_unlike": round(float((unlike[:, 0] == unlike[:, 1]).mean()), 4),
        "largest_difference": round(float(np.abs(answers[:, 0] - answers[:, 1]).max()), 4),
    }


def inputs(clip: np.ndarray) -> dict[str, np.ndarray]:
    """One clip as the inputs of an exported model, without padding."""
    return {"input_values": clip[None].astype(np.float32), "attention_mask": np.ones((1, len(clip)), np.int64)}


def _products_as_convolutions(model: onnx.ModelProto, exempt: list[str]) -> None:
    """Rewrites products with weights on the left as convolutions of width one: the others are not computed in eight bits."""
    weights = {weight.name: weight for weight in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "MatMul" and node.input[0] in weights and node.name not in exempt:
            node.op_type = "Conv"
            weight = weights[node.input[0]]
            weight.dims.append(1)
            node.input[:] = [node.input[1], weight.name]
    del model.graph.value_info[:]  # the shapes that were known; they are inferred anew
