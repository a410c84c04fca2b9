"""Configuration of the mel-spectrogram CNN."""

import math
from typing import Literal

from huggingface_hub.dataclasses import strict
from transformers import PreTrainedConfig

POSITIVE = (
    *("sampling_rate", "n_fft", "win_length", "hop_length", "n_mels", "log_floor", "log_mel_std"),
    *("width", "hidden_size", "attention_size", "window_duration", "n_corpora", "calibration_temperature"),
)
UNCALIBRATED = {  # while it trains
    "calibration_temperature": 1.0,
    "unlike_temperature": 0.0,
    "unsure_threshold": 0.0,
    "uncommon_labels": (),
}


@strict
class MelCNNConfig(PreTrainedConfig):
    """Architecture of [`MelCNNForAudioClassification`], front end included.

    Args:
        sampling_rate: Rate of the waveform, Hz.
        n_fft: Length of the Fourier transform, samples.
        win_length: Length of the Hann window, samples. Long ones tell the harmonics of a voice apart, and so its pitch.
        hop_length: Step between two frames, samples.
        n_mels: Number of mel bands (HTK scale, triangles of height one).
        f_min: Lower edge of the lowest band, Hz.
        f_max: Upper edge of the highest band, Hz.
        log_floor: Added to the mel power before the logarithm, relative to the clip's level: 1e-5 is 50 dB below it.
        log_mel_mean: Subtracted from the natural logarithm; about the mean of speech.
        log_mel_std: Divides what is left.
        architecture: `"residual"`: residual blocks with squeeze-and-excitation, then attentive statistics pooling over
            the real frames of a clip of any length. `"plain"`: conv, conv, max-pool blocks, flattened, for a fixed window.
        width: Channels of the first stage; every stage doubles them.
        depths: Blocks in each stage (residual only; the plain network has one in each of three).
        hidden_size: Size of the pooled embedding.
        attention_size: Bottleneck of the attention that pools the frames.
        window_duration: What the plain network hears: a clip is cropped or padded to this, seconds.
        dropout: Probability, before the head and, in the plain network, after every block too.
        calibration_temperature: Divides the logits, so that their softmax can be read as a probability.
        n_corpora: Corpora that it was trained on, which `unlikeness` is measured from.
        unlike_temperature: How much more the logits of a clip are divided by that is unlike the training data: at an
            unlikeness of 1.1 and above by `1 + unlike_temperature` times the temperature, at 0.8 and below by the temperature.
        uncommon_labels: Indices of labels that most of the corpora lack: adapting leaves them alone.
        unsure_threshold: Below this probability of the best label, a user interface says "not sure".

    Example:
        >>> MelCNNConfig(architecture="plain", width=16).n_stages
        3
    """

    model_type = "mel_cnn"
    keys_to_ignore_at_inference = ["hidden_states", "pooler_output", "unlikeness"]  # of what Trainer gathers

    sampling_rate: float | int = 16_000
    n_fft: int = 1024
    win_length: int = 1024
    hop_length: int = 320
    n_mels: int = 80
    f_min: float | int = 20.0
    f_max: float | int = 8_000.0
    log_floor: float = 1e-5
    log_mel_mean: float | int = -5.0
    log_mel_std: float | int = 4.0
    architecture: Literal["residual", "plain"] = "residual"
    width: int = 32
    depths: list[int] | tuple[int, ...] = (1, 1, 1, 1)
    hidden_size: int = 256
    attention_size: int = 64
    window_duration: float | int = 3.0
    dropout: float | int = 0.3
    n_corpora: int = 1
    uncommon_labels: list[int] | tuple[int, ...] = ()
    calibration_temperature: float | int = 1.0
    unlike_temperature: float | int = 0.0
    unsure_threshold: float | int = 0.0

    def __post_init__(self, **kwargs):
        # A class can be registered for one Auto class only: this serves AutoModel beside AutoModelForAudioClassification.
        kwargs.setdefault("auto_map", {"AutoModel": "modeling_mel_cnn.MelCNNModel"})
        super().__post_init__(**kwargs)
        for name in POSITIVE:
            if not 0 < getattr(self, name) < math.inf:  # nor is NaN
                raise ValueError(f"{name} is {getattr(self, name)}, but it has to be above 0, and finite.")
        if not 0 <= self.unlike_temperature < math.inf:
            raise ValueError(
                f"unlike_temperature is {self.unlike_temperature}, but it has to be 0 or more, and finite."
            )
        for name in ("dropout", "unsure_threshold"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}, but it has to lie between 0 and 1.")
        if not math.isfinite(self.log_mel_mean):
            raise ValueError(f"log_mel_mean is {self.log_mel_mean}, but it has to be finite.")
        if not self.depths or min(self.depths) < 1:
            raise ValueError(f"depths is {self.depths}, but at least 1 stage with at least 1 block each is needed.")
        if self.win_length > self.n_fft:
            raise ValueError(f"win_length is {self.win_length}, n_fft {self.n_fft}: the window must fit; raise n_fft.")
        if not 0 <= self.f_min < self.f_max <= self.sampling_rate / 2:
            raise ValueError(
                f"f_min is {self.f_min} Hz and f_max {self.f_max} Hz, but they have to rise and lie between 0 and "
                f"{self.sampling_rate / 2} Hz, half the sampling rate."
            )

    @property
    def n_stages(self) -> int:
        """Stages of the encoder."""
        return 3 if self.architecture == "plain" else len(self.depths)

    @property
    def window_length(self) -> int | None:
        """Length of the fixed window that the plain network hears, samples; None where any length is heard."""
        return round(self.window_duration * self.sampling_rate) if self.architecture == "plain" else None


MelCNNConfig.register_for_auto_class()

__all__ = ["MelCNNConfig"]
