"""A Space on its own: copied to an empty folder, with a small checkpoint that hears low hums as sad and high ones as happy."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from playwright.sync_api import Browser, Playwright, sync_playwright

from modeling.configuration_mel_cnn import MelCNNConfig
from modeling.feature_extraction_mel_cnn import MelCNNFeatureExtractor
from modeling.modeling_mel_cnn import MelCNNForAudioClassification
from tests.space.browsing import open_at
from tests.space.made_up import LABELS, RATE, evaluation, hum, study

SPACE = Path(__file__).parents[2] / "space"
START_LIMIT = 400  # seconds; on two idle cores the first page comes within 30

sys.path.insert(0, str(SPACE))


from hearing import Listener


@dataclass(frozen=True)
class Server:
    """A Space that runs."""

    url: str
    pid: int
    temporary: Path  # where it keeps what visitors send
    log: Path

    def files(self) -> list[Path]:
        """What visitors have left behind by now."""
        return [path for path in self.temporary.rglob("*") if path.is_file() and path.suffix != ".ogg"]

    def processor_time(self) -> float:
        """Seconds of a core that it has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """Resident memory, MB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024


def required(program: str) -> str:
    """The path of a program; without it the test is skipped, but on a machine for tests (CI is set) it fails."""
    if path := shutil.which(program):
        return path
    reason = f"{program} is not on this machine; on Debian: apt-get install {program}"
    pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny network, trained for a moment: 150 Hz is sad, 600 Hz is happy."""
    folder = tmp_path_factory.mktemp("checkpoint")
    torch.manual_seed(0)
    config = MelCNNConfig(
        width=4,
        depths=(1, 1),
        hidden_size=16,
        attention_size=4,
        unsure_threshold=0.4,
        id2label=dict(enumerate(LABELS)),
        label2id={label: index for index, label in enumerate(LABELS)},
    )
    model = MelCNNForAudioClassification(config)
    optimizer = torch.optim.AdamW(model.parameters(), 0.02)
    rng = np.random.default_rng(0)
    for _ in range(40):
        sad = rng.random(12) < 0.5
        clips = [rng.uniform(0.2, 1) * hum((150 if low else 600) * rng.uniform(0.9, 1.1), 0.7) for low in sad]
        labels = torch.tensor([LABELS.index("sad" if low else "happy") for low in sad])
        loss = model(torch.from_numpy(np.stack(clips)).float(), labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval().save_pretrained(folder)
    MelCNNFeatureExtractor().save_pretrained(folder)
    (folder / "evaluation.json").write_text(json.dumps(evaluation()))
    (folder / "study.json").write_text(json.dumps(study()))
    (folder / "README.md").write_text("---\nlicense: cc-by-nc-sa-4.0\n---\n\n# A tiny model\n")
    return folder


@pytest.fixture(scope="session")
def listener(checkpoint: Path) -> Listener:
    return Listener(str(checkpoint))


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """Starts Spaces that are copied alone to an empty folder, and stops them in the end."""
    running = []

    def start_space(model_id: str | Path, **environment: str) -> Server:
        folder = tmp_path_factory.mktemp("alone")
        shutil.copytree(SPACE, folder / "space", ignore=shutil.ignore_patterns("publish.py", "__pycache__"))
        (folder / "temporary").mkdir()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        log = folder / "log.txt"
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "HF_HUB_OFFLINE": "1",
            "GRADIO_SERVER_PORT": str(port),
            "GRADIO_TEMP_DIR": str(folder / "temporary"),
            "MODEL_ID": str(model_id),
            **environment,
        }
        with log.open("w") as output:
            process = subprocess.Popen(
                [sys.executable, "app.py"],
                cwd=folder / "space",
                env=environment,
                stdout=output,
                stderr=output,
            )
        running.append(process)
        server = Server(f"http://127.0.0.1:{port}", process.pid, folder / "temporary", log)
        deadline = time.monotonic() + START_LIMIT
        while time.monotonic() < deadline and process.poll() is None:
            try:
                with urllib.request.urlopen(server.url, timeout=5):
                    return server
            except OSError:
                time.sleep(0.2)
        process.kill()
        pytest.fail(f"The Space did not start:\n{log.read_text()}")

    yield start_space
    for process in running:
        process.terminate()
    for process in running:
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:  # all is done by then; taking Python down takes its time on a busy machine
            process.kill()


@pytest.fixture(scope="session")
def server(start: Callable[..., Server], checkpoint: Path) -> Server:
    """One Space for all tests."""
    return start(checkpoint)


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Good and bad files by name."""
    folder = tmp_path_factory.mktemp("clips")
    happy = hum(600, 2)
    sounds = {
        "happy.wav": (happy, RATE),
        "happy.mp3": (happy, RATE),
        "happy.flac": (happy, RATE),
        "happy.ogg": (happy, RATE),
        "sad.wav": (hum(150, 2), RATE),
        "stereo.wav": (np.stack([hum(600, 2, rate=48_000)] * 2, axis=1), 48_000),
        "phone.wav": (hum(600, 2, rate=8_000), 8_000),
        "long.wav": (np.concatenate([hum(150, 30), np.zeros(30 * RATE), hum(600, 30)]), RATE),
        "tone.wav": (0.2 * np.sin(2 * np.pi * 440 * np.arange(2 * RATE) / RATE), RATE),
        "chords.wav": (
            sum(
                0.1 * np.sin(2 * np.pi * f * np.arange(2 * RATE) / RATE) * np.tile(np.exp(-np.arange(RATE) / RATE), 2)
                for f in (220, 277, 330, 440, 554, 660)
            ),
            RATE,
        ),
        "short.wav": (hum(600, 0.02), RATE),
        "silent.wav": (np.zeros(RATE), RATE),
        "endless.flac": (np.tile(happy, 31)[: 61 * RATE], RATE),
    }
    for name, (waveform, rate) in sounds.items():
        soundfile.write(folder / name, waveform, rate)
    (folder / "empty.wav").write_bytes(b"")
    (folder / "broken.wav").write_bytes(b"RIFF\x24\x00\x00\x00WAVEthis is not a sound")
    (folder / "truncated.flac").write_bytes((folder / "happy.flac").read_bytes()[:60])
    (folder / "text.mp3").write_text("not a sound\n" * 100)
    soundfile.write(folder / "nan.wav", np.full(RATE, np.nan), RATE, subtype="FLOAT")
    return {path.name: path for path in folder.iterdir()}


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """What drives browsers; a process can have it only once."""
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def browser(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium with a microphone that hears a second of nothing, then a low hum and a high one, over and over."""
    program = required("chromium")
    recording = tmp_path_factory.mktemp("microphone") / "microphone.wav"
    rate = 48_000
    sounds = [np.zeros(rate, dtype=np.float32), hum(150, 2.5, rate=rate), np.zeros(2 * rate), hum(600, 2.5, rate=rate)]
    soundfile.write(recording, np.concatenate(sounds), rate, subtype="PCM_16")
    options = [
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={recording}",
    ]
    chromium = playwright.chromium.launch(executable_path=program, args=options)
    yield chromium
    chromium.close()


@pytest.fixture
def visit(browser: Browser, server: Server) -> Iterator[Callable]:
    """Opens the page at a tab, with a microphone that is allowed."""
    with browser.new_context(viewport={"width": 1100, "height": 900}) as context:
        context.grant_permissions(["microphone"])
        yield lambda tab: open_at(context, server.url, tab)
