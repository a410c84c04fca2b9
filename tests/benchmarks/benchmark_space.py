"""How soon the Space shows its first page, and how long its answers take.

    uv run -m tests.benchmarks.benchmark_space                                  # the default architecture, random weights
    MODEL_ID=modeling/checkpoint uv run -m tests.benchmarks.benchmark_space     # a checkpoint

Over HTTP on this machine: a clip of three seconds, a recording of ten minutes, fifty visitors who send a clip at the same
time, and the memory over two thousand clips. With Debian's chromium, the live tab as well, alone and by two visitors while
clips are sent all along: how many answers a second a microphone gets, and how long after a voice begins the page shows it.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from statistics import median

import httpx
import numpy as np
import psutil
import soundfile
from playwright.sync_api import sync_playwright

from modeling.configuration_mel_cnn import MelCNNConfig
from modeling.feature_extraction_mel_cnn import MelCNNFeatureExtractor
from modeling.modeling_mel_cnn import MelCNNForAudioClassification
from tests.space.made_up import hum

APP = Path(__file__).parents[2] / "space/app.py"
RATE = 16_000  # Hz
N_CLIPS = 1_000
N_VISITORS = 50
LIVE_SECONDS = 40
LIVE_VISITORS = 2  # at the same time, while clips are sent all along
WATCH = """() => {
  window.onsets = []; window.noticed = []; window.shown = []; window.delays = [];
  const original = window.fetch;
  let loud = false;
  window.fetch = async (...request) => {
    const now = performance.now();
    if (!String(request[0]).startsWith("live?")) return original(...request);
    const rate = Number(new URLSearchParams(String(request[0]).split("?")[1]).get("rate"));
    const samples = new Int16Array(request[1].body ?? new ArrayBuffer(0));
    const first = samples.findIndex((sample) => Math.abs(sample) > 2000);
    if (first >= 0 && !loud) onsets.push(now - 1000 * (samples.length - first) / rate);
    if (samples.length) loud = first >= 0;
    const answer = await original(...request);
    delays.push(performance.now() - now);
    return answer;
  };
  let picture, silent = true;
  new MutationObserver(() => {
    const now = performance.now();
    const current = document.querySelector("#live-answer svg.stack")?.innerHTML;
    if (current && current !== picture) { picture = current; shown.push(now); }
    const text = document.querySelector("#live-answer .headline")?.textContent ?? "Silence";
    if (!text.startsWith("Silence") && silent) noticed.push(now);
    silent = text.startsWith("Silence");
  }).observe(document.getElementById("live-answer"), { childList: true, subtree: true });
}"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        model_id = os.environ.get("MODEL_ID") or write_model(Path(folder, "model"))
        for name, seconds in (("tiny.wav", 0.5), ("short.wav", 3), ("long.wav", 600)):
            soundfile.write(Path(folder, name), hum(150, seconds), RATE)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        start = time.monotonic()
        server = subprocess.Popen(
            [sys.executable, APP],
            env=os.environ | {"MODEL_ID": str(model_id), "GRADIO_SERVER_PORT": str(port)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            measure(f"http://127.0.0.1:{port}", psutil.Process(server.pid), start, Path(folder))
        finally:
            server.terminate()
            server.wait(30)


def measure(url: str, server: psutil.Process, start: float, folder: Path) -> None:
    short, long = folder / "short.wav", folder / "long.wav"
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            break
        except OSError:
            time.sleep(0.1)
    print(f"First page after {time.monotonic() - start:.1f} s, {sum(server.cpu_times()[:2]):.1f} s of a core")
    classify(url, short)
    print(f"Clip of 3 s: {median(timed(classify, url, short) for _ in range(9)):.3f} s")
    print(f"Recording of 10 minutes: {timed(classify, url, long, 'timeline', 3, 3, False):.1f} s")
    with ThreadPoolExecutor(N_VISITORS) as visitors:
        seconds = sorted(visitors.map(lambda _: timed(classify, url, short), range(N_VISITORS)))
    p50, p95 = median(seconds), seconds[round(0.95 * N_VISITORS) - 1]
    print(f"{N_VISITORS} visitors at once, a clip each: p50 {p50:.1f} s, p95 {p95:.1f} s")
    for _ in range(N_CLIPS):
        classify(url, folder / "tiny.wav")
    memory = server.memory_info().rss
    for _ in range(N_CLIPS):
        classify(url, folder / "tiny.wav")
    growth = server.memory_info().rss - memory
    print(f"Memory after {N_CLIPS:,} clips {memory / 1e6:.0f} MB, and {growth / 1e6:+.0f} MB after as many again")
    if program := shutil.which("chromium"):
        live(url, program, folder)


def timed(function, *arguments) -> float:
    start = time.monotonic()
    function(*arguments)
    return time.monotonic() - start


def classify(url: str, clip: Path, endpoint: str = "classify", *settings: float) -> dict:
    """Sends a clip to an endpoint and waits for the answer."""
    api = f"{url}/gradio_api"
    with httpx.Client(timeout=300) as connection, clip.open("rb") as sound:
        (path,) = connection.post(f"{api}/upload", files={"files": sound}).json()
        data = {"data": [{"path": path, "meta": {"_type": "gradio.FileData"}}, *settings]}
        event = connection.post(f"{api}/call/{endpoint}", json=data).json()["event_id"]
        return json.loads(connection.get(f"{api}/call/{endpoint}/{event}").text.rpartition("data: ")[2])[0]


def live(url: str, program: str, folder: Path) -> None:
    """Streams microphones that hear three seconds of nothing and three of a moving buzz, over and over."""
    voice = hum(150, 3, rate=48_000)
    soundfile.write(folder / "microphone.wav", np.concatenate([np.zeros(3 * 48_000), voice]), 48_000)
    options = ["--no-sandbox", "--disable-gpu", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    options.append(f"--use-file-for-fake-audio-capture={folder / 'microphone.wav'}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=options)
        for visitors in (1, LIVE_VISITORS):
            pages = [browser.new_page() for _ in range(visitors)]
            for page in pages:
                page.goto(url)
                page.get_by_role("tab", name="Live").click()
                page.evaluate(WATCH)
                page.get_by_role("button", name="Record", exact=True).last.click()
            load = visitors > 1
            with ThreadPoolExecutor(1) as other:
                until = time.monotonic() + LIVE_SECONDS
                busy = other.submit(keep_busy, url, folder / "short.wav", until) if load else None
                pages[0].wait_for_timeout(1_000 * LIVE_SECONDS)
                n_clips = busy.result() if busy else 0
            for page in pages:
                report(
                    *page.evaluate("[onsets, noticed, shown, delays]"), f"{visitors} live, {n_clips} clips meanwhile"
                )
                page.close()
        browser.close()


def keep_busy(url: str, clip: Path, until: float) -> int:
    """Sends a clip after the other; returns how many."""
    n_clips = 0
    while time.monotonic() < until:
        classify(url, clip)
        n_clips += 1
    return n_clips


def report(onsets: list[float], noticed: list[float], shown: list[float], delays: list[float], name: str) -> None:
    rate = 1_000 / median(later - earlier for earlier, later in pairwise(shown[5:]))
    late = [min(time for time in noticed if time > onset) - onset for onset in onsets if onset < noticed[-1]]
    print(
        f"{name}: {rate:.1f} answers a second; a voice shows {median(late):.0f} ms after it begins ({len(late)} times); "
        f"an answer takes {median(delays):.0f} ms, {max(delays):.0f} at most"
    )


def write_model(folder: Path) -> Path:
    MelCNNForAudioClassification(MelCNNConfig(num_labels=8)).save_pretrained(folder)
    MelCNNFeatureExtractor().save_pretrained(folder)
    return folder


if __name__ == "__main__":
    main()
