"""Waveform to logits, feature extraction included, beside the two networks that people reach for.

    uv run -m tests.benchmarks.benchmark_inference

wav2vec 2.0 base and AST base come from their configurations with random weights; one 3-second clip at a time.
"""

import os
from functools import partial

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
from modeling.modeling_mel_cnn import MelCNNForAudioClassification
from tests.benchmarks.interleave import interleave, markdown
from tests.modeling.tiny import voice

SECONDS = 3.0
ROUNDS = 7
N_LABELS = 8


def main() -> None:
    waveform = voice(SECONDS)
    plain = MelCNNConfig(num_labels=N_LABELS, architecture="plain", width=16)
    competitors = {
        "MelCNN": (MelCNNFeatureExtractor(), MelCNNForAudioClassification(MelCNNConfig(num_labels=N_LABELS))),
        "MelCNN, plain": (MelCNNFeatureExtractor(), MelCNNForAudioClassification(plain)),
        "wav2vec 2.0 base": (
            Wav2Vec2FeatureExtractor(),
            Wav2Vec2ForSequenceClassification(Wav2Vec2Config(num_labels=N_LABELS)),
        ),
        "AST base": (ASTFeatureExtractor(), ASTForAudioClassification(ASTConfig(num_labels=N_LABELS))),
    }

    def classify(feature_extractor, model) -> torch.Tensor:
        inputs = feature_extractor(waveform, sampling_rate=16_000, return_tensors="pt")
        with torch.inference_mode():
            return model(**inputs).logits

    runs = {
        f"{name} ({model.num_parameters() / 1e6:.1f} M)": partial(classify, extractor, model.eval())
        for name, (extractor, model) in competitors.items()
    }
    for n_threads in sorted({1, os.cpu_count()}):
        torch.set_num_threads(n_threads)
        print(f"Waveform of {SECONDS:g} s to logits, threads: {n_threads}\n")
        print(markdown(interleave(runs, ROUNDS)), "\n", flush=True)


if __name__ == "__main__":
    main()
