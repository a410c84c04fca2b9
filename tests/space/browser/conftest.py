"""The page without a server, put together from a small exported checkpoint and shown by a plain file server."""

import functools
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from modeling.export import export
from modeling.modeling_mel_cnn import MelCNNForAudioClassification
from space.browser.assemble import assemble
from space.browser.runtime import runtime_folder

WAIT = 120_000  # milliseconds; a busy machine is not an error


@dataclass
class FileServer:
    """A plain file server, and what it was asked for."""

    url: str
    requests: list[str] = field(default_factory=list)
    stop: Callable[[], None] = lambda: None


@pytest.fixture(scope="session")
def exported(checkpoint: Path, tmp_path_factory) -> Path:
    """The small checkpoint with its ONNX."""
    folder = tmp_path_factory.mktemp("exported") / "checkpoint"
    shutil.copytree(checkpoint, folder)
    export(MelCNNForAudioClassification.from_pretrained(folder).eval(), folder)
    return folder


@pytest.fixture(scope="session")
def model(checkpoint: Path) -> MelCNNForAudioClassification:
    return MelCNNForAudioClassification.from_pretrained(checkpoint).eval()


@pytest.fixture(scope="session")
def runtime() -> Path:
    """onnxruntime-web; where it cannot be had a test is skipped, but on a machine for tests (CI is set) it fails."""
    try:
        return runtime_folder()
    except ValueError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def page_folder(exported: Path, runtime: Path, tmp_path_factory) -> Path:
    return assemble(exported, tmp_path_factory.mktemp("page") / "page")


@pytest.fixture
def serve(page_folder: Path) -> Iterator[Callable[[], FileServer]]:
    """Starts file servers for the page, and stops them in the end."""
    running = []

    def start() -> FileServer:
        shown = FileServer("")

        class Handler(SimpleHTTPRequestHandler):
            def log_message(self, *_):
                shown.requests.append(self.path)

        server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=page_folder))
        server.handle_error = lambda *_: None  # a browser that is closed hangs up
        threading.Thread(target=server.serve_forever, daemon=True).start()

        def stop() -> None:
            server.shutdown()
            server.server_close()

        running.append(stop)
        shown.url, shown.stop = f"http://127.0.0.1:{server.server_port}/", stop
        return shown

    yield start
    for stop in running:
        stop()


@pytest.fixture
def file_server(serve) -> FileServer:
    return serve()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context(viewport={"width": 1000, "height": 900}, permissions=["microphone"]) as context:
        yield context


@pytest.fixture
def visit(context: BrowserContext, file_server: FileServer) -> Callable[[str], Page]:
    """Opens the page at a tab and waits for the network to be ready."""

    def open_at(tab: str) -> Page:
        return opened(context, file_server.url, tab)

    return open_at


def opened(context: BrowserContext, url: str, tab: str = "Clip") -> Page:
    """The page at a tab, with the network ready."""
    page = context.new_page()
    page.set_default_timeout(WAIT)
    page.goto(url)
    expect(page.locator("#readiness")).to_contain_text("The network is ready.", timeout=WAIT)
    page.get_by_role("tab", name=tab).click()
    return page
