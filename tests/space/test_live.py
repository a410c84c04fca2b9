"""The microphone, live: what it hears when, who may use it, and for how long."""

import live
import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from tests.space.made_up import hum

RATE = 48_000  # Hz


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def heard(microphone: live.Microphone) -> list[str]:
    return [answer if isinstance(answer, str) else answer.emotion for _, answer in microphone.history]


def test_it_hears_silence_a_voice_and_a_tone_and_stamps_them_by_the_sounds_own_time(listener):
    microphone, end = live.Microphone(listener, RATE), 0
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(4 * RATE) / RATE).astype(np.float32)
    for sound in (np.zeros(2 * RATE, np.float32), hum(150, 4, rate=RATE), tone):
        for piece in np.split(sound, len(sound) // (RATE // 2)):
            end += len(piece)
            microphone.hear(piece, end)
    answers = heard(microphone)
    times = [time for time, _ in microphone.history]
    assert answers[0] == "silence" and answers[-1] == "no voice" and "sad" in answers
    assert times == sorted(times) and times[-1] == pytest.approx(10, abs=0.3)
    first = times[next(place for place, answer in enumerate(answers) if answer != "silence")]
    assert 2 <= first <= 2.6


def test_what_was_too_old_to_be_sent_is_a_gap_and_not_a_splice(listener):
    microphone = live.Microphone(listener, RATE)
    microphone.hear(hum(150, 1, rate=RATE), RATE)
    microphone.hear(hum(600, 3, rate=RATE), 20 * RATE)
    assert heard(microphone)[-1] == "happy"
    assert microphone.history[-1][0] == pytest.approx(20, abs=0.35)
    assert len(microphone.history) == 2  # of three seconds at once, the last answer alone


def test_places_are_given_in_the_order_in_which_visitors_came(listener):
    clock = Clock()
    places = live.Places(clock)
    names = [f"visitor {number}" for number in range(live.LIVE_VISITORS + 2)]
    got = [places.enter(name, listener, RATE) is not None for name in names]
    assert got == [True] * live.LIVE_VISITORS + [False, False]
    assert [places.ahead(name) for name in names[-2:]] == [0, 1]
    clock.now = 3
    for name in names[1:]:  # the first has gone without a word
        places.enter(name, listener, RATE)
    clock.now = 6
    assert places.enter(names[-1], listener, RATE) is None  # whoever waits longer comes first
    assert places.enter(names[-2], listener, RATE)
    places.leave(names[1])
    assert places.enter(names[-1], listener, RATE)


def test_a_place_is_given_for_a_time(listener):
    clock = Clock()
    places = live.Places(clock)
    places.enter("visitor", listener, RATE)
    clock.now = 3
    assert places.left("visitor") == live.LIVE_LIMIT - 3
    clock.now = live.LIVE_LIMIT + 1
    assert places.left("visitor") == 0


def test_the_page_is_answered_and_bad_requests_are_refused(listener):
    with TestClient(Starlette(routes=[live.route(lambda voice: listener)])) as page:

        def send(sound: np.ndarray, **query):
            content = (32767 * sound).astype("<i2").tobytes()
            where = {"visitor": "me", "rate": RATE, "end": 3 * RATE} | query
            return page.post(live.LIVE_PATH, params=where, content=content)

        answer = send(hum(150, 3, rate=RATE)).json()
        assert "Sad" in answer["html"] and answer["end"] == 3 * RATE and 0 < answer["left"] <= live.LIVE_LIMIT
        assert "error" not in send(np.zeros(0)).json()
        assert send(np.zeros(0), stop=1).json() == {}
        for wrong in ({"rate": 1}, {"rate": "x"}, {"end": -1}, {"end": 10**12}, {"visitor": "x" * 65}):
            assert send(np.zeros(9), **wrong).status_code == 400
        assert page.post(live.LIVE_PATH).status_code == 400
