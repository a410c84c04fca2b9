"""The three functions for programs: as endpoints of Gradio, and as tools of an MCP server."""

import shutil
import tempfile
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import wraps
from pathlib import Path
from typing import Annotated

import gradio as gr
from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from following import follow
from gate import MOST_BYTES
from hearing import Listener, check_number
from mcp.server.fastmcp import FastMCP
from mcp.server.transport_security import TransportSecuritySettings
from mcp.types import ToolAnnotations
from pydantic import BaseModel, Field
from sent import HOW, Sent, for_programs, received, several
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

MCP_PATH = "/gradio_api/mcp"
MOST_CALLS = 2  # of tools at the same time
WINDOW = STEP = 3.0  # seconds
Recording = Annotated[str, Field(description=f"A recording of one voice, in any common audio format. {HOW}")]


class Heard(BaseModel):
    """What was heard in a clip."""

    emotion: str = Field(description="The likeliest emotion.")
    probability: float = Field(description="Its calibrated probability.")
    sure: bool = Field(description="Whether that is enough to commit to it.")
    probabilities: dict[str, float] = Field(description="Of every emotion.")
    advice: list[str] = Field(description="What is wrong with the recording.")


class Window(BaseModel):
    """A window of a recording."""

    start: float = Field(description="Seconds.")
    end: float = Field(description="Seconds.")
    emotion: str = Field(description='The likeliest emotion; "silence" or "no voice" where nobody speaks.')
    probability: float | None
    sure: bool | None
    probabilities: dict[str, float] | None


class Followed(BaseModel):
    """The emotions of a recording over time."""

    overall: dict[str, float] = Field(description="Mean probabilities where somebody speaks.")
    windows: list[Window]


class Row(BaseModel):
    """One of several clips: its answer, or the problem with it."""

    file: str
    emotion: str | None = None
    probability: float | None = None
    sure: bool | None = None
    probabilities: dict[str, float] | None = None
    advice: list[str] | None = None
    problem: str | None = Field(None, description="Why there is no answer.")


class Rows(BaseModel):
    """Several clips, in the order in which they were sent."""

    clips: list[Row]


class Programs:
    """What programs may ask, of one listener.

    Args:
        listener: What hears.
        folder: Where recordings lie that are sent as addresses or strings.
    """

    def __init__(self, listener: Listener, folder: Path):
        self.listener, self.folder = listener, folder

    def classify(self, clip: str) -> dict:
        """Hears the emotion in one clip of speech, up to a minute long.

        Args:
            clip: A recording of one voice, in any common audio format.

        Returns:
            The likeliest emotion, its calibrated probability, whether that is enough to be sure, all probabilities, and
            what is wrong with the recording.
        """
        return self.listener.hear(self.listener.read(clip)).as_row()

    def timeline(self, recording: str, window: float = WINDOW, step: float = STEP, pauses: bool = False) -> dict:
        """Follows the emotions through a recording, up to fifteen minutes long.

        Args:
            recording: A recording of one voice, in any common audio format.
            window: Length of the window that one answer hears, seconds.
            step: From the start of one window to the next, seconds; windows that overlap are smoothed.
            pauses: Cut the recording at pauses instead, into phrases of a window at most.

        Returns:
            The mean probability of each emotion, and every window with its answer; "silence" or "no voice" where nobody
            speaks.
        """
        heard, _ = follow(self.listener, recording, window, step, bool(pauses))
        return {"overall": heard.overall, "windows": heard.as_rows()}

    def batch(self, clips: list[Sent]) -> list[dict]:
        """Hears the emotion in each of several clips, up to a minute long each.

        Args:
            clips: Recordings of one voice each, in any common audio format.

        Returns:
            A row for each clip: its file name and its answer, or the problem with it.
        """
        return self.listener.hear_files(clips)

    def endpoints(self) -> None:
        """Adds the three to the page that is being built, where nobody sees them."""

        def sound(label: str) -> gr.Audio:
            return for_programs(gr.Audio(type="filepath", label=label), self.folder)

        inputs = {
            self.classify: [sound("Clip")],
            self.timeline: [sound("Recording"), gr.Number(WINDOW), gr.Number(STEP), gr.Checkbox(False)],
            self.batch: [for_programs(several(label="Clips"), self.folder)],
        }
        for function, components in inputs.items():
            gr.on([], _in_sentences(function), components, gr.JSON(label="Answer"), api_name=function.__name__)

    def server(self) -> tuple[list[Route | Mount], Callable[..., AbstractAsyncContextManager]]:
        """The same three as tools, with their schemas: routes, and what must run while they are served."""
        server = FastMCP(
            "Speech emotion",
            instructions="Names the emotion that a voice acts. It must not be used to judge people.",
            streamable_http_path="/",
            stateless_http=True,
            log_level="WARNING",
            max_request_body_size=MOST_BYTES,
            # Protects what is on a private machine from pages of others; this server is public, under any name.
            transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        )
        limiter = CapacityLimiter(MOST_CALLS)

        async def answered(function: Callable, strings: list[str]) -> dict | list:
            """Calls a function with what the strings stand for, and deletes it."""
            folder = Path(tempfile.mkdtemp(dir=self.folder))
            try:
                sent = [await received(string, folder, f"clip {place}") for place, string in enumerate(strings, 1)]
                return await run_sync(function, sent, limiter=limiter)
            finally:
                shutil.rmtree(folder, ignore_errors=True)

        async def classify(clip: Recording) -> Heard:
            return await answered(lambda sent: self.classify(sent[0].path), [clip])

        async def timeline(
            recording: Recording, window: float = WINDOW, step: float = STEP, pauses: bool = False
        ) -> Followed:
            return await answered(lambda sent: self.timeline(sent[0].path, window, step, pauses), [recording])

        async def batch(clips: list[Recording]) -> Rows:
            check_number(clips)
            return {"clips": await answered(self.batch, clips)}

        for tool in (classify, timeline, batch):
            description = getattr(self, tool.__name__).__doc__.partition("\n\n")[0]
            server.tool(description=description, annotations=ToolAnnotations(readOnlyHint=True))(tool)

        async def schema(request: Request) -> JSONResponse:
            """The tools without a session, where the Hub and Gradio's page look for them."""
            tools = await server.list_tools()
            return JSONResponse([tool.model_dump(exclude_none=True) for tool in tools])

        application = server.streamable_http_app()
        routes = [Route(f"{MCP_PATH}/schema", schema), Mount(MCP_PATH, application)]
        return routes, lambda _: application.router.lifespan_context(application)


def _in_sentences(function: Callable) -> Callable:
    """What is wrong with the input reaches the program as a sentence."""

    @wraps(function)
    def spoken(*arguments):
        try:
            return function(*arguments)
        except ValueError as error:
            raise gr.Error(str(error), print_exception=False) from None

    return spoken
