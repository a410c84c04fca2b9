"""What the Space hears: decodes a clip, asks the checkpoint, follows loudness and pitch."""

import json
import os
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch
from huggingface_hub import metadata_load
from transformers import AutoFeatureExtractor, AutoModelForAudioClassification
from transformers.audio_utils import load_audio
from transformers.utils import cached_file

SHORTEST_CLIP = 0.1  # seconds
LONGEST_CLIP = 60  # seconds
LONGEST_RECORDING = 15 * 60  # seconds
MOST_WINDOWS = 900  # of one recording
SHORTEST_WINDOW, LONGEST_WINDOW = 0.5, 30.0  # seconds
MOST_FILES = 50  # at once
LIVE_WINDOW = 3.0  # seconds that a live answer hears
LIVE_PAUSE = 1.0  # seconds of quiet that are silence
LIVE_UPDATE = 0.35  # seconds from one live answer to the next, at least
LIVE_MEMORY = 60.0  # seconds
MOST_SAMPLES = 100_000_000  # of one file before resampling, all channels: 400 MB in memory
SILENT_CLIP = -60.0  # dB below full scale; recordings of actors go down to -50
SILENT_ROOM = -45.0  # dB below full scale; a live microphone hears the room as well
FRAME = 0.025  # seconds
TRACK_STEP = 0.01  # seconds
LOWEST_PITCH, HIGHEST_PITCH = 60.0, 600.0  # Hz
MOST_PITCHES = 1_000  # in one clip

CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,aac,amr,asf,caf"  # what phones and browsers record


@dataclass(frozen=True)
class Answer:
    """What the checkpoint says about one clip."""

    probabilities: dict[str, float]
    unsure_threshold: float

    @property
    def emotion(self) -> str:
        return max(self.probabilities, key=self.probabilities.get)

    @property
    def probability(self) -> float:
        return self.probabilities[self.emotion]

    @property
    def sure(self) -> bool:
        return self.probability >= self.unsure_threshold

    def as_row(self) -> dict:
        """Plain values, as the endpoints return them."""
        rounded = {label: round(probability, 4) for label, probability in self.probabilities.items()}
        return {
            "emotion": self.emotion,
            "probability": round(self.probability, 4),
            "sure": self.sure,
            "probabilities": rounded,
        }


@dataclass(frozen=True)
class Evidence:
    """What a picture of one clip shows; all of it on the frames of the spectrogram."""

    spectrogram: np.ndarray  # (n_mels, n_frames), normalised log-mel
    evidence: np.ndarray  # (n_mels, n_frames), 0 to 1


@dataclass(frozen=True)
class Timeline:
    """Start and end (seconds) of every window with its answer, None where nobody speaks."""

    windows: list[tuple[float, float, Answer | None]]
    labels: list[str]

    @property
    def n_silent(self) -> int:
        return sum(answer is None for _, _, answer in self.windows)

    @property
    def overall(self) -> dict[str, float]:
        """Mean probabilities where somebody speaks; empty where nobody does."""
        heard = [list(answer.probabilities.values()) for _, _, answer in self.windows if answer]
        return dict(zip(self.labels, np.mean(heard, axis=0).round(4).tolist(), strict=True)) if heard else {}

    def as_rows(self) -> list[dict]:
        """Plain values, as the endpoint returns them."""
        silence = {"emotion": "silence", "probability": None, "sure": None, "probabilities": None}
        return [
            {"start": start, "end": end, **(answer.as_row() if answer else silence)}
            for start, end, answer in self.windows
        ]


