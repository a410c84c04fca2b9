"""What a visitor relies on, in Firefox too: Debian's own, which Playwright drives by WebDriver BiDi.

Firefox starts its sound only where there is something to play it, so PulseAudio stands in for loudspeaker and microphone.
"""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Browser, BrowserContext, Playwright, expect

from tests.space.browser.conftest import WAIT, opened
from tests.space.browser.test_page import assert_heard_as_by_pytorch, choose, headline, panel, rows_of, voices
from tests.space.conftest import RATE, hum, required

PREFERENCES = {"media.navigator.permission.disabled": True}  # the microphone is allowed without a question


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a sound system whose microphone hears a low hum, over and over."""
    folder = tmp_path_factory.mktemp("sound")
    address = f"unix:{folder / 'socket'}"
    low = folder / "low.wav"
    soundfile.write(low, np.tile(hum(150, 5), 60), RATE)
    environment = {**os.environ, "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder), "PULSE_SERVER": address}
    system = [required("pulseaudio"), "-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1"]
    system += ["--disable-shm", "-L", "module-null-sink"]  # what it is to play, it hears
    system += ["-L", f"module-native-protocol-unix socket={folder / 'socket'} auth-anonymous=1"]
    options = {"env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(system, **options) as server:
        try:
            until((folder / "socket").exists)
            with subprocess.Popen([required("paplay"), low], **options) as voice:
                yield address
                voice.terminate()
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def browser(playwright: Playwright, sound: str, downloads: Path) -> Iterator[Browser]:
    """Firefox in the place of Chromium."""
    firefox = playwright.firefox.launch(
        channel="moz-firefox",
        executable_path=required("firefox-esr"),
        env={**os.environ, "PULSE_SERVER": sound},
        downloads_path=downloads,
        firefox_user_prefs=PREFERENCES,
    )
    yield firefox
    firefox.close()


@pytest.fixture(autouse=True)
def complaints(context: BrowserContext) -> Iterator[list[str]]:
    """What Firefox says in its console, which is nothing."""
    said = []
    context.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    context.on("weberror", lambda error: said.append(str(error.error)))
    yield said
    assert said == []


def until(condition) -> None:
    deadline = time.monotonic() + WAIT / 1000
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_ten_voices_are_heard_as_by_pytorch(visit, model, downloads, tmp_path):
    paths = voices(tmp_path)
    page = visit("Batch")
    choose(page, *paths)
    expect(headline(page)).to_contain_text("10 of 10 clips heard", timeout=WAIT)
    panel(page).get_by_role("link", name="Download the table as CSV").click()
    table = downloads / "emotions.csv"
    until(lambda: table.exists() and table.read_bytes().count(b"\n") == 11)
    assert_heard_as_by_pytorch(rows_of(table), paths, model)


def test_the_microphone_is_heard(visit):
    page = visit("Clip")
    record(page)
    expect(headline(page)).to_contain_text("Sad", timeout=WAIT)
    page.get_by_role("tab", name="Live").click()
    page.get_by_role("button", name="Listen").click()
    expect(headline(page)).to_contain_text("Sad", timeout=WAIT)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Listen")).to_be_visible()


def test_without_a_network_after_the_first_visit(context, file_server, clips):
    page = opened(context, file_server.url)
    assert page.evaluate("navigator.serviceWorker.ready.then(({ active }) => Boolean(active))")
    page.close()
    file_server.stop()
    page = opened(context, file_server.url)
    choose(page, clips["happy.wav"])
    expect(headline(page)).to_contain_text("Happy", timeout=WAIT)
    record(page)
    expect(headline(page)).to_contain_text("Sad", timeout=WAIT)


def test_where_nothing_can_play_a_sound(playwright, file_server):
    preferences = PREFERENCES | {"media.cubeb.force_null_context": True, "media.navigator.streams.fake": True}
    firefox = playwright.firefox.launch(
        channel="moz-firefox", executable_path=required("firefox-esr"), firefox_user_prefs=preferences
    )
    page = firefox.new_page()
    page.goto(file_server.url)
    page.clock.install()
    page.get_by_role("button", name="Record").click()
    sentence = panel(page).locator(".sentence")

    def patience_ends() -> bool:
        page.clock.fast_forward(20_000)
        return sentence.is_visible()

    until(patience_ends)
    expect(sentence).to_contain_text("needs a loudspeaker")
    expect(page.get_by_role("button", name="Record")).to_be_enabled()
    firefox.close()


def record(page) -> None:
    """Two seconds of the microphone."""
    page.get_by_role("button", name="Record").click()
    expect(page.locator("#clip button.record")).to_contain_text("Stop (2.", timeout=WAIT)
    page.get_by_role("button", name="Stop").click()
