"""The microphone, live: the page sends what it has recorded since it last did, and is told what is heard now.

A page has one request under way at a time, and sends no sound that is older than an answer hears: however busy the
server is, answers lag by one request and never pile up. The sound stays in memory.
"""

import time
from collections.abc import Callable

import numpy as np
import pictures
from advice import about_sound, no_voice
from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from following import SHORTEST_JUDGED, Silence
from hearing import Answer, Listener
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

LIVE_PATH = "/live"
LIVE_VISITORS = 4  # at the same time; others wait for their turn
LIVE_LIMIT = 120.0  # seconds of one stream
LIVE_WINDOW = 3.0  # seconds that a live answer hears
LIVE_PAUSE = 1.0  # seconds of quiet that are silence
LIVE_UPDATE = 0.3  # seconds from one answer to the next, unless a voice begins or ends
LIVE_MEMORY = 60.0  # seconds
SILENT_ROOM = -45.0  # dB below full scale; a live microphone hears the room as well
GONE_AFTER = 5.0  # seconds without a word from the page
RATES = (8_000, 192_000)  # Hz, of microphones
MOST_AT_ONCE = 2  # answers that are computed at the same time


class Microphone:
    """What one visitor's microphone has sent: a few seconds of sound, and a minute of answers.

    Args:
        listener: What hears.
        rate: Of the microphone, Hz.
    """

    def __init__(self, listener: Listener, rate: int):
        self.listener, self.rate = listener, rate
        options = {"window": LIVE_WINDOW, "hop": LIVE_UPDATE, "quiet": SILENT_ROOM, "pause": LIVE_PAUSE}
        self.stream = listener.model.stream(rate, **options)
        self.began = self.end = 0  # of what the stream has heard, samples since the recording began
        self.history: list[tuple[float, Answer | Silence]] = []  # time in the recording, seconds

    def hear(self, piece: np.ndarray, end: int) -> None:
        """Takes in a piece of sound, and puts what is heard at its end, if that falls due, at the end of the history.

        Args:
            piece: The newest sound, `(n_samples,)`.
            end: Where it ends, samples since the recording began.
        """
        if end - len(piece) != self.end:  # what lies between was too old to be sent
            self.stream.reset()
            self.began = end - len(piece)
        self.end = end
        for heard in self.stream.push(piece, latest=True):
            now = self.began / self.rate + heard.end
            self.history = [entry for entry in self.history if now - entry[0] < LIVE_MEMORY]
            self.history.append((now, self._answer(heard)))

    def _answer(self, heard) -> Answer | Silence:
        rate = self.listener.sampling_rate
        waveform = self.stream.heard[-round(LIVE_WINDOW * rate) :]
        if heard.probabilities is None:
            return "silence"
        if len(waveform) >= SHORTEST_JUDGED * rate and no_voice(waveform, rate):
            return "no voice"
        return self.listener.answer(heard.probabilities.tolist(), about_sound(waveform, rate), heard.unlikeness)


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

    def enter(self, visitor: str, listener: Listener, rate: int) -> Microphone | None:
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
            self.microphones[visitor], self.began[visitor] = Microphone(listener, rate), now
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
        body, voice = await request.body(), request.query_params.get("voice", "")
        if (microphone := places.enter(visitor, listener_of(voice), rate)) is None:
            return JSONResponse({"waiting": places.ahead(visitor), "seconds": round(places.next_place())})
        if not (left := places.left(visitor)):
            places.leave(visitor)
            return JSONResponse({"over": LIVE_LIMIT})
        newest = body[: len(body) // 2 * 2][-2 * round(LIVE_WINDOW * rate) :]
        piece = np.frombuffer(newest, dtype="<i2").astype(np.float32) / 32768
        if not len(piece):
            return JSONResponse({"left": left})
        await run_sync(microphone.hear, piece, end, limiter=limiter)
        labels = microphone.listener.labels
        html = pictures.live(microphone.history, labels, LIVE_WINDOW, LIVE_MEMORY) if microphone.history else None
        return JSONResponse({"html": html, "end": end, "left": left})

    return Route(LIVE_PATH, hear, methods=["POST"])


PARAMETERS = {"visitor": str, "rate": int, "end": int}
