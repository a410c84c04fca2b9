"""Small models and made-up voices for the tests of modeling/."""

import numpy as np
import torch

from modeling.configuration_mel_cnn import MelCNNConfig
from modeling.feature_extraction_mel_cnn import MelCNNFeatureExtractor
from modeling.modeling_mel_cnn import MelCNNForAudioClassification

EMOTIONS = ("neutral", "happy", "sad", "angry")


def tiny_config(**options) -> MelCNNConfig:
    """Two narrow stages, or the plain network with narrow ones."""
    labels = {"id2label": dict(enumerate(EMOTIONS)), "label2id": {name: i for i, name in enumerate(EMOTIONS)}}
    sizes = {"width": 8, "depths": (1, 1), "hidden_size": 16, "attention_size": 8}
    front_end = {"n_fft": 512, "win_length": 400, "hop_length": 160, "n_mels": 64}  # whatever the best recipe has
    return MelCNNConfig(**labels | sizes | front_end | options)


def tiny_model(seed: int = 0, **options) -> MelCNNForAudioClassification:
    """In evaluation mode, with statistics in its BatchNorm layers as after training, so that padding could leak."""
    torch.manual_seed(seed)
    return with_statistics(MelCNNForAudioClassification(tiny_config(**options)))


def with_statistics(model: torch.nn.Module) -> torch.nn.Module:
    """The model in evaluation mode with random weights, biases and running statistics in every BatchNorm."""
    for module in model.modules():
        if isinstance(module, (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d)):
            torch.nn.init.normal_(module.running_mean, std=0.5)
            torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, std=0.5)
    return model.eval()


def save_checkpoint(folder, **options) -> MelCNNForAudioClassification:
    """Writes a tiny checkpoint with its feature extractor and returns the model."""
    model = tiny_model(**options)
    model.save_pretrained(folder)
    MelCNNFeatureExtractor().save_pretrained(folder)
    return model


def make_all_unlike(model: MelCNNForAudioClassification, distance: float = 10.0) -> None:
    """Whatever the model hears lies so far from its training data from now on."""
    unlikeness = model.mel_cnn.unlikeness
    centres = np.full(unlikeness.centres.shape, distance / np.sqrt(unlikeness.centres.shape[1]))
    unlikeness.fit(np.zeros(unlikeness.directions.shape), np.zeros(unlikeness.whitening.shape), centres)


def voice(seconds: float, sampling_rate: int = 16_000, seed: int = 0) -> np.ndarray:
    """A vowel on a moving pitch in syllables, with some breath, float32 within full scale."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * sampling_rate)) / sampling_rate
    pitch = rng.uniform(100, 250) * (1 + 0.2 * np.sin(2 * np.pi * rng.uniform(0.5, 2) * time))
    phase = 2 * np.pi * np.cumsum(pitch) / sampling_rate
    harmonics = sum(np.sin(n * phase) * rng.uniform(0.2, 1) / n for n in range(1, 20))
    syllables = 0.6 - 0.4 * np.cos(2 * np.pi * rng.uniform(2, 5) * time)
    waveform = 0.1 * harmonics * syllables + 0.003 * rng.standard_normal(len(time))
    return waveform.clip(-1, 1).astype(np.float32)


def batch(*seconds: float, **options) -> dict[str, torch.Tensor]:
    """Voices of these lengths as the feature extractor hands them on."""
    clips = [voice(length, seed=seed) for seed, length in enumerate(seconds)]
    return dict(MelCNNFeatureExtractor()(clips, sampling_rate=16_000, return_tensors="pt", **options))


def train(model, inputs: dict[str, torch.Tensor], n_steps: int, learning_rate: float) -> list[float]:
    """The losses of so many steps of AdamW on one batch."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate)
    losses = []
    for _ in range(n_steps):
        optimizer.zero_grad()
        loss = model(**inputs).loss
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
