"""Data augmentation: new voices, rooms and microphones out of the old ones, in batches, on the device of the model.

Everything draws from torch's global generator, so that a seed repeats a run and a resumed run goes on as it would have.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
import torchaudio.functional as AF
from torch import nn

from modeling.configuration_mel_cnn import MelCNNConfig


@dataclass
class Augmentation:
    """What happens to the clips of a training batch; in evaluation, nothing does.

    Args:
        quiet_probability: How often a clip gets quiet around it, before it is cropped.
        quiet_length: Longest quiet before and after, seconds.
        quiet_ratio: How far the quiet lies below the clip's peak, dB.
        speed: Factors of tempo and pitch together; one is drawn for a batch.
        shift: Longest stretch that is cut off a clip's start, seconds.
        noise_probability: How often noise is added: white to brown, or babble from the other clips of the batch.
        noise_ratio: Lowest and highest signal-to-noise ratio, dB.
        reverberation_probability: How often a synthetic room is added.
        reverberation_time: Shortest and longest decay by 60 dB, seconds.
        pitch: Largest stretch of the harmonics, in either direction, in the natural logarithm: 0.2 is 3.5 semitones.
        vocal_tract: Largest relative stretch of the spectral envelope: the formants of longer and shorter vocal tracts.
        equalizer: Standard deviation of a random smooth frequency response, dB.
        band_limit_probability: How often the lowest and highest bands are taken away, as telephones and codecs do.
        band_limits: Highest lower edge and lowest upper edge of what is left, Hz.
        time_masks, frequency_masks: SpecAugment's number of masks.
        time_mask_frames, frequency_mask_bands: SpecAugment's longest masks.
        mixup: Parameter of the beta distribution that mixes pairs of clips and their labels; 0 is off.
        label_smoothing: Share of the target that is spread over all labels.
    """

    quiet_probability: float = 0.3
    quiet_length: float = 1.0
    quiet_ratio: tuple[float, float] = (40.0, 90.0)
    speed: tuple[float, ...] = (0.8, 0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.15, 1.2, 1.25)
    shift: float = 0.3
    noise_probability: float = 0.2
    noise_ratio: tuple[float, float] = (0.0, 40.0)
    reverberation_probability: float = 0.15
    reverberation_time: tuple[float, float] = (0.1, 0.6)
    pitch: float = 0.2
    vocal_tract: float = 0.1
    equalizer: float = 4.0
    band_limit_probability: float = 0.25
    band_limits: tuple[float, float] = (400.0, 3_000.0)
    time_masks: int = 2
    time_mask_frames: int = 15
    frequency_masks: int = 2
    frequency_mask_bands: int = 8
    mixup: float = 0.0
    label_smoothing: float = 0.1

    def augment_clip(self, waveform: np.ndarray, index: int, sampling_rate: int) -> np.ndarray:
        """What happens to a whole clip, `(n_samples,)`, before it is cropped: the transform of [`Clips`] in training."""
        longest = round(self.quiet_length * sampling_rate)
        return surround_by_quiet(waveform, longest, self.quiet_ratio, self.quiet_probability)

    def attach(self, model: nn.Module) -> None:
        """Hooks the augmentation into a [`MelCNNForAudioClassification`]; it acts in training mode only.

        In that mode, `forward` wants its arguments by name, and labels among them.
        """
        model.config.problem_type = "single_label_classification"  # mixed labels would else pass for several labels
        model.register_forward_pre_hook(self._augment_inputs, with_kwargs=True)
        log_mel = model.mel_cnn.log_mel
        log_mel.mel_spectrogram.spectrogram.register_forward_hook(self._augment_power)
        log_mel.register_forward_hook(self._augment_spectrogram)

    @torch.no_grad()
    @torch.autocast("cpu", enabled=False)
    @torch.autocast("cuda", enabled=False)
    def _augment_inputs(self, model: nn.Module, args: tuple, inputs: dict) -> tuple[tuple, dict]:
        if not model.training:
            return args, inputs
        waveform, mask = inputs["input_values"], inputs.get("attention_mask")
        lengths = (torch.ones_like(waveform, dtype=torch.int) if mask is None else mask).sum(-1)
        sampling_rate = round(model.config.sampling_rate)
        waveform, lengths = change_speed(waveform, lengths, self.speed[torch.randint(len(self.speed), ()).item()])
        waveform, lengths = cut_start(waveform, lengths, round(self.shift * sampling_rate))
        waveform = reverberate(waveform, sampling_rate, self.reverberation_time, self.reverberation_probability)
        waveform = add_noise(waveform, lengths, self.noise_ratio, self.noise_probability)
        labels = inputs["labels"]
        if not labels.is_floating_point():
            labels = F.one_hot(labels, model.config.num_labels).to(waveform.dtype)
        labels = (1 - self.label_smoothing) * labels + self.label_smoothing / model.config.num_labels
        if self.mixup:
            waveform, lengths, labels = mix_up(waveform, lengths, labels, self.mixup)
        mask = (torch.arange(waveform.shape[1], device=waveform.device) < lengths[:, None]).int()
        return args, inputs | {"input_values": waveform, "attention_mask": mask, "labels": labels}

    @torch.no_grad()
    def _augment_power(self, spectrogram: nn.Module, args: tuple, power: torch.Tensor) -> torch.Tensor:
        return change_voice(power, self.pitch, self.vocal_tract) if spectrogram.training else power

    @torch.no_grad()
    @torch.autocast("cpu", enabled=False)
    @torch.autocast("cuda", enabled=False)
    def _augment_spectrogram(self, log_mel: nn.Module, args: tuple, outputs: tuple) -> tuple:
        if not log_mel.training:
            return outputs
        spectrogram, frame_mask = outputs
        # A decibel of power is log(10) / 10 in the natural logarithm.
        spectrogram = equalize(spectrogram, self.equalizer * math.log(10) / 10 / log_mel.config.log_mel_std)
        spectrogram = limit_band(spectrogram, log_mel.config, self.band_limits, self.band_limit_probability)
        for _ in range(self.time_masks):
            spectrogram = AF.mask_along_axis_iid(spectrogram[:, None], self.time_mask_frames, 0.0, 3)[:, 0]
        for _ in range(self.frequency_masks):
            spectrogram = AF.mask_along_axis_iid(spectrogram[:, None], self.frequency_mask_bands, 0.0, 2)[:, 0]
        return spectrogram if frame_mask is None else spectrogram * frame_mask, frame_mask


def surround_by_quiet(waveform: np.ndarray, longest: int, ratio: tuple[float, float], probability: float) -> np.ndarray:
    """Puts up to `longest` samples before and after some clips, and white noise `ratio` dB below its peak beneath it.

    How long and how dead the silence around speech is tells one corpus from another, and nothing about emotion.
    """
    if torch.rand(()).item() >= probability:
        return waveform
    before, after = (torch.rand(2) * longest).long().tolist()
    level = np.abs(waveform).max() * 10 ** (-_uniform(1, *ratio, torch.device("cpu")).item() / 20)
    quiet = level * torch.randn(before + len(waveform) + after).numpy()
    quiet[before : before + len(waveform)] += waveform
    return quiet


def change_speed(waveform: torch.Tensor, lengths: torch.Tensor, factor: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Plays `(batch, n_samples)` faster (`factor` above 1) or slower, pitch included."""
    percent = round(factor * 100)
    if percent == 100:
        return waveform, lengths
    return AF.resample(waveform, percent, 100), torch.div(lengths * 100, percent, rounding_mode="floor").clamp(min=1)


