"""The microphone, live: the page sends what it has recorded since it last did, and is told what is heard now.

A page has one request under way at a time, and sends no sound that is older than an answer hears: however busy the
server is, answers lag by one request and never pile up. The sound stays in memory.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pictures
import soxr
from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from hearing import Answer, Listener
from sound import loudness
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

LIVE_PATH = "/live"
LIVE_VISITORS = 4  # at the same time; others wait for their turn
LIVE_LIMIT = 120.0  # seconds of one stream
LIVE_WINDOW = 3.0  # seconds that a live answer hears
LIVE_PAUSE = 1.0  # seconds of quiet that are silence
LIVE_MEMORY = 60.0  # seconds
SILENT_ROOM = -45.0  # dB below full scale; a live microphone hears the room as well
GONE_AFTER = 5.0  # seconds without a word from the page
RATES = (8_000, 192_000)  # Hz, of microphones
MOST_AT_ONCE = 2  # answers that are computed at the same time


@dataclass
class Microphone:
    """What one visitor's microphone has sent: a few seconds of sound and a minute of answers."""

    sound: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.float32))  # at the microphone's rate
    end: int = 0  # of the sound, samples since the recording began
    history: list[tuple[float, Answer | None]] = field(default_factory=list)  # time in the recording, None for silence

    def hear(self, piece: np.ndarray, end: int, rate: int, listener: Listener) -> None:
        """Takes in a piece of sound, `(n_samples,)`, and puts an answer at the end of the history.

        Args:
            piece: The newest sound.
            end: Where it ends, samples since the recording began.
            rate: Of the microphone, Hz.
            listener: What hears.
        """
        if end - len(piece) != self.end:  # what lies between was too old to be sent
            self.sound = self.sound[:0]
        self.end = end
        self.sound = np.concatenate([self.sound, piece])[-round(LIVE_WINDOW * rate) :]
        silent = np.percentile(loudness(self.sound[-round(LIVE_PAUSE * rate) :], rate), 90) < SILENT_ROOM
        answer = None if silent else listener.hear(soxr.resample(self.sound, rate, listener.sampling_rate))
        now = end / rate
        self.history = [entry for entry in self.history if now - entry[0] < LIVE_MEMORY] + [(now, answer)]


class Places:
    """Who may stream: the first few, and then whoever waits longest.

    Args:
        clock: Seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self.clock = clock
        self.microphones: dict[str, Microphone] = {}
        self.began: dict[str, float] = {}
        self.seen: dict[str, float] = {}  # the page's last word, of those who stream and those who wait
        self.waiting: list[str] = []

    def enter(self, visitor: str) -> Microphone | None:
        """The visitor's microphone; None where there is no place yet."""
        now = self.clock()
        for other, last in list(self.seen.items()):
            if now - last > GONE_AFTER:
                self.leave(other)
        self.seen[visitor] = now
        if visitor not in self.microphones:
            if visitor not in self.waiting:
                self.waiting.append(visitor)
            if len(self.microphones) == LIVE_VISITORS or self.waiting[0] != visitor:
                return None
            self.waiting.remove(visitor)
            self.microphones[visitor], self.began[visitor] = Microphone(), now
        return self.microphones[visitor]

    def leave(self, visitor: str) -> None:
        """Frees a place."""
        for known in (self.microphones, self.began, self.seen):
            known.pop(visitor, None)
        if visitor in self.waiting:
            self.waiting.remove(visitor)

    def left(self, visitor: str) -> float:
        """Seconds until a visitor's time is over."""
        return max(LIVE_LIMIT - (self.clock() - self.began[visitor]), 0.0)

    def ahead(self, visitor: str) -> int:
        """How many wait before a visitor."""
        return self.waiting.index(visitor)

    def next_place(self) -> float:
        """Seconds until a place is free, at the latest."""
        return min(map(self.left, self.microphones), default=0.0)


def route(listener_of: Callable[[str], Listener]) -> Route:
    """The address that the page sends sound to.

    Args:
        listener_of: What hears for a visitor, by the name of the voice that was told beforehand, if any.
    """
    places, limiter = Places(), CapacityLimiter(MOST_AT_ONCE)

    async def hear(request: Request) -> JSONResponse:
        try:
            visitor, rate, end = (kind(request.query_params[name]) for name, kind in PARAMETERS.items())
        except (KeyError, ValueError):
            return JSONResponse({"error": "visitor, rate (Hz) and end (samples) are needed."}, 400)
        if not (RATES[0] <= rate <= RATES[1] and 0 <= end <= LIVE_LIMIT * 2 * rate and len(visitor) <= 64):
            return JSONResponse({"error": "visitor, rate or end is out of range."}, 400)
        if "stop" in request.query_params:
            places.leave(visitor)
            return JSONResponse({})
        body = await request.body()
        if (microphone := places.enter(visitor)) is None:
            return JSONResponse({"waiting": places.ahead(visitor), "seconds": round(places.next_place())})
        if not (left := places.left(visitor)):
            places.leave(visitor)
            return JSONResponse({"over": LIVE_LIMIT})
        newest = body[: len(body) // 2 * 2][-2 * round(LIVE_WINDOW * rate) :]
        piece = np.frombuffer(newest, dtype="<i2").astype(np.float32) / 32768
        if not len(piece):
            return JSONResponse({"left": left})
        listener = listener_of(request.query_params.get("voice", ""))
        await run_sync(microphone.hear, piece, end, rate, listener, limiter=limiter)
        html = pictures.live(microphone.history, listener.labels, LIVE_WINDOW, LIVE_MEMORY)
        return JSONResponse({"html": html, "end": end, "left": left})

    return Route(LIVE_PATH, hear, methods=["POST"])


PARAMETERS = {"visitor": str, "rate": int, "end": int}
