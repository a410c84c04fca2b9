"""What reaches the log: of which kind an error is and where it was, and never what a visitor sent."""

import io
import logging
import sys
import traceback
import warnings
from pathlib import Path
from types import FrameType, ModuleType

import gradio
from gradio.exceptions import Error, InvalidPathError

MESSENGERS = (logging, traceback, warnings)  # they pass on what others say
SENTENCES = {
    InvalidPathError: "This file was not uploaded here. Upload it first (POST /gradio_api/upload), and send the path that "
    "this returns.",
    TimeoutError: "This took too long. Try again, or send less.",
}
OTHERWISE = "This could not be answered ({name}). What each endpoint takes stands at /gradio_api/info."


def keep() -> None:
    """From now on, whatever is printed or logged by anybody in this process is noted by its place alone."""
    # Messages of exceptions quote what caused them, up to whole recordings; so no text is let through at all.
    notes = sys.stderr
    sys.stdout = sys.stderr = Discreet(notes)
    for logger in logging.Logger.manager.loggerDict.values():
        if isinstance(logger, logging.Logger):  # the server's own, for one, would write past us
            logger.handlers.clear()
            logger.propagate = True
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, force=True)
    logging.root.handlers[0].setLevel(logging.WARNING)


def tell_programs() -> None:
    """Programs get a sentence for every error, also for those that Gradio would answer with null."""

    def payload(error: BaseException | None, show_error: bool) -> dict:
        told = error if isinstance(error, Error) else Error(sentence(error), print_exception=False)
        known = {name: getattr(told, name) for name in ("duration", "visible", "title")}
        return {"error": told.message, **known}

    gradio.utils.error_payload = gradio.queueing.error_payload = payload


def sentence(error: BaseException | None) -> str:
    """What a visitor is told of an error that is none of our sentences: neither paths nor the input."""
    for kind, text in SENTENCES.items():
        if isinstance(error, kind):
            return text
    return OTHERWISE.format(name=type(error).__name__)


class Discreet(io.TextIOBase):
    """A stream that notes who wrote to it, and during which error, and forgets the text.

    Args:
        notes: Where the notes go.
    """

    def __init__(self, notes: io.TextIOBase):
        self.notes, self.last = notes, ""

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self.notes.fileno()

    def flush(self) -> None:
        self.notes.flush()

    def write(self, text: str) -> int:
        if text.strip():
            error = sys.exc_info()[1]
            speaker = _speaker(sys._getframe(1))
            note = _place(speaker, speaker.f_lineno)
            if error is not None:
                note = f"{type(error).__name__} in {_origin(error)}, told by {note}"
            if note != self.last:  # a traceback is many lines of one event
                self.last = note
                self.notes.write(f"[text withheld] {note}\n")
                self.notes.flush()
        return len(text)


def _speaker(frame: FrameType) -> FrameType:
    """Who said it, behind those who pass it on."""
    while frame.f_back and _belongs(frame, MESSENGERS):
        frame = frame.f_back
    return frame


def _belongs(frame: FrameType, modules: tuple[ModuleType, ...]) -> bool:
    name = frame.f_globals.get("__name__", "")
    return any(name == module.__name__ or name.startswith(f"{module.__name__}.") for module in modules)


def _origin(error: BaseException) -> str:
    """Where an error was raised."""
    step = error.__traceback__
    while step and step.tb_next:
        step = step.tb_next
    return _place(step.tb_frame, step.tb_lineno) if step else "?"


def _place(frame: FrameType, line: int) -> str:
    path = Path(frame.f_code.co_filename)
    return f"{path.parent.name}/{path.name}:{line}"