@dataclass
class Microphone:
    """What one visitor's microphone has sent: a few seconds of sound and a minute of answers."""

    sound: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.float32))  # at the microphone's rate
    history: list[tuple[float, Answer | None]] = field(default_factory=list)  # time in seconds, None for silence
    answered: float = 0.0  # time of the last answer, seconds

    def hear(self, path: str, listener: "Listener") -> bool:
        """Takes in one piece of sound; True where there is a new answer at the end of the history."""
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        now = time.monotonic()
        if now - self.answered > LIVE_WINDOW:
            self.sound = self.sound[:0]
        self.sound = np.concatenate([self.sound, samples.mean(1)])[-round(LIVE_WINDOW * rate) :]
        if now - self.answered < LIVE_UPDATE:
            return False
        self.answered = now
        silent = np.percentile(loudness(self.sound[-round(LIVE_PAUSE * rate) :], rate), 90) < SILENT_ROOM
        answer = None if silent else listener.hear(soxr.resample(self.sound, rate, listener.sampling_rate))
        self.history = [entry for entry in self.history if now - entry[0] < LIVE_MEMORY] + [(now, answer)]
        return True


class Listener:
    """A checkpoint that is ready to hear.

    Args:
        model_id: A folder, or `owner/name@commit` on the Hub.

    Raises:
        ValueError: The folder holds no checkpoint, or the commit is missing.
    """

    def __init__(self, model_id: str):
        name, revision = _located(model_id)
        source = {"revision": revision, "trust_remote_code": True}
        self.model = AutoModelForAudioClassification.from_pretrained(name, **source).eval()
        self.model = self.model.to(memory_format=torch.channels_last)  # batches in half the time on a CPU
        self.feature_extractor = AutoFeatureExtractor.from_pretrained(name, **source)
        self.config = self.model.config
        self.labels = [self.config.id2label[index] for index in range(self.config.num_labels)]
        self.sampling_rate = int(self.config.sampling_rate)
        found = cached_file(name, "evaluation.json", revision=revision, _raise_exceptions_for_missing_entries=False)
        self.evaluation = json.loads(Path(found).read_text()) if found else None
        card = cached_file(name, "README.md", revision=revision, _raise_exceptions_for_missing_entries=False)
        metadata = metadata_load(card) if card else None
        self.licence = (metadata or {}).get("license")
        self.datasets = (metadata or {}).get("datasets") or []
        self.published = (name, revision) if revision else None
        self.hear(np.zeros(self.sampling_rate, dtype=np.float32))

    def load(self, path: str | None, longest: float = LONGEST_CLIP) -> np.ndarray:
        """Decodes a file of any rate and channel count to mono at the checkpoint's rate, `(n_samples,)`.

        Raises:
            ValueError: In a sentence for the visitor: nothing there, unreadable, too short, too long, silent.
        """
        if not path:
            raise ValueError("Record or upload a clip first.")
        if os.path.getsize(path) == 0:
            raise ValueError("This file is empty. Record again, or choose another file.")
        try:
            header = soundfile.info(path)
        except soundfile.LibsndfileError:
            waveform = self._load_with_ffmpeg(path, longest)
        else:
            _check_duration(header.frames / header.samplerate, longest)
            if header.frames * header.channels > MOST_SAMPLES:
                raise ValueError(
                    f"This file holds {header.frames * header.channels:,} samples in {header.channels} channels; "
                    f"{MOST_SAMPLES:,} is the most. Save it in mono, or at a lower sampling rate."
                )
            try:
                waveform = load_audio(str(path), sampling_rate=self.sampling_rate, backend="soundfile")
            except (soundfile.LibsndfileError, RuntimeError):
                raise ValueError("This file breaks off or is damaged. Save it again, or choose another one.") from None
        _check_duration(len(waveform) / self.sampling_rate, longest)
        if not np.isfinite(waveform).all():
            raise ValueError("This file holds samples that are not numbers. Save it again as 16-bit audio.")
        if loudness(waveform, self.sampling_rate).max() < SILENT_CLIP:
            raise ValueError("I hear only silence in this clip. Check the microphone, and speak closer to it.")
        return waveform

    def _load_with_ffmpeg(self, path: str, longest: float) -> np.ndarray:
        if not (program := shutil.which("ffmpeg")):
            raise ValueError("I cannot read this file. Upload it as WAV, FLAC, MP3 or OGG.")
        command = [program, "-nostdin", "-v", "error", "-protocol_whitelist", "file", "-format_whitelist", CONTAINERS]
        command += ["-i", f"file:{path}", "-vn", "-ac", "1", "-ar", str(self.sampling_rate), "-t", str(longest + 1)]
        decoded = subprocess.run([*command, "-f", "f32le", "-"], capture_output=True, check=False, timeout=60)
        if decoded.returncode or not decoded.stdout:
            raise ValueError("I cannot read this file as audio. Upload it as WAV, FLAC, MP3, OGG or M4A.")
        return np.frombuffer(decoded.stdout, dtype=np.float32)

    def hear_files(self, paths: list[str] | None) -> list[dict]:
        """A row for each file: its name and its answer, or the problem with it.

        Raises:
            ValueError: There is none, or there are more than `MOST_FILES`.
        """
        if not paths:
            raise ValueError("Upload one clip or more first.")
        if len(paths) > MOST_FILES:
            raise ValueError(f"These are {len(paths)} files; {MOST_FILES} is the most at once. Upload fewer.")
        rows = []
        for path in paths:
            try:
                rows.append({"file": Path(path).name, **self.hear(self.load(path)).as_row()})
            except ValueError as error:
                rows.append({"file": Path(path).name, "problem": str(error)})
        return rows

    @torch.inference_mode()
    def hear(self, waveform: np.ndarray) -> Answer:
        """Classifies one clip, `(n_samples,)`."""
        logits = self.model(**self._inputs(waveform)).logits[0]
        return self._answer(logits.float().softmax(-1).tolist())

    def explain(self, waveform: np.ndarray, answer: Answer) -> Evidence:
        """What in a clip spoke for an answer."""
        inputs = self._inputs(waveform)
        evidence = self.model.saliency(**inputs, label=self.labels.index(answer.emotion))[0]
        with torch.inference_mode():
            spectrogram = self.model.mel_cnn.log_mel(torch.from_numpy(waveform)[None], None)[0][0]
        n_frames = min(evidence.shape[-1], len(waveform) // self.config.hop_length + 1)
        return Evidence(spectrogram[:, :n_frames].numpy(), evidence[:, :n_frames].numpy())

    def follow(self, path: str | None, window: float, step: float) -> "Timeline":
        """Follows the emotions through a recording.

        Args:
            path: The recording.
            window: Length of the window that one answer hears, seconds.
            step: From the start of one window to the next, seconds.

        Raises:
            ValueError: As `load`; or window or step are out of range, or make more than `MOST_WINDOWS` windows.
        """
        for name, seconds in (("window", window), ("step", step)):
            if seconds is None or not SHORTEST_WINDOW <= seconds <= LONGEST_WINDOW:
                raise ValueError(f"The {name} is {seconds} s; {SHORTEST_WINDOW} to {LONGEST_WINDOW} s are possible.")
        waveform = self.load(path, LONGEST_RECORDING)
        n_windows = len(waveform) / self.sampling_rate / step
        if n_windows > MOST_WINDOWS:
            raise ValueError(
                f"A step of {step:g} s makes {n_windows:.0f} windows of this recording; {MOST_WINDOWS} is the most. "
                "Choose a longer step."
            )
        spans, probabilities = self.model.timeline(torch.from_numpy(waveform), window, step)
        answers = []
        for (start, end), values in zip(spans.tolist(), probabilities.tolist(), strict=True):
            heard = waveform[round(start * self.sampling_rate) : round(end * self.sampling_rate)]
            silent = loudness(heard, self.sampling_rate).max() < SILENT_CLIP
            answers.append((round(start, 3), round(end, 3), None if silent else self._answer(values)))
        return Timeline(answers, self.labels)

    def _inputs(self, waveform: np.ndarray) -> dict:
        # Few different lengths keep the convolution kernels that oneDNN caches, and with them the memory, few.
        return self.feature_extractor(
            waveform, sampling_rate=self.sampling_rate, pad_to_multiple_of=self.sampling_rate // 2, return_tensors="pt"
        )

    def _answer(self, probabilities: list[float]) -> Answer:
        return Answer(dict(zip(self.labels, probabilities, strict=True)), self.config.unsure_threshold)


def loudness(waveform: np.ndarray, sampling_rate: int) -> np.ndarray:
    """Root mean square in frames of 25 ms every 10 ms, dB below full scale, `(n_frames,)`."""
    frame, step = round(FRAME * sampling_rate), round(TRACK_STEP * sampling_rate)
    padded = np.pad(waveform.astype(np.float64), (frame // 2, frame))
    energy = np.concatenate([[0.0], np.cumsum(padded**2)])
    starts = np.arange(0, len(waveform), step)
    return 10 * np.log10(np.maximum(energy[starts + frame] - energy[starts], 0) / frame + 1e-12)


def pitch(waveform: np.ndarray, sampling_rate: int) -> np.ndarray:
    """Fundamental frequency, Hz, `(n_frames,)`, every 10 ms of a clip of ten seconds, and as many times in a longer one.

    YIN (de Cheveigné and Kawahara, 2002): the first lag at which a frame all but repeats itself. NaN where none does.
    """
    levels = loudness(waveform, sampling_rate)
    stride = -(-len(levels) // MOST_PITCHES)
    width, longest, step = (round(seconds * sampling_rate) for seconds in (0.03, 1 / LOWEST_PITCH, TRACK_STEP * stride))
    padded = np.pad(waveform, ((width + longest) // 2, width + longest))
    frames = np.lib.stride_tricks.sliding_window_view(padded, width + longest)[: len(waveform) : step]
    spectrum = np.fft.rfft(frames, 2 * width + longest)
    likeness = np.fft.irfft(spectrum * np.fft.rfft(frames[:, :width], 2 * width + longest).conj())[:, : longest + 1]
    energy = np.cumsum(np.pad(frames.astype(np.float64) ** 2, ((0, 0), (1, 0))), axis=1)
    energy = energy[:, width:] - energy[:, : longest + 1]  # of the part that starts at each lag
    difference = np.maximum(energy[:, :1] + energy - 2 * likeness, 0)
    lags = np.arange(1, longest + 1)
    relative = difference[:, 1:] * lags / np.maximum(np.cumsum(difference[:, 1:], axis=1), 1e-9)
    dips = (relative[:, 1:-1] < 0.2) & (relative[:, 1:-1] <= relative[:, :-2]) & (relative[:, 1:-1] < relative[:, 2:])
    dips &= lags[1:-1] > sampling_rate / HIGHEST_PITCH
    first = dips.argmax(axis=1) + 1
    before, dip, after = (np.take_along_axis(relative, first[:, None] + shift, axis=1)[:, 0] for shift in (-1, 0, 1))
    bend = np.where(dips.any(axis=1), before - 2 * dip + after, 1)
    lag = lags[first] + (before - after) / (2 * np.maximum(bend, 1e-9))
    voiced = dips.any(axis=1) & (levels[::stride] > SILENT_CLIP)
    return np.where(voiced, sampling_rate / lag, np.nan)


def _check_duration(seconds: float, longest: float) -> None:
    if seconds < SHORTEST_CLIP:
        raise ValueError(
            f"This clip lasts {seconds:.2f} s; at least {SHORTEST_CLIP:g} s is needed. Record a little more."
        )
    if seconds > longest:
        lasts, most = (f"{value:.0f} s" if value < 120 else f"{value / 60:.1f} minutes" for value in (seconds, longest))
        elsewhere = " or use the tab for long recordings" if longest < LONGEST_RECORDING else ""
        raise ValueError(f"This clip lasts {lasts}; {most} is the most here. Cut it{elsewhere}.")


def _located(model_id: str) -> tuple[str, str | None]:
    """Name and revision of a checkpoint; a folder has no revision."""
    if Path(model_id).is_dir():
        if not Path(model_id, "config.json").is_file():
            raise ValueError(f"{model_id} holds no checkpoint (no config.json). Name a folder that train.py wrote.")
        return model_id, None
    name, _, revision = model_id.partition("@")
    if not revision:
        raise ValueError(
            f"{model_id} is neither a folder nor owner/name@commit. The checkpoint brings its own code, so say which "
            "commit of it is trusted."
        )
    return name, revision
