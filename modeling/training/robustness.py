"""Robustness: the same clips with noise, rooms, telephones, codecs and other levels, one at a time."""

import io
import math
from collections.abc import Callable
from functools import partial

import numpy as np
import soundfile
import soxr
from datasets import Dataset
from scipy.signal import butter, fftconvolve, sosfiltfilt
from transformers import TrainingArguments

from modeling.modeling_mel_cnn import MelCNNForAudioClassification
from modeling.training.data import Clips, DataArguments
from modeling.training.evaluation import brief, evaluate_clips
from modeling.training.trainer import predict

SAMPLING_RATE = 16_000  # Hz; every condition takes and returns waveforms at this rate
N_BABBLERS = 6

Degradation = Callable[[np.ndarray, np.random.Generator, list[np.ndarray]], np.ndarray]


def measure_robustness(
    model: MelCNNForAudioClassification,
    data: Dataset,
    data_arguments: DataArguments,
    training_arguments: TrainingArguments,
    own_labels: dict[str, list[int]],
) -> dict[str, dict]:
    """Evaluates a model under every condition of `CONDITIONS`.

    Args:
        model: Hears at 16 kHz.
        data: Undecoded clips of speakers that the model does not know.
        data_arguments: Names of the columns.
        training_arguments: Device and batch size.
        own_labels: Indices of the labels of each corpus.

    Returns:
        For every condition, `clean` first, what `brief` returns.
    """
    clips = Clips(data, data_arguments, SAMPLING_RATE)
    babblers = [clips[index]["input_values"] for index in np.linspace(0, len(clips) - 1, 60).astype(int)]

    def evaluate_under(degradation: Degradation) -> dict:
        def transform(waveform: np.ndarray, index: int) -> np.ndarray:
            return degradation(waveform, np.random.default_rng(index), babblers).astype(np.float32)

        logits = predict(model, data, data_arguments, training_arguments, transform)
        probabilities = logits.softmax(-1).numpy()
        return brief(evaluate_clips(probabilities, data, data_arguments, own_labels, model.config.unsure_threshold))

    return {name: evaluate_under(degradation) for name, degradation in CONDITIONS.items()}


def clean(waveform: np.ndarray, generator: np.random.Generator, babblers: list[np.ndarray]) -> np.ndarray:
    return waveform


def white_noise(waveform, generator, babblers, ratio: float) -> np.ndarray:
    """White noise, `ratio` dB below the clip's mean power."""
    return _add(waveform, generator.standard_normal(len(waveform)), ratio)


def babble(waveform, generator, babblers, ratio: float) -> np.ndarray:
    """Six voices at once, equally loud, `ratio` dB below the clip's mean power."""
    voices = np.zeros(len(waveform))
    for index in generator.choice(len(babblers), N_BABBLERS, replace=False):
        voice = np.resize(babblers[index], len(waveform))
        voices += np.roll(voice, generator.integers(len(voice))) / (_rms(voice) or 1.0)
    return _add(waveform, voices, ratio)


def telephone(waveform, generator, babblers) -> np.ndarray:
    """A landline: 300 to 3,400 Hz, 8 kHz, mu-law (ITU-T G.711)."""
    band = butter(4, (300, 3_400), "bandpass", fs=SAMPLING_RATE, output="sos")
    narrow = soxr.resample(sosfiltfilt(band, waveform), SAMPLING_RATE, 8_000)
    return _fit(
        soxr.resample(_through_codec(narrow, 8_000, format="WAV", subtype="ULAW"), 8_000, SAMPLING_RATE), waveform
    )


def mp3(waveform, generator, babblers) -> np.ndarray:
    """MP3 at a constant 32 kbit/s."""
    level = (160 - 32) / (160 - 8)  # soundfile's 0 to 1 runs over MPEG-2's rates, from 160 down to 8 kbit/s
    options = {"format": "MP3", "bitrate_mode": "CONSTANT", "compression_level": level}
    return _fit(_through_codec(waveform, SAMPLING_RATE, **options), waveform)


def gain(waveform, generator, babblers, decibels: float) -> np.ndarray:
    """Louder or softer; what passes full scale is clipped."""
    return np.clip(waveform * 10 ** (decibels / 20), -1, 1)


def reverberation(waveform, generator, babblers) -> np.ndarray:
    """A room that decays by 60 dB in 0.5 s and sends as much energy by its walls as directly."""
    seconds = np.arange(SAMPLING_RATE // 2) / SAMPLING_RATE
    response = generator.standard_normal(len(seconds)) * np.exp(-math.log(1e3) * seconds / 0.5)
    return waveform + fftconvolve(waveform, response / np.linalg.norm(response))[: len(waveform)]


def loudest_second(waveform, generator, babblers) -> np.ndarray:
    """One second of the clip, where it is loudest."""
    if len(waveform) <= SAMPLING_RATE:
        return waveform
    energy = np.cumsum(np.concatenate([[0.0], waveform.astype(np.float64) ** 2]))
    start = int(np.argmax(energy[SAMPLING_RATE:] - energy[:-SAMPLING_RATE]))
    return waveform[start : start + SAMPLING_RATE]


CONDITIONS: dict[str, Degradation] = {
    "clean": clean,
    **{f"white noise, {ratio} dB": partial(white_noise, ratio=ratio) for ratio in (20, 10, 0)},
    **{f"babble, {ratio} dB": partial(babble, ratio=ratio) for ratio in (20, 10, 0)},
    "telephone, G.711": telephone,
    "MP3, 32 kbit/s": mp3,
    **{f"gain of {decibels:+d} dB": partial(gain, decibels=decibels) for decibels in (-20, 10)},
    "reverberation, 0.5 s": reverberation,
    "the loudest second": loudest_second,
}


def _add(waveform: np.ndarray, noise: np.ndarray, ratio: float) -> np.ndarray:
    return waveform + noise / (_rms(noise) or 1.0) * _rms(waveform) * 10 ** (-ratio / 20)


def _rms(waveform: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(waveform, dtype=np.float64))))


def _through_codec(waveform: np.ndarray, sampling_rate: int, **options) -> np.ndarray:
    encoded = io.BytesIO()
    soundfile.write(encoded, waveform, sampling_rate, **options)
    encoded.seek(0)
    return soundfile.read(encoded)[0]


def _fit(waveform: np.ndarray, like: np.ndarray) -> np.ndarray:
    """As many samples as before: resamplers and codecs add or lose a few."""
    return np.pad(waveform, (0, max(len(like) - len(waveform), 0)))[: len(like)]
