"""Exports a checkpoint to ONNX: waveform in, probabilities out, in any runtime and without torch.

    uv run -m modeling.export                                        # modeling/checkpoint, into its own folder onnx/
    uv run -m modeling.export build/model --output build/exported    # another one, into build/exported/onnx/
    uv run -m modeling.export --dataset_name you/corpus              # the quantised model is made and judged on this

It writes `onnx/model.onnx`, `onnx/model_quantized.onnx` and `onnx/model.json`. The last says what a runtime needs besides
(labels, sampling rate, threshold), as both models' metadata do, and what was measured: how far the exported model strays
from PyTorch's, and how many validation clips each of the two gets right. The quantised one is calibrated on training clips
and left out where it loses more than half a point on validation clips, or where there is no dataset (build/corpus, unless
another one is named). An exported model that strays by more than 1e-4 is an error, and nothing is written.

`model.onnx` can be adapted to a voice or a place as `model.adapt` does it: `adapting` in model.json says how, and where in
the file the numbers lie that change.

Neither torch nor this repository is needed to run it, only onnxruntime and soundfile:

    import json
    import numpy, onnxruntime, soundfile

    session = onnxruntime.InferenceSession("modeling/checkpoint/onnx/model.onnx")
    known = session.get_modelmeta().custom_metadata_map
    labels, rate = json.loads(known["labels"]), int(known["sampling_rate"])
    waveform, sampling_rate = soundfile.read("clip.wav", dtype="float32", always_2d=True)
    if sampling_rate != rate:
        raise SystemExit(f"clip.wav is at {sampling_rate} Hz: resample it to {rate} Hz")
    clip = waveform.mean(axis=1)[None]
    inputs = {"input_values": clip, "attention_mask": numpy.ones(clip.shape, dtype="int64")}
    probabilities = session.run(["probabilities"], inputs)[0][0]
    print(max(zip(probabilities, labels)))
"""

import argparse
import copy
import json
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path

from data_scripts.terminal import command, end_quietly_while_loading, say

if __name__ == "__main__":
    end_quietly_while_loading()

import numpy as np
import onnx
import onnxruntime
import soxr
import torch
from torch import nn
from transformers.utils.logging import disable_progress_bar

from data_scripts.schema import SAMPLING_RATE
from data_scripts.staging import whole_folder
from data_scripts.synthesis import PROSODIES, Voice, speak, strayed
from modeling.configuration_mel_cnn import MelCNNConfig
from modeling.fourier import MelSpectrogramByProducts
from modeling.loading import CHECKPOINT, load_model
from modeling.quantize import Corpus, quantize
from modeling.strangers_mel_cnn import CLEARLY_UNLIKE, HALF_WAY, PIECE, SLIGHTLY_UNLIKE

CORPUS = Path("build/corpus")  # where data_scripts.build leaves it
SHORTEST = 0.05  # seconds
TOLERANCE = 1e-4  # of a probability
OPSET = 20
BIAS = "model.classifier.bias"  # the initializer that adapting changes
MEANING = {
    "input_values": "mono waveforms at sampling_rate, full scale at 1.0, padded on the right (batch, n_samples)",
    "attention_mask": "1 on real samples, 0 on padding (batch, n_samples)",
    "logits": "calibrated: already divided by calibration_temperature (batch, n_labels)",
    "probabilities": "softmax of the logits (batch, n_labels)",
    "embedding": "what the head classifies (batch, embedding_size)",
    "unlikeness": "how unlike the training clips; above 1, an answer deserves little trust; 0 if not measured (batch,)",
    "spectrogram": "normalised log-mel spectrogram, low to high (batch, n_mels, n_frames)",
    "evidence": "what spoke for the likeliest label, 0 to 1 (batch, n_mels, n_frames)",
}
ADAPTING = (
    "to a voice or a place: cut its speech into pieces of about piece_duration seconds and run each alone; undo the "
    "calibration of their logits, that is multiply by calibration_temperature * (1 + unlike_temperature * "
    "min(max((unlikeness - slightly_unlike) / (clearly_unlike - slightly_unlike), 0), 1)); take the mean over the pieces, and "
    "from those of common_labels subtract their mean; subtract n_pieces / (n_pieces + half_way) of that from the biases of "
    "common_labels, which are among those of all labels in model.onnx, little-endian float32 from the byte bias_offset on"
)


