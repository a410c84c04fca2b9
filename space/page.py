"""What the page does for a visitor."""

import tempfile
from functools import wraps
from pathlib import Path

import gradio as gr
import pictures
import soundfile
from comparison import comparison
from following import follow
from hearing import Listener
from sent import Sent
from sentences import HINTS
from sound import loudness, pitch
from trust import worth
from visitors import Visitors, Voices


def in_sentences(show):
    """What is wrong with the input is shown instead of an answer, and so is what is wrong with the page."""

    @wraps(show)
    def shown(*arguments):
        try:
            return show(*arguments)
        except ValueError as error:
            return pictures.sentence(str(error))

    return shown


class Page:
    """The handlers of the page's events, around one checkpoint.

    Args:
        listener: What hears.
        visitors: Whose files are deleted when they leave.
    """

    def __init__(self, listener: Listener, visitors: Visitors):
        self.listener, self.visitors = listener, visitors
        self.voices = Voices(listener)

    @in_sentences
    def show_clip(self, path: str | None, request: gr.Request) -> str:
        if not path:
            return pictures.hint(HINTS["clip"])
        return pictures.clip(self._clip(path, request))

    @in_sentences
    def show_comparison(self, first: str | None, second: str | None, request: gr.Request) -> str:
        if not (first and second):
            return pictures.hint(HINTS["compare"])
        return comparison(self._clip(first, request), self._clip(second, request))

    @in_sentences
    def show_recording(self, path: str | None, window: float, step: float, pauses: bool, request: gr.Request) -> str:
        if not path:
            return pictures.hint(HINTS["recording"])
        self.visitors.remember(request.session_hash, path)
        listener = self.voices.listener(request.session_hash)
        timeline, waveform = follow(listener, path, window, step, pauses)
        return pictures.recording(timeline, waveform, self._playable(waveform, request), listener.model.csv_bytes)

    @in_sentences
    def show_batch(self, files: list[Sent], request: gr.Request) -> str:
        if not files:
            return pictures.hint(HINTS["batch"])
        self.visitors.remember(request.session_hash, *(file.path for file in files))
        listener = self.voices.listener(request.session_hash)
        return pictures.batch(listener.hear_files(files), listener.labels, listener.model.csv_bytes)

    @in_sentences
    def hear_voice(self, path: str | None, request: gr.Request) -> str:
        """Takes in a visitor's ordinary speech, against which everything is heard from then on; without it, forgets it."""
        self.voices.forget(request.session_hash)  # also where there is something wrong with the new one
        if not path:
            return pictures.hint(HINTS["voice"])
        self.visitors.remember(request.session_hash, path)
        seconds = self.voices.tell(request.session_hash, self.listener.read(path))
        return pictures.voice(request.session_hash, seconds)

    def leave(self, request: gr.Request) -> None:
        """Forgets a visitor."""
        self.voices.forget(request.session_hash)
        self.visitors.leave(request)

    def _clip(self, path: str, request: gr.Request) -> pictures.Clip:
        self.visitors.remember(request.session_hash, path)
        listener = self.voices.listener(request.session_hash)
        waveform, rate = listener.read(path), listener.sampling_rate
        answer = listener.hear(waveform)
        return pictures.Clip(
            Path(path).name,
            answer,
            listener.explain(waveform, answer),
            waveform,
            loudness(waveform, rate),
            pitch(waveform, rate),
            listener.labels,
            rate,
            worth(listener.record, answer),
            self._playable(waveform, request),
        )

    def _playable(self, waveform, request: gr.Request) -> str:
        """The address of what was heard, which every browser plays and finds every place in."""
        path = Path(tempfile.mkdtemp(dir=self.visitors.folder), "heard.wav")
        soundfile.write(path, waveform, self.listener.sampling_rate, subtype="PCM_16")
        self.visitors.remember(request.session_hash, path)
        return f"gradio_api/file={path}"
