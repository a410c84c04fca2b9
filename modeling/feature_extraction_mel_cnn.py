"""Feature extractor of the mel-spectrogram CNN: waveforms in, padded batch and mask out."""

import os
from collections.abc import Iterator

import numpy as np
from transformers import BatchFeature, SequenceFeatureExtractor
from transformers.utils import TensorType

from .recording_mel_cnn import CUT, LARGEST_PEAK, LONGEST, read_recording, stream_recording
from .speech_mel_cnn import why_no_speech


class MelCNNFeatureExtractor(SequenceFeatureExtractor):
    """Reads recordings, checks mono waveforms and pads them to one length. The log-mel spectrogram is part of the model.

    Args:
        feature_size: Values per time step; a waveform has one.
        sampling_rate: Rate that the model was trained at, Hz.
        padding_value: Silence.
    """

    model_input_names = ["input_values", "attention_mask"]

    def __init__(self, feature_size: int = 1, sampling_rate: int = 16_000, padding_value: float = 0.0, **kwargs):
        super().__init__(feature_size=feature_size, sampling_rate=sampling_rate, padding_value=padding_value, **kwargs)

    def __call__(
        self,
        raw_speech: np.ndarray | list,
        sampling_rate: int | None = None,
        padding: bool | str = True,
        max_length: int | None = None,
        truncation: bool = False,
        pad_to_multiple_of: int | None = None,
        return_attention_mask: bool | None = None,
        return_tensors: str | TensorType | None = None,
    ) -> BatchFeature:
        """Pads one waveform or several.

        Args:
            raw_speech: Mono waveform of shape `(n_samples,)`, floats with full scale at 1.0, or a list of them. A batch
                as one array `(batch, n_samples)` is taken where it cannot be stereo: one row, or more than two rows that
                are longer than there are rows.
            sampling_rate: Rate of `raw_speech`, Hz; it has to be given.
            padding, max_length, truncation, pad_to_multiple_of, return_attention_mask, return_tensors: As in
                [`SequenceFeatureExtractor.pad`]; lengths in samples.

        Returns:
            `input_values` of shape `(batch, n_samples)` and `attention_mask` of the same shape, 1 on real samples.

        Raises:
            ValueError: The rate is missing or not the model's, or a waveform is not mono, empty, not finite, not
                floating point or far above full scale.
        """
        if sampling_rate != self.sampling_rate:
            given = "no sampling_rate was given" if sampling_rate is None else f"the audio is at {sampling_rate} Hz"
            raise ValueError(
                f"The model hears audio at {self.sampling_rate} Hz, but {given}. Read files by "
                f"feature_extractor.read(path), or resample (soxr.resample), and pass sampling_rate={self.sampling_rate}."
            )
        if pad_to_multiple_of is not None and pad_to_multiple_of < 1:
            raise ValueError(f"pad_to_multiple_of is {pad_to_multiple_of}, but it has to be at least 1 sample.")
        waveforms = [_checked_waveform(waveform) for waveform in _as_list(raw_speech)]
        return self.pad(
            {"input_values": waveforms},
            padding=padding,
            max_length=max_length,
            truncation=truncation,
            pad_to_multiple_of=pad_to_multiple_of,
            return_attention_mask=return_attention_mask,
            return_tensors=return_tensors,
        )

    def read(
        self,
        source: str | os.PathLike | bytes | dict,
        longest: float = LONGEST,
        name: str | None = None,
        remedy: str = CUT,
    ) -> np.ndarray:
        """Reads a recording of any format, rate and number of channels: soundfile first, the program ffmpeg for the rest.

        Args:
            source: A path; the content of a file; or a row of an audio column, undecoded (`{"bytes", "path"}`) or as an
                array (`{"array", "sampling_rate"}`).
            longest: Limit, seconds.
            name: What messages call the recording; its path where absent.
            remedy: What they say of one that is too long.

        Returns:
            Mean of the channels at `sampling_rate`, float32 with full scale at 1.0, `(n_samples,)`.

        Raises:
            ValueError: It is not there, cannot be read, is empty, damaged, too long, not finite, not scaled, or of no
                sensible rate or number of channels. The message names the recording, the fact and the remedy.
            ImportError: soundfile or soxr is not installed.

        Example:
            >>> waveform = feature_extractor.read("clip.wav")  # doctest: +SKIP
            >>> feature_extractor(waveform, sampling_rate=feature_extractor.sampling_rate)  # doctest: +SKIP
        """
        return read_recording(source, self.sampling_rate, longest, name, remedy).waveform

    def stream(
        self, source: str | os.PathLike | bytes | dict, longest: float = float("inf"), name: str | None = None
    ) -> Iterator[np.ndarray]:
        """The samples of [`read`] in pieces, for recordings that are too long to be held in memory."""
        return stream_recording(source, self.sampling_rate, longest, name)

    def why_no_speech(self, waveform: np.ndarray) -> str | None:
        """Says why a waveform `(n_samples,)` at `sampling_rate` can be no speech at all; None where it may be some.

        The same rule for everybody who answers: silence, a steady tone, clipped throughout. The sentence has no subject,
        such as "holds only silence. Check the microphone, and speak closer to it."
        """
        return why_no_speech(np.asarray(waveform), self.sampling_rate)


