"""A picture of what in a clip spoke for its label."""

import math

import torch
from matplotlib.figure import Figure

SHOWN_FREQUENCIES = (100, 250, 500, 1_000, 2_000, 4_000, 8_000)  # Hz


def draw_evidence(waveform: torch.Tensor, model, title: str) -> Figure:
    """Draws the log-mel spectrogram of a clip and, over it, the evidence for its likeliest label.

    Args:
        waveform: Mono waveform at the model's rate, `(n_samples,)`.
        model: A [`MelCNNForAudioClassification`].
        title: What was heard, such as a file name; label and probability are added.

    Returns:
        The figure; `figure.savefig("evidence.png", dpi=150)` writes it.
    """
    config, inputs = model.config, waveform[None].to(model.device)
    with torch.no_grad():
        probabilities = model(inputs).logits[0].float().softmax(-1)
        spectrogram = model.mel_cnn.log_mel(inputs)[0][0].float().cpu()
    label = int(probabilities.argmax())
    evidence = model.saliency(inputs, label=label)[0].cpu()
    n_frames = min(spectrogram.shape[1], evidence.shape[1])
    seconds = n_frames * config.hop_length / config.sampling_rate
    placed = {"origin": "lower", "aspect": "auto", "extent": (0, seconds, -0.5, config.n_mels - 0.5)}

    figure = Figure(figsize=(10, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.imshow(spectrogram[:, :n_frames], cmap="gray", **placed)
    evidence = evidence[:, :n_frames].numpy()
    overlay = axes.imshow(evidence, cmap="plasma", vmin=0, vmax=1, alpha=0.8 * evidence, **placed)
    figure.colorbar(overlay, ax=axes, label="evidence, relative to its strongest", pad=0.01).solids.set_alpha(1)
    shown = [hertz for hertz in SHOWN_FREQUENCIES if config.f_min < hertz <= config.f_max]
    axes.set_yticks([_band(hertz, config) for hertz in shown], [f"{hertz:,}" for hertz in shown])
    axes.set(xlabel="time (s)", ylabel="frequency (Hz)", ylim=(-0.5, config.n_mels - 0.5))
    axes.set_title(f"{title}: what spoke for {config.id2label[label]} ({probabilities[label]:.0%})", parse_math=False)
    return figure


def _band(hertz: float, config) -> float:
    """Where a frequency lies among the mel bands, whose centres are evenly spaced on the HTK scale."""
    low, high, mel = (2595 * math.log10(1 + frequency / 700) for frequency in (config.f_min, config.f_max, hertz))
    return (mel - low) / (high - low) * (config.n_mels + 1) - 1
