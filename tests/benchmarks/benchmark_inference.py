"""Waveform to logits, feature extraction included, by every way to run the model, beside the two networks that people reach for.

    uv run -m modeling.export                            # once, for the two rows of ONNX
    uv run -m tests.benchmarks.benchmark_inference

wav2vec 2.0 base and AST base come from their configurations with random weights; one 3-second clip at a time, all of them in
turns. The last line says how many times as fast as those two the fastest exact way and the quantised one are: the machine
changes it, so its processor stands above the table. Compiling needs a C++ compiler.
"""

import os
import platform
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import onnxruntime
import torch
from transformers import (
    ASTConfig,
    ASTFeatureExtractor,
    ASTForAudioClassification,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForSequenceClassification,
)

from modeling.configuration_mel_cnn import MelCNNConfig
from modeling.feature_extraction_mel_cnn import MelCNNFeatureExtractor
from modeling.loading import CHECKPOINT
from modeling.modeling_mel_cnn import MelCNNForAudioClassification
from modeling.quantize import inputs
from tests.benchmarks.interleave import interleave, markdown
from tests.modeling.tiny import voice

SECONDS = 3.0
ROUNDS = 15
N_LABELS = 8
EXACT = ("MelCNN", "MelCNN, channels last", "MelCNN, compiled", "MelCNN, ONNX")
QUANTIZED = "MelCNN, ONNX in 8 bits"
OTHERS = {"wav2vec 2.0 base": (60, 100), "AST base": (300, 500)}  # times as fast: the goals of exact and quantised


def main() -> None:
    print(f"{processor()}; torch {torch.__version__}, onnxruntime {onnxruntime.__version__}\n")
    for n_threads in sorted({1, os.cpu_count()}):
        torch.set_num_threads(n_threads)
        seconds = interleave(competitors(voice(SECONDS), n_threads), ROUNDS)
        print(f"Waveform of {SECONDS:g} s to logits, threads: {n_threads}\n")
        print(markdown(seconds), "\n")
        print(verdict(seconds), "\n", flush=True)


def competitors(waveform: np.ndarray, n_threads: int) -> dict[str, Callable[[], object]]:
    """Every way to run the model that this machine has, and the others."""
    torch._dynamo.reset()
    extractor = MelCNNFeatureExtractor()

    def classify(feature_extractor, model) -> torch.Tensor:
        features = feature_extractor(waveform, sampling_rate=16_000, return_tensors="pt")
        with torch.inference_mode():
            return model(**features).logits

    def ours(**options) -> torch.nn.Module:
        return MelCNNForAudioClassification(MelCNNConfig(num_labels=N_LABELS, **options)).eval()

    runs = {
        "MelCNN": partial(classify, extractor, ours()),
        "MelCNN, channels last": partial(classify, extractor, ours().to(memory_format=torch.channels_last)),
    }
    if shutil.which("g++") or shutil.which("clang++"):
        runs["MelCNN, compiled"] = partial(classify, extractor, torch.compile(ours(), fullgraph=True))
    for name, file in (("MelCNN, ONNX", "model.onnx"), (QUANTIZED, "model_quantized.onnx")):
        if (path := CHECKPOINT / "onnx" / file).is_file():
            runs[name] = partial(run_onnx, session_of(path, n_threads), waveform)
    runs["MelCNN, plain"] = partial(classify, extractor, ours(architecture="plain", width=16))
    wav2vec = Wav2Vec2ForSequenceClassification(Wav2Vec2Config(num_labels=N_LABELS)).eval()
    runs["wav2vec 2.0 base"] = partial(classify, Wav2Vec2FeatureExtractor(), wav2vec)
    ast = ASTForAudioClassification(ASTConfig(num_labels=N_LABELS)).eval()
    return runs | {"AST base": partial(classify, ASTFeatureExtractor(), ast)}


def session_of(path: Path, n_threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_threads
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def run_onnx(session: onnxruntime.InferenceSession, waveform: np.ndarray) -> np.ndarray:
    return session.run(["logits"], inputs(waveform))[0]


def verdict(seconds: dict[str, list[float]]) -> str:
    """How many times as fast as the others the fastest exact way and the quantised one are."""
    fastest = min((name for name in EXACT if name in seconds), key=lambda name: median(seconds[name]))
    lines = []
    for name, goals in ((fastest, 0), (QUANTIZED, 1)):
        if name in seconds:
            times = [
                f"{median(seconds[other]) / median(seconds[name]):.0f} times as fast as {other} (goal {goal[goals]})"
                for other, goal in OTHERS.items()
            ]
            lines.append(f"{name}: {', '.join(times)}.")
    return "\n".join(lines)


def processor() -> str:
    """The processor's name, as far as the system tells it."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.is_file() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{named[0] if named else platform.processor() or platform.machine()}, {os.cpu_count()} cores"


if __name__ == "__main__":
    main()