def cut_start(waveform: torch.Tensor, lengths: torch.Tensor, longest: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Cuts up to `longest` samples, and at most a fifth, off the start of every clip."""
    cut = (torch.rand(len(lengths), device=lengths.device) * (lengths // 5).clamp(max=longest)).long()
    index = torch.arange(waveform.shape[1], device=waveform.device) + cut[:, None]
    return waveform.gather(1, index.clamp(max=waveform.shape[1] - 1)), lengths - cut


def reverberate(
    waveform: torch.Tensor, sampling_rate: int, time: tuple[float, float], probability: float
) -> torch.Tensor:
    """Adds the sound of a synthetic room (noise that decays by 60 dB in `time` seconds) to some of the clips."""
    chosen = torch.rand(len(waveform), device=waveform.device) < probability
    if not chosen.any():
        return waveform
    dry = waveform[chosen]
    seconds = torch.arange(round(time[1] * sampling_rate), device=waveform.device) / sampling_rate
    decay = torch.exp(-math.log(1e3) * seconds / _uniform(len(dry), *time, waveform.device)[:, None])
    response = torch.randn(len(dry), len(seconds), device=waveform.device) * decay
    response = response / response.norm(dim=1, keepdim=True) * _uniform(len(dry), 0.2, 0.8, waveform.device)[:, None]
    wet = dry + AF.fftconvolve(dry, response)[:, : dry.shape[1]]
    return waveform.masked_scatter(chosen[:, None], wet)


def add_noise(
    waveform: torch.Tensor, lengths: torch.Tensor, ratio: tuple[float, float], probability: float
) -> torch.Tensor:
    """Adds coloured noise to some clips and babble, other clips of the batch, to as many, at `ratio` dB below them."""
    n_samples, device = waveform.shape[1], waveform.device
    kind = torch.rand(len(waveform), device=device)
    chosen = kind < probability
    if not chosen.any():
        return waveform
    clean, n_chosen = waveform[chosen], int(chosen.sum())
    spectrum = torch.fft.rfft(torch.randn(n_chosen, 2 ** math.ceil(math.log2(n_samples)), device=device))
    bins = torch.arange(1, spectrum.shape[1] + 1, device=device)
    tilt = bins ** -_uniform(n_chosen, 0.0, 1.0, device)[:, None]
    noise = torch.fft.irfft(spectrum * tilt)[:, :n_samples]
    babble = sum(waveform.roll((voice, voice * n_samples // 5), (0, 1))[chosen] for voice in range(1, 4))
    noise = torch.where(kind[chosen, None] < probability / 2, noise, babble)
    level = clean.square().sum(1).div(lengths[chosen]).sqrt() * 10 ** (-_uniform(n_chosen, *ratio, device) / 20)
    level = level / noise.square().mean(1).sqrt().clamp(min=1e-8)
    return waveform.masked_scatter(chosen[:, None], clean + noise * level[:, None])


def mix_up(
    waveform: torch.Tensor, lengths: torch.Tensor, labels: torch.Tensor, alpha: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Adds each clip to another one, in random shares, and mixes their label probabilities `(batch, n)` in the same."""
    share = torch.distributions.Beta(alpha, alpha).sample((len(waveform), 1)).to(waveform.device)
    share = torch.maximum(share, 1 - share)
    other = torch.randperm(len(waveform), device=waveform.device)
    waveform = share * waveform + (1 - share) * waveform[other]
    return waveform, torch.maximum(lengths, lengths[other]), share * labels + (1 - share) * labels[other]


def change_voice(power: torch.Tensor, pitch: float, vocal_tract: float) -> torch.Tensor:
    """Stretches harmonics and envelope of `(batch, n_bins, n_frames)` apart: other vocal folds in another vocal tract.

    The envelope is what a cepstrum's first coefficients make of the log spectrum. Formants and harmonics are then moved
    along the linear frequency axis, each clip's by two factors of its own; speed would move them together.
    """
    n_clips, n_bins, _ = power.shape
    log_power = torch.log(power + 1e-10)
    # 32 coefficients resolve no harmonics of a voice below 500 Hz, at a Nyquist frequency of 8 kHz.
    cosines = AF.create_dct(32, n_bins, "ortho").to(power.device)
    envelope = cosines @ (cosines.T @ log_power)
    tract = 1 + _uniform(n_clips, -vocal_tract, vocal_tract, power.device)
    folds = _uniform(n_clips, -pitch, pitch, power.device).exp()
    return torch.exp(stretch_bins(envelope, tract) + stretch_bins(log_power - envelope, folds))


def stretch_bins(spectrogram: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
    """What each clip of `(batch, n_bins, n_frames)` has at `factors` times a bin's frequency; its top is repeated."""
    n_bins = spectrogram.shape[1]
    position = (torch.arange(n_bins, device=spectrogram.device) * factors[:, None]).clamp(max=n_bins - 1)
    below = position.long().clamp(max=n_bins - 2)
    weight = (position - below)[..., None]
    rows = zip(spectrogram, below, weight, strict=True)  # gathering single values at once takes five times as long
    return torch.stack([torch.lerp(clip[low], clip[low + 1], share) for clip, low, share in rows])


def equalize(spectrogram: torch.Tensor, deviation: float) -> torch.Tensor:
    """Adds a random smooth curve over the bands, with this standard deviation, as another microphone would."""
    n_clips, n_mels, _ = spectrogram.shape
    curve = torch.randn(n_clips, 1, 6, device=spectrogram.device) * deviation
    return spectrogram + F.interpolate(curve, n_mels, mode="linear", align_corners=True).transpose(1, 2)


def limit_band(
    spectrogram: torch.Tensor, config: MelCNNConfig, limits: tuple[float, float], probability: float
) -> torch.Tensor:
    """Damps what lies outside a band, by 20 to 80 dB, in some of `(batch, n_mels, n_frames)`; the log floor stays."""
    n_clips, device = len(spectrogram), spectrogram.device
    edges = torch.tensor([config.f_min, *limits, config.f_max], device=device)
    lowest, low, high, highest = (2_595 * torch.log10(1 + edges / 700)).tolist()  # HTK's mel scale
    centre = torch.linspace(lowest, highest, config.n_mels + 2, device=device)[1:-1]
    outside = centre < _uniform(n_clips, lowest, low, device)[:, None]
    outside |= centre > _uniform(n_clips, high, highest, device)[:, None]
    outside &= torch.rand(n_clips, 1, device=device) < probability
    damping = _uniform(n_clips, 20, 80, device)[:, None, None] * math.log(10) / 10 / config.log_mel_std
    floor = (math.log(config.log_floor) - config.log_mel_mean) / config.log_mel_std
    return torch.where(outside[..., None], (spectrogram - damping).clamp(min=floor), spectrogram)


def _uniform(n: int, low: float, high: float, device: torch.device) -> torch.Tensor:
    return low + (high - low) * torch.rand(n, device=device)