def _as_list(raw_speech) -> list:
    """One waveform becomes a batch of one; a list of numbers is one waveform."""
    if isinstance(raw_speech, (list, tuple)):
        if len(raw_speech) == 0:
            raise ValueError("The batch has 0 waveforms; pass at least 1.")
        return (
            [raw_speech] if np.isscalar(raw_speech[0]) or getattr(raw_speech[0], "ndim", 1) == 0 else list(raw_speech)
        )
    raw_speech = _as_array(raw_speech)
    if raw_speech.ndim == 2 and (len(raw_speech) == 1 or 2 < len(raw_speech) < raw_speech.shape[1]):
        return list(raw_speech)
    return [raw_speech]


def _as_array(waveform) -> np.ndarray:
    """An array of whatever holds numbers; of a tensor on any device, in any precision, with or without gradients."""
    if hasattr(waveform, "detach"):
        waveform = waveform.detach().cpu()
        waveform = waveform.float() if waveform.is_floating_point() else waveform
    try:
        return np.asarray(waveform)
    except (ValueError, TypeError):
        raise ValueError(
            "The waveform is no array of numbers: its parts differ in length or kind. Pass floats of shape (n_samples,)."
        ) from None


def _checked_waveform(waveform) -> np.ndarray:
    """The waveform as float32 of shape `(n_samples,)`, or a `ValueError` that says what is wrong with it."""
    waveform = _as_array(waveform)
    if waveform.ndim != 1:
        raise ValueError(
            f"A waveform has 1 dimension, (n_samples,), but this one has shape {waveform.shape}. Mix its channels down "
            "to mono (average over the channel axis); pass several clips as a list."
        )
    if waveform.size == 0:
        raise ValueError("The waveform has 0 samples; at least 1 is needed. Leave empty clips out.")
    if not np.issubdtype(waveform.dtype, np.floating):
        raise ValueError(
            f"The waveform is {waveform.dtype}, but floats with full scale at 1.0 are needed. Divide 16-bit integers by "
            "32768: waveform.astype('float32') / 32768."
        )
    n_bad = int((~np.isfinite(waveform)).sum())
    if n_bad:
        raise ValueError(
            f"{n_bad} of the waveform's {waveform.size} samples are NaN or infinite. Repair or drop the clip."
        )
    peak = max(waveform.max(), -waveform.min())
    if peak > LARGEST_PEAK:
        raise ValueError(
            f"The waveform's peak is {peak:g}, but full scale is 1.0. Divide what were 16-bit integers by 32768."
        )
    return waveform.astype(np.float32, copy=False)


MelCNNFeatureExtractor.register_for_auto_class()

__all__ = ["MelCNNFeatureExtractor"]
