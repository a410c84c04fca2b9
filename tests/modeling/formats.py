"""A voice in every format that libsndfile reads, for tests of readers."""

import io

import numpy as np
import soundfile

from tests.modeling.tiny import voice

RATE = 16_000


def wav(waveform: np.ndarray, rate: int = RATE, **options) -> bytes:
    """A file's content, a WAV of 16 bits unless the options say otherwise."""
    content = io.BytesIO()
    soundfile.write(content, waveform, rate, **{"format": "WAV", **options})
    return content.getvalue()


def patched(content: bytes, chunk: bytes, offset: int, value: bytes) -> bytes:
    """The content with other bytes at so many bytes after the name of a chunk."""
    position = content.index(chunk) + offset
    return content[:position] + value + content[position + len(value) :]


def big_endian(waveform: np.ndarray) -> bytes:
    content = io.BytesIO()
    with soundfile.SoundFile(content, "w", RATE, 1, "PCM_16", "BIG", "WAV") as file:
        file.write(waveform)
    return content.getvalue()


VOICE = voice(2.0)
SIXTEEN = {"atol": 1 / 32_768}
LOSSY = {"atol": 0.12}
# What stands in the file, and how near to the voice it is heard. Codecs with blocks of their own add a few samples at the end.
FORMATS = {
    "wav": (wav(VOICE), SIXTEEN),
    "wav-24": (wav(VOICE, subtype="PCM_24"), SIXTEEN),
    "wav-float": (wav(VOICE, subtype="FLOAT"), {"atol": 0}),
    "wav-double": (wav(VOICE, subtype="DOUBLE"), SIXTEEN),
    "wav-8": (wav(VOICE, subtype="PCM_U8"), {"atol": 0.01}),
    "wav-alaw": (wav(VOICE, subtype="ALAW"), {"atol": 0.02}),
    "wav-mulaw": (wav(VOICE, subtype="ULAW"), {"atol": 0.02}),
    "wav-ima-adpcm": (wav(VOICE, subtype="IMA_ADPCM"), LOSSY),
    "wav-ms-adpcm": (wav(VOICE, subtype="MS_ADPCM"), LOSSY),
    "wav-gsm": (wav(VOICE, subtype="GSM610"), {"atol": 0.2}),
    "rifx": (big_endian(VOICE), SIXTEEN),
    "wav-of-a-stream": (patched(patched(wav(VOICE), b"RIFF", 4, b"\xff" * 4), b"data", 4, b"\xff" * 4), SIXTEEN),
    "wav-without-sizes": (patched(patched(wav(VOICE), b"RIFF", 4, b"\0" * 4), b"data", 4, b"\0" * 4), SIXTEEN),
    "rifx-without-sizes": (patched(big_endian(VOICE), b"data", 4, b"\0" * 4), SIXTEEN),
    "wav-stereo": (wav(np.stack([VOICE, VOICE], axis=1)), SIXTEEN),
    "wav-one-ear": (wav(np.stack([VOICE, np.zeros_like(VOICE)], axis=1) * 1.9), {"scale": 0.95, **SIXTEEN}),
    "wav-5.1": (wav(np.stack([VOICE] * 6, axis=1), format="WAVEX"), SIXTEEN),
    "w64": (wav(VOICE, format="W64"), SIXTEEN),
    "rf64": (wav(VOICE, format="RF64"), SIXTEEN),
    "aiff": (wav(VOICE, format="AIFF"), SIXTEEN),
    "aiff-c": (wav(VOICE, format="AIFF", subtype="FLOAT"), {"atol": 0}),
    "au": (wav(VOICE, format="AU"), SIXTEEN),
    "au-without-size": (patched(wav(VOICE, format="AU"), b".snd", 8, b"\0" * 4), SIXTEEN),
    "caf": (wav(VOICE, format="CAF"), SIXTEEN),
    "caf-alac": (wav(VOICE, format="CAF", subtype="ALAC_16"), SIXTEEN),
    "flac": (wav(VOICE, format="FLAC"), SIXTEEN),
    "flac-of-a-stream": (patched(wav(VOICE, format="FLAC"), b"fLaC", 22, b"\0" * 4), SIXTEEN),
    "ogg-vorbis": (wav(VOICE, format="OGG", subtype="VORBIS"), LOSSY),
    "ogg-opus": (wav(VOICE, format="OGG", subtype="OPUS"), {"atol": 0.2}),
    "mp3": (wav(VOICE, format="MP3"), LOSSY),
}
