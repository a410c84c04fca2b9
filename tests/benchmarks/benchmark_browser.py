"""The page without a server, in headless Chromium on this machine: the first answer after opening, and answers from then on.

    uv run -m modeling.export                            # once
    uv run -m tests.benchmarks.benchmark_browser

From files on disk by a plain file server: seconds until the network is ready, until the first answer to a clip of three
seconds, milliseconds of later answers (the worker's own, and until the picture stands), and answers a second of the live tab.
"""

import functools
import tempfile
import threading
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median

import numpy as np
import soundfile
from playwright.sync_api import Page, expect, sync_playwright

from modeling.loading import CHECKPOINT
from space.browser.assemble import assemble
from tests.benchmarks.benchmark_inference import processor
from tests.modeling.tiny import voice

ROUNDS = 15
LIVE_SECONDS = 15
OPTIONS = ["--no-sandbox", "--disable-gpu", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
WORKER = """async (bytes) => {
  const { classify } = await import("./listener.js");
  const waveform = Float32Array.from(bytes);
  const seconds = [];
  for (let round = 0; round < 16; round++) {
    const start = performance.now();
    await classify({ waveform, rate: 16000 });
    seconds.push(performance.now() - start);
  }
  return seconds.slice(1);
}"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        folder = assemble(CHECKPOINT, Path(scratch, "page"))
        server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        clip, microphone = Path(scratch, "clip.wav"), Path(scratch, "microphone.wav")
        soundfile.write(clip, voice(3.0), 16_000)
        soundfile.write(microphone, np.tile(voice(3.0, 48_000), 4), 48_000, subtype="PCM_16")
        options = [*OPTIONS, f"--use-file-for-fake-audio-capture={microphone}"]
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=options)
        # The policy of the page forbids what measures it.
        context = chromium.new_context(bypass_csp=True, permissions=["microphone"], service_workers="block")
        page = context.new_page()
        print(f"{processor()}; Chromium {chromium.version}, one thread\n")
        measure(page, f"http://127.0.0.1:{server.server_port}/", clip)
        chromium.close()
        server.shutdown()


def measure(page: Page, url: str, clip: Path) -> None:
    start = time.perf_counter()
    page.goto(url)
    page.locator("#clip input[type=file]").set_input_files(str(clip))
    expect(page.locator("#clip .headline")).to_be_visible(timeout=120_000)
    print(f"first answer after opening: {time.perf_counter() - start:.2f} s")
    answers = page.evaluate(WORKER, voice(3.0).tolist())
    print(f"answer to 3 s of sound: {median(answers):.0f} ms ({min(answers):.0f} to {max(answers):.0f})")
    pictures = []
    for _ in range(ROUNDS):
        page.evaluate("document.querySelector('#clip .result').innerHTML = ''")
        start = time.perf_counter()
        page.locator("#clip input[type=file]").set_input_files(str(clip))
        expect(page.locator("#clip .headline")).to_be_visible(timeout=120_000)
        pictures.append(1e3 * (time.perf_counter() - start))
    print(f"from the file to the picture: {median(pictures):.0f} ms ({min(pictures):.0f} to {max(pictures):.0f})")
    page.locator("#tab-live").click()
    page.get_by_role("button", name="Listen").click()
    expect(page.locator("#live .headline")).to_be_visible(timeout=120_000)
    page.evaluate("""() => {
      window.shown = 0;
      new MutationObserver(() => window.shown++).observe(document.querySelector("#live .result"), { childList: true });
    }""")
    page.wait_for_timeout(1e3 * LIVE_SECONDS)
    print(f"live: {page.evaluate('window.shown') / LIVE_SECONDS:.1f} answers a second")


if __name__ == "__main__":
    main()
