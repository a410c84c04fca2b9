"""Recordings on disk: which files an argument names, and what they sound like to a model."""

import glob
from pathlib import Path

import torch
from transformers.audio_utils import load_audio

AUDIO_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".aif", ".aiff", ".aifc", ".au", ".m4a", ".webm")
LONGEST = 600  # seconds that are heard at once


def find_audio(argument: str | Path) -> list[Path]:
    """The files that a path, a folder (searched to any depth) or a glob names, in alphabetical order.

    Raises:
        ValueError: It names none.
    """
    path = Path(argument)
    matches = [path] if path.exists() else [Path(match) for match in sorted(glob.glob(str(path), recursive=True))]
    files = [file for match in matches for file in (_audio_inside(match) if match.is_dir() else [match])]
    if files:
        return files
    if matches:
        raise ValueError(f"no audio in {argument}: no file there ends in {', '.join(AUDIO_SUFFIXES)}")
    fact = "nothing matches" if glob.has_magic(str(path)) else "there is no file or folder"
    raise ValueError(f"{fact} {argument}: check the spelling")


def _audio_inside(folder: Path) -> list[Path]:
    files = (path for path in folder.rglob("*") if path.suffix.lower() in AUDIO_SUFFIXES and path.is_file())
    return sorted(path for path in files if not path.name.startswith("."))


def read_waveform(path: str | Path, feature_extractor, longest: float = LONGEST) -> torch.Tensor:
    """Reads a file as a mono waveform at the model's rate.

    Args:
        path: Audio file of any rate and number of channels.
        feature_extractor: From [`load_model`].
        longest: Limit, seconds.

    Returns:
        Waveform of shape `(n_samples,)`.

    Raises:
        ValueError: It cannot be decoded, is empty, not finite or too long.
    """
    rate = feature_extractor.sampling_rate
    try:
        waveform = load_audio(str(path), sampling_rate=rate)
    except (OSError, RuntimeError, ValueError, ImportError) as error:
        fault = "the file has 0 samples" if "No audio frames" in str(error) else error  # torchcodec's words for it
        raise ValueError(f"cannot be decoded: {fault}") from error
    waveform = feature_extractor(waveform, sampling_rate=rate, return_tensors="pt")["input_values"][0]
    if len(waveform) > longest * rate:
        raise ValueError(
            f"lasts {len(waveform) / rate:.0f} s, but at most {longest} s are heard at once: --window 3 --hop 1 gives a "
            "timeline"
        )
    return waveform
