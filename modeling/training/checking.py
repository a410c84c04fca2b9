"""Reads every clip once before training, so that all that is wrong is said at once."""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import datasets.config
import numpy as np
from datasets import Dataset, DatasetDict
from tqdm import tqdm

from data_scripts.staging import whole_file
from data_scripts.terminal import listed
from modeling import decoding_mel_cnn, recording_mel_cnn, speech_mel_cnn
from modeling.speech_mel_cnn import why_no_speech
from modeling.training.data import DataArguments, Recordings, column

RULES = (decoding_mel_cnn, recording_mel_cnn, speech_mel_cnn)  # when they change, every clip is heard anew
FEW = 100  # clips up to which no progress is shown
NAMED = 5  # clips of a kind whose names are given where nothing is wrong


@dataclass(frozen=True)
class Finding:
    """What was found in one recording.

    Args:
        fault: Why it cannot be heard, or None.
        seconds, sampling_rate: Its length, and its own rate in Hz; 0 where it cannot be heard.
        is_cut_off: Whether it holds less than it says.
        no_speech: Why it is no speech, or None.
    """

    fault: str | None = None
    seconds: float = 0.0
    sampling_rate: float = 0
    is_cut_off: bool = False
    no_speech: str | None = None


def check_clips(
    splits: DatasetDict, arguments: DataArguments, sampling_rate: int = 16_000, report: Callable[[str], None] = print
) -> None:
    """Hears every clip, in parallel, says what is there, and remembers it for the next run in the cache of `datasets`.

    Args:
        splits: As `load` returns them; those that will be used.
        arguments: Names of the columns.
        sampling_rate: That of the model, Hz.
        report: Told what was found: clips, lengths, rates, classes, speakers, and what is doubtful.

    Raises:
        ValueError: Clips cannot be heard; it lists all of them.
    """
    memory = _Memory(arguments, sampling_rate)
    findings = {}
    n_clips = sum(map(len, splits.values()))
    with (
        ThreadPoolExecutor(os.cpu_count()) as pool,
        tqdm(total=n_clips, desc="hearing every clip", unit="clip", disable=n_clips <= FEW) as progress,
    ):
        for name, split in splits.items():
            recordings = Recordings(split, arguments)

            def find(index: int, recordings: Recordings = recordings) -> Finding:
                finding = memory.recall(recordings, index, sampling_rate)
                progress.update()
                return finding

            findings[name] = list(pool.map(find, range(len(split))))
    memory.keep(report)
    faults = [f"{name}: {one.fault}" for name, found in findings.items() for one in found if one.fault]
    if faults:
        raise ValueError(listed(faults, f"{len(faults)} of {n_clips} clips cannot be heard"))
    for name, split in splits.items():
        for line in describe(name, split, findings[name], arguments):
            report(line)


def describe(name: str, data: Dataset, findings: list[Finding], arguments: DataArguments) -> list[str]:
    """What a split holds, in lines."""
    seconds = np.array([finding.seconds for finding in findings])
    rates = ", ".join(f"{rate:,} Hz" for rate in sorted({finding.sampling_rate for finding in findings}))
    labels = data.features[arguments.label_column_name].names
    counts = Counter(labels[index] for index in data[arguments.label_column_name])
    lengths = f"{seconds.min():.1f} to {seconds.max():.1f} s, {np.median(seconds):.1f} s in the median"
    lines = [
        f"{name}: {len(data):,} clips, {seconds.sum() / 3600:.2f} h; {lengths}; {rates}",
        f"  classes: {', '.join(f'{label} {counts[label]:,}' for label in labels)}",
    ]
    speakers = column(data, arguments.speaker_column_name)
    known = {speaker for speaker in speakers if speaker is not None}
    if known:
        unknown = f"; clips of nobody known: {speakers.count(None):,}" if None in speakers else ""
        lines.append(f"  speakers: {len(known):,}{unknown}")
    conflicts = sum(map(bool, column(data, "label_conflict", False)))
    if conflicts:
        lines.append(
            f"  left out of training: {conflicts:,} clips that are known to be labelled wrongly (label_conflict)"
        )
    recordings = Recordings(data, arguments)
    cut_off = [index for index, finding in enumerate(findings) if finding.is_cut_off]
    if cut_off:
        lines.append(f"  {len(cut_off):,} break off and are heard as far as they go: {_names(recordings, cut_off)}")
    for reason in sorted({finding.no_speech for finding in findings if finding.no_speech}):
        found = [index for index, finding in enumerate(findings) if finding.no_speech == reason]
        lines.append(f"  no speech, but trained on all the same: {_names(recordings, found)} ({reason.split('.')[0]})")
    return lines


def _names(recordings: Recordings, indices: list[int]) -> str:
    names = [recordings.name(index) for index in indices[:NAMED]]
    return ", ".join(names) + (f" and {len(indices) - NAMED:,} more" if len(indices) > NAMED else "")


class _Memory:
    """What was found before in recordings of the same content, by the same rules."""

    def __init__(self, arguments: DataArguments, sampling_rate: int):
        rules = b"".join(Path(module.__file__).read_bytes() for module in RULES)
        self.rules = f"{_digest(rules)} {sampling_rate}"
        dataset = f"{os.path.abspath(arguments.dataset_name or '')} {arguments.dataset_config_name}"
        self.file = Path(datasets.config.HF_DATASETS_CACHE, "clips-heard", f"{_digest(dataset.encode())}.json")
        try:
            self.known = json.loads(self.file.read_text())
        except (OSError, ValueError):
            self.known = {}
        if not isinstance(self.known, dict) or self.known.get("rules") != self.rules:
            self.known = {}
        self.found = {"rules": self.rules}

    def recall(self, recordings: Recordings, index: int, sampling_rate: int) -> Finding:
        source = recordings.source(index)
        key = _key(source)
        try:
            finding = Finding(**self.known[key])
        except (KeyError, TypeError):
            finding = _hear(recordings, index, sampling_rate)
        if not finding.fault:  # a fault's words hold a name, and are for the file as it stands
            self.found[key] = asdict(finding)
        return finding

    def keep(self, report: Callable[[str], None]) -> None:
        """Writes it down where something is new. Without a place to write, the next run hears everything again."""
        if self.found == self.known:
            return
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(self.file) as staging:
                staging.write_text(json.dumps(self.found))
        except (OSError, ValueError) as error:
            report(f"What was heard is not remembered for the next run: {error}")


def _hear(recordings: Recordings, index: int, sampling_rate: int) -> Finding:
    try:
        recording = recordings.read(index, sampling_rate)
    except ValueError as error:
        return Finding(fault=str(error))
    return Finding(
        seconds=len(recording.waveform) / sampling_rate,
        sampling_rate=recording.source_sampling_rate,
        is_cut_off=recording.is_cut_off,
        no_speech=why_no_speech(recording.waveform, sampling_rate),
    )


def _key(source: dict | None) -> str:
    """What stands for a recording's content: a digest, or for a file its path, size and time."""
    source = source or {}
    if source.get("array") is not None:
        return _digest(repr(source).encode())
    if source.get("bytes") is not None:
        return _digest(source["bytes"])
    path = str(source.get("path"))
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return path
    return f"{os.path.abspath(path)} {status.st_size} {status.st_mtime_ns}"


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
