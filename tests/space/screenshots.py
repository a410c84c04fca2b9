"""Takes the two pictures of the Space that README shows, with the checkpoint of this repository; needs chromium.

uv run -m tests.space.screenshots
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np
import soundfile
import soxr
from playwright.sync_api import sync_playwright

from tests.space.browsing import WAIT, go, headline, open_at, panel, upload

SPACE = Path(__file__).parents[2] / "space"
EXAMPLES = sorted((SPACE / "examples").glob("*.ogg"))
RATE = 48_000  # Hz
LIVE_SECONDS = 30


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        server = subprocess.Popen(
            [sys.executable, SPACE / "app.py"], env=os.environ | {"GRADIO_SERVER_PORT": str(port)}
        )
        try:
            url = f"http://127.0.0.1:{port}"
            while server.poll() is None and not _answers(url):
                time.sleep(0.5)
            take(url, _microphone(Path(folder)))
        finally:
            server.terminate()
            server.wait()


def take(url: str, microphone: Path) -> None:
    """Takes the pictures of a Space that runs."""
    options = ["--no-sandbox", "--disable-gpu", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    options.append(f"--use-file-for-fake-audio-capture={microphone}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=options)
        context = browser.new_context(viewport={"width": 1100, "height": 900})
        page = open_at(context, url)
        upload(page, next(path for path in EXAMPLES if "ANG" in path.stem))
        headline(page).wait_for(timeout=WAIT)
        frame = panel(page).locator(".timed .frame").nth(1)
        frame.click(position={"x": 0.55 * frame.bounding_box()["width"], "y": 60})
        page.wait_for_timeout(400)
        panel(page).get_by_role("button", name="Pause").click()
        page.screenshot(path=SPACE / "screenshot-clip.png", full_page=True)
        go(page, "Live")
        panel(page).get_by_role("button", name="Record", exact=True).click()
        page.wait_for_timeout(1_000 * LIVE_SECONDS)
        page.screenshot(path=SPACE / "screenshot-live.png", full_page=True)
        browser.close()


def _microphone(folder: Path) -> Path:
    """The examples one after the other, with pauses between them."""
    sounds = []
    for path in EXAMPLES:
        waveform, rate = soundfile.read(path, dtype="float32")
        sounds += [0.5 * waveform / np.abs(waveform).max(), np.zeros(round(1.5 * rate), dtype=np.float32)]
    soundfile.write(folder / "microphone.wav", soxr.resample(np.concatenate(sounds), rate, RATE), RATE)
    return folder / "microphone.wav"


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False


if __name__ == "__main__":
    main()