class Exported(nn.Module):
    """A [`MelCNNForAudioClassification`] with all that it can say about a clip, as a tuple in the order of `outputs`."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model
        self.outputs = [name for name in MEANING if name not in ("input_values", "attention_mask")]

    def for_runtimes(self) -> "Exported":
        """The same, with a front end that runtimes compute fast."""
        exported = copy.deepcopy(self)
        log_mel = exported.model.mel_cnn.log_mel
        log_mel.mel_spectrogram = MelSpectrogramByProducts(log_mel.mel_spectrogram)
        return exported

    def forward(self, input_values: torch.Tensor, attention_mask: torch.Tensor) -> tuple[torch.Tensor, ...]:
        seen = {}
        encoder = self.model.mel_cnn
        hooks = [
            encoder.log_mel.register_forward_hook(lambda _, inputs, outputs: seen.update(spectrogram=outputs[0])),
            encoder.pooling.register_forward_pre_hook(lambda _, inputs: seen.update(pooled=inputs)),
        ]
        outputs = self.model(input_values, attention_mask, return_dict=True)
        for hook in hooks:
            hook.remove()
        n_frames = input_values.shape[1] // self.model.config.hop_length + 1
        seen["evidence"] = self.model.evidence(*seen.pop("pooled"), outputs.logits.argmax(-1), n_frames)
        seen |= {"probabilities": outputs.logits.softmax(-1), "embedding": outputs.pooler_output}
        return tuple((dict(outputs) | seen)[name] for name in self.outputs)


def export(model: nn.Module, output: Path, corpus: Corpus | None = None) -> dict:
    """Writes `output/onnx/`, whole or not at all.

    Args:
        model: A [`MelCNNForAudioClassification`] in evaluation mode.
        output: Folder that `onnx/` is put into, or replaced in.
        corpus: Calibrates and judges the quantised model; without it, there is none.

    Returns:
        What `onnx/model.json` holds.

    Raises:
        ValueError: The exported model strays from PyTorch's.
    """
    model = Exported(model.to("cpu", torch.float32)).eval()
    description = describe(model.model, model.outputs)
    rate = description["sampling_rate"]
    clips = list(corpus.validation_clips(20)) if corpus else synthesised_clips(rate)
    with whole_folder(Path(output, "onnx")) as folder:
        write_onnx(model.for_runtimes(), folder / "model.onnx", description)
        description["adapting"] = adapting(model.model.config, folder / "model.onnx")
        description["parity"] = parity(model, folder / "model.onnx", [clips[0][: round(SHORTEST * rate)], *clips])
        if corpus:
            description["quantized"] = quantize(folder / "model.onnx", folder / "model_quantized.onnx", corpus)
        (folder / "model.json").write_text(json.dumps(description, indent=2) + "\n")
    return description


def describe(model: nn.Module, outputs: Sequence[str]) -> dict:
    """What a runtime needs besides the weights."""
    config = model.config
    return {
        "labels": [config.id2label[index] for index in range(config.num_labels)],
        "sampling_rate": round(config.sampling_rate),
        "shortest_clip": SHORTEST,
        "hop_length": config.hop_length,
        "calibration_temperature": config.calibration_temperature,
        "unsure_threshold": config.unsure_threshold,
        "n_parameters": model.num_parameters(),
        "meaning": {name: MEANING[name] for name in ("input_values", "attention_mask", *outputs)},
    }


def write_onnx(model: Exported, path: Path, description: dict) -> None:
    """Writes the model with the description as its metadata, JSON where a value is no text."""
    batch, n_samples = torch.export.Dim("batch", min=1), torch.export.Dim("n_samples", min=1)
    # Two clips of different lengths, because a size of one would pass for a constant.
    values = torch.zeros(2, round(model.model.config.sampling_rate))
    mask = torch.ones_like(values, dtype=torch.long)
    mask[1, values.shape[1] // 2 :] = 0
    bias = model.model.classifier.bias.detach().numpy().copy()
    # Biases of no other tensor, because those of a network that was not trained, zeros, would be left out or shared.
    nn.init.constant_(model.model.classifier.bias, torch.pi)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns of every package that it could export as well
    with torch.no_grad(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "# The axis name")  # both inputs have the same two axes
        program = torch.onnx.export(
            model,
            (values, mask),
            dynamic_shapes=({0: batch, 1: n_samples}, {0: batch, 1: n_samples}),
            input_names=["input_values", "attention_mask"],
            output_names=model.outputs,
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    exported = program.model_proto
    for node in exported.graph.node:
        del node.metadata_props[:]  # where, in whose folders, the code stood that it comes from
    next(weights for weights in exported.graph.initializer if weights.name == BIAS).raw_data = bias.tobytes()
    onnx.helper.set_model_props(
        exported, {key: value if isinstance(value, str) else json.dumps(value) for key, value in description.items()}
    )
    onnx.checker.check_model(exported, full_check=True)
    onnx.save(exported, path)


def adapting(config: MelCNNConfig, path: Path) -> dict:
    """What a runtime needs to adapt the exported model to a voice or a place, as `model.adapt` does.

    Raises:
        ValueError: The file does not hold the biases of the labels, or not once.
    """
    [bias] = [weights for weights in onnx.load(path).graph.initializer if weights.name == BIAS]
    # Name and values follow each other in the file, and the name is there for this tensor alone.
    serialized = onnx.TensorProto(name=BIAS, raw_data=bias.raw_data).SerializeToString()
    before, *after = path.read_bytes().split(serialized)
    if len(after) != 1:
        raise ValueError(
            f"{path.name} holds {BIAS} {len(after)} times, and 1 is needed to adapt it: onnx {onnx.__version__} writes files "
            "in another way; try another one"
        )
    return {
        "meaning": ADAPTING,
        "piece_duration": PIECE,
        "half_way": HALF_WAY,
        "common_labels": [index for index in range(config.num_labels) if index not in config.uncommon_labels],
        "unlike_temperature": config.unlike_temperature,
        "slightly_unlike": SLIGHTLY_UNLIKE,
        "clearly_unlike": CLEARLY_UNLIKE,
        "bias_offset": len(before) + len(serialized) - len(bias.raw_data),
    }


def parity(model: Exported, path: Path, clips: Sequence[np.ndarray]) -> dict:
    """How far the exported model strays from PyTorch's on clips, one by one and as one padded batch.

    Raises:
        ValueError: Further than `TOLERANCE`.
    """
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    longest = max(map(len, clips))
    padded = np.stack([np.pad(clip, (0, longest - len(clip))) for clip in clips])
    real = np.stack([np.arange(longest) < len(clip) for clip in clips]).astype(np.int64)
    batches = [(padded, real), *((clip[None], np.ones((1, len(clip)), np.int64)) for clip in clips)]
    largest = dict.fromkeys(model.outputs, 0.0)
    for values, mask in batches:
        answers = session.run(model.outputs, {"input_values": values, "attention_mask": mask})
        with torch.no_grad():
            expected = model(torch.from_numpy(values), torch.from_numpy(mask))
        for name, ours, theirs in zip(model.outputs, answers, expected, strict=True):
            largest[name] = max(largest[name], float(np.abs(ours - theirs.numpy()).max()))
    if not largest["probabilities"] < TOLERANCE:
        raise ValueError(
            f"the exported model's probabilities stray from PyTorch's by {largest['probabilities']:g}, {TOLERANCE:g} is the "
            f"most: torch {torch.__version__} and onnxruntime {onnxruntime.__version__} do not agree; try others"
        )
    return {
        "n_clips": len(clips),
        "largest_difference": {name: float(f"{value:.2g}") for name, value in largest.items()},
    }


def synthesised_clips(sampling_rate: int) -> list[np.ndarray]:
    """A synthetic voice with every emotion."""
    rng = np.random.default_rng(0)
    voice = Voice(pitch=120, tract=1.0, tempo=1.0, breath=1.0, tilt=-8)
    spoken = [speak("kids are talking", voice, strayed(prosody, rng), rng) for prosody in PROSODIES.values()]
    return [soxr.resample(waveform, SAMPLING_RATE, sampling_rate).astype(np.float32) for waveform in spoken]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        "modeling.export", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "model", nargs="?", default=CHECKPOINT, help="folder or Hub name (default: modeling/checkpoint)"
    )
    parser.add_argument("--revision", help="commit on the Hub whose code may run")
    parser.add_argument("--output", type=Path, metavar="DIR", help="default: the model's own folder")
    parser.add_argument("--dataset_name", help=f"for the quantised model (default: {CORPUS}, where it is there)")
    options = parser.parse_args(arguments)
    if options.output is None and not Path(options.model).is_dir():
        parser.error(f"{options.model} is no folder on this machine: name an --output for it")
    disable_progress_bar()
    output = Path(options.output or options.model)
    with command(lambda: f"{output / 'onnx'} is as it was; run again", "modeling.export"):
        model, _ = load_model(options.model, options.revision)
        dataset_name = options.dataset_name or (str(CORPUS) if CORPUS.is_dir() else None)
        corpus = Corpus(dataset_name, model.config) if dataset_name else None
        for line in summary(export(model, output, corpus), output / "onnx"):
            say(line)


def summary(description: dict, folder: Path) -> list[str]:
    """What was written and measured, in a sentence for each model."""
    measured, quantized = description["parity"], description.get("quantized")
    difference = measured["largest_difference"]["probabilities"]
    exact = f"within {difference:g} of PyTorch's on {measured['n_clips']} clips"
    lines = [f"{folder / 'model.onnx'}: probabilities {exact}"]
    if quantized is None:
        lines.append(f"no quantised model: it needs a dataset, {CORPUS} or --dataset_name")
    else:
        name = f"{folder / 'model_quantized.onnx'}:" if quantized["kept"] else "the quantised model is left out:"
        accuracy, same = quantized["accuracy"], quantized["same_label"]
        right = f"{accuracy['model_quantized']:.1%} of {quantized['n_clips']} validation clips right"
        lines.append(f"{name} {right}, the other {accuracy['model']:.1%}; the same label on {same:.1%}")
    return lines


if __name__ == "__main__":
    main()
