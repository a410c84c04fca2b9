"""What the model refuses to hear: shapes, masks and amplitudes that would give a wrong answer, or NaN."""

import math

import torch
from transformers.utils import is_tracing

from .recording_mel_cnn import LARGEST_PEAK


def check_input(input_values: torch.Tensor, attention_mask: torch.Tensor | None) -> None:
    """Refuses a batch of wrong shape, with another mask than 0 and 1, empty clips, or padding on the left."""
    if input_values.ndim != 2 or 0 in input_values.shape or not input_values.is_floating_point():
        raise ValueError(
            f"input_values is {input_values.dtype} of shape {tuple(input_values.shape)}, but floating-point waveforms of "
            "shape (batch, n_samples) with at least 1 clip and 1 sample are needed: use the feature extractor."
        )
    if attention_mask is None:
        return
    if attention_mask.shape != input_values.shape:
        raise ValueError(
            f"attention_mask has shape {tuple(attention_mask.shape)}, input_values {tuple(input_values.shape)}; "
            "they must agree: use the mask that the feature extractor returned with these values."
        )
    if is_tracing(attention_mask):
        return
    real = attention_mask.bool()
    if (attention_mask != real).any():
        raise ValueError(
            "attention_mask holds other values than 0 and 1: use the mask that the feature extractor returned."
        )
    bad = ~real[:, 0] | (real[:, 1:] & ~real[:, :-1]).any(-1)
    if bad.any():
        raise ValueError(
            f"{int(bad.sum())} of {len(bad)} clips have a mask of 0 before a 1, or no 1 at all: they are empty or padded "
            'on the left. Drop empty clips and pad on the right (padding_side="right").'
        )


def check_amplitude(input_values: torch.Tensor) -> None:
    """Refuses samples that are not finite or far above full scale."""
    if is_tracing(input_values):
        return
    lowest, highest = input_values.detach().aminmax()  # NaN where there is a NaN
    peak = torch.maximum(-lowest, highest).item()
    if not peak <= LARGEST_PEAK:
        raise ValueError(
            f"input_values has a peak of {peak:g}, but full scale is 1.0: drop samples that are not finite, and divide what "
            "were 16-bit integers by 32768."
        )


def check_recording(waveform: torch.Tensor, window: float, hop: float, sampling_rate: float) -> None:
    """Refuses what is no mono recording, and windows in seconds that are not finite or shorter than a sample."""
    if waveform.ndim != 1 or len(waveform) == 0 or not waveform.is_floating_point():
        raise ValueError(
            f"The waveform is {waveform.dtype} of shape {tuple(waveform.shape)}, but floats of shape (n_samples,) with at "
            "least 1 sample are needed: read it by the feature extractor."
        )
    if not all(math.isfinite(seconds) and round(seconds * sampling_rate) >= 1 for seconds in (window, hop)):
        raise ValueError(f"window is {window} s and hop {hop} s; both must be finite, and at least one sample long.")


def check_clips(waveforms: list[torch.Tensor]) -> None:
    """Refuses a list of mono clips of which one has another shape, no sample, or samples that are not finite."""
    for number, waveform in enumerate(waveforms):
        if waveform.ndim != 1 or len(waveform) == 0 or not waveform.isfinite().all():
            raise ValueError(
                f"Clip {number} of {len(waveforms)} has shape {tuple(waveform.shape)}; mono waveforms of shape (n_samples,) with at "
                "least 1 sample, all of them finite, are needed: read them with the feature extractor."
            )


def check_weights(model: torch.nn.Module) -> None:
    """Refuses a model that could only answer NaN."""
    for name, weights in model.state_dict().items():
        if not weights.is_meta and not weights.isfinite().all():
            raise ValueError(
                f"{name} holds weights that are NaN or infinite: the checkpoint is damaged. Train it again."
            )
