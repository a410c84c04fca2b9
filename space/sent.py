"""What programs send for a clip: an uploaded file, an address, or the sound itself as a string."""

import base64
import binascii
import tempfile
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

import gradio as gr
import httpx
from anyio import open_file
from safehttpx import AsyncSecureTransport, async_validate_url

MOST_FETCHED = 120_000_000  # bytes of one recording
LONGEST_FETCH = 60.0  # seconds
MOST_REDIRECTS = 5
HOW = "Send an https:// address, or a string data:audio/wav;name=my-clip.wav;base64,..."


@dataclass(frozen=True)
class Sent:
    """A file, and the name that it had where it came from."""

    path: str
    name: str


async def fetched(address: str, folder: Path) -> Sent:
    """A recording from the web, in a file of a new folder.

    Raises:
        ValueError: In a sentence: it is not on the public web, not there, or too large.
    """
    try:
        async with _opened(address) as (response, name):
            path, size = _place(folder, name), 0
            async with await open_file(path, "wb") as file:
                async for piece in response.aiter_bytes():
                    size += len(piece)
                    if size > MOST_FETCHED:
                        raise ValueError(
                            f"The recording at this address has more than {MOST_FETCHED / 1e6:.0f} MB, which is the most."
                        )
                    await file.write(piece)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ValueError(f"This address cannot be fetched ({type(error).__name__}).") from None
    return Sent(str(path), name)


class _opened:
    """An address, with its redirects, each to a public host (or a request could reach what is behind the server)."""

    def __init__(self, address: str):
        self.address = address

    async def __aenter__(self) -> tuple[httpx.Response, str]:
        address = self.address
        for _ in range(MOST_REDIRECTS + 1):
            url = httpx.URL(address)
            if url.scheme != "https" or not url.host:
                raise ValueError(f"Addresses begin with https:// here. {HOW}")
            try:
                verified = await async_validate_url(url.host)
            except ValueError:
                raise ValueError("This address is not on the public web, or its host is not known.") from None
            self.client = httpx.AsyncClient(transport=AsyncSecureTransport(verified), timeout=LONGEST_FETCH)
            response = await self.client.send(self.client.build_request("GET", url), stream=True)
            if response.is_success:
                return response, urllib.parse.unquote(url.path).rpartition("/")[2] or url.host
            await self.client.aclose()
            if not response.has_redirect_location:
                raise ValueError(f"This address answers {response.status_code} instead of a recording.")
            address = urllib.parse.urljoin(address, response.headers["location"])
        raise ValueError(f"This address leads to another one more than {MOST_REDIRECTS} times.")

    async def __aexit__(self, *_) -> None:
        await self.client.aclose()


def decoded(string: str, folder: Path, otherwise: str) -> Sent:
    """A recording out of a `data:` string, in a file of a new folder; `otherwise` is its name where it says none.

    Raises:
        ValueError: It is no such string.
    """
    head, comma, content = string.partition(",")
    if not (head.startswith("data:") and comma and head.endswith(";base64")):
        raise ValueError(f"This is no recording. {HOW}")
    try:
        sound = base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(
            "The string after base64, is no base64. Encode the file's bytes once, without line breaks."
        ) from None
    parameters = dict(part.partition("=")[::2] for part in head.split(";"))
    name = urllib.parse.unquote(parameters.get("name", "")) or otherwise
    path = _place(folder, name)
    path.write_bytes(sound)
    return Sent(str(path), name)


async def received(string: str, folder: Path, otherwise: str = "clip") -> Sent:
    """What one string of a program stands for.

    Raises:
        ValueError: As `fetched` and `decoded`.
    """
    if string.startswith(("http://", "https://")):
        return await fetched(string, folder)
    return decoded(string, folder, otherwise)


def for_programs(component: gr.Audio | gr.File, folder: Path) -> gr.Audio | gr.File:
    """A component that fetches addresses as above. (A subclass would write a `.pyi` file beside this one.)"""
    moved = component.async_move_resource_to_block_cache

    async def move(path: str | Path | None) -> str | None:
        if str(path).startswith(("http://", "https://")):
            try:
                return (await fetched(str(path), folder)).path
            except ValueError as error:
                raise gr.Error(str(error), print_exception=False) from None
        return await moved(path)

    component.async_move_resource_to_block_cache = move
    return component


def several(**options) -> gr.File:
    """An input of several files that keeps the names that they had at the visitor's."""
    files = gr.File(file_count="multiple", type="filepath", **options)
    files.preprocess = lambda sent: [
        Sent(file.path, file.orig_name or Path(file.path).name) for file in (sent.root if sent else [])
    ]
    return files


def _place(folder: Path, name: str) -> Path:
    """Where a recording is put: in a folder of its own, and by its name, which messages about it say."""
    harmless = "".join(letter for letter in name.replace("/", "-") if letter.isprintable()).lstrip(".")
    return Path(tempfile.mkdtemp(dir=folder), harmless.encode()[:100].decode(errors="ignore") or "clip")
