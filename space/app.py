"""Speak, and see what it hears: speech emotion recognition in the browser.

    uv run space/app.py                                       # the checkpoint of this repository
    MODEL_ID=build/model uv run space/app.py                  # a folder
    MODEL_ID=owner/name@commit uv run space/app.py            # a published checkpoint, pinned

On the Hub, `model_id.txt` beside this file names the checkpoint. The endpoints `/classify`, `/timeline` and `/batch` are for
programs (`gradio_client`, `curl`), and the same three are MCP tools.
"""

import csv
import os
import signal
import sys
import tempfile
from functools import wraps
from pathlib import Path

HERE = Path(__file__).absolute().parent  # not resolve(): in the Hub's cache the files are links to elsewhere
sys.path.insert(0, str(HERE))
# A folder of our own, because the sweep deletes whatever it finds; Gradio reads the variable when it is imported.
os.environ["GRADIO_TEMP_DIR"] = tempfile.mkdtemp(prefix="mel-emotion-", dir=os.environ.get("GRADIO_TEMP_DIR"))

import about
import gradio as gr
import pictures
import torch
from hearing import MOST_FILES, Listener, Microphone, n_processors
from sound import load, loudness, pitch
from visitors import Visitors, clips_of_programs

UPLOAD_LIMIT = "120mb"  # ten minutes of stereo at 48 kHz are 115 MB
QUEUE_LENGTH = 100
LIVE_VISITORS = 4  # at the same time; others wait for their turn
LIVE_LIMIT = 120  # seconds of one stream
THEME = gr.themes.Soft(primary_hue="indigo", font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
EXAMPLES = sorted((HERE / "examples").glob("*.flac"))
HINTS = {
    "clip": "The answer appears here as soon as there is a clip.",
    "live": "What I hear appears here, at least twice a second.",
    "recording": "The timeline appears here as soon as there is a recording.",
    "batch": "The table appears here as soon as there are files.",
}


class Page:
    """What the page and the endpoints do, around one checkpoint."""

    def __init__(self, listener: Listener, visitors: Visitors):
        self.listener, self.visitors = listener, visitors

    def show_clip(self, path: str | None, request: gr.Request) -> str:
        if not path:
            return pictures.hint(HINTS["clip"])
        self.visitors.remember(request.session_hash, path)
        rate = self.listener.sampling_rate
        try:
            waveform = load(path, self.listener.feature_extractor)
        except ValueError as error:
            return pictures.sentence(str(error))
        answer = self.listener.hear(waveform)
        tracks = self.listener.explain(waveform, answer), waveform, loudness(waveform, rate), pitch(waveform, rate)
        return pictures.clip(answer, *tracks, self.listener.labels, rate)

    def show_live(self, piece: str | None, microphone: Microphone, request: gr.Request):
        if not piece:
            return gr.skip()
        self.visitors.remember(request.session_hash, piece)
        if not microphone.hear(piece, self.listener):
            return microphone, gr.skip()
        return microphone, pictures.live(microphone.history, self.listener.labels)

    def show_recording(self, path: str | None, window: float, step: float, request: gr.Request):
        if not path:
            return pictures.hint(HINTS["recording"]), *self._no_table()
        self.visitors.remember(request.session_hash, path)
        try:
            timeline = self.listener.follow(path, window, step)
        except ValueError as error:
            return pictures.sentence(str(error)), *self._no_table()
        return pictures.recording(timeline), *self._table("timeline.csv", ["start", "end"], timeline.as_rows(), request)

    def show_batch(self, paths: list[str] | None, request: gr.Request):
        if not paths:
            return pictures.hint(HINTS["batch"]), *self._no_table()
        self.visitors.remember(request.session_hash, *paths)
        try:
            rows = self.listener.hear_files(paths)
        except ValueError as error:
            return pictures.sentence(str(error)), *self._no_table()
        return pictures.batch(rows), *self._table("emotions.csv", ["file"], rows, request)

    def _table(self, name: str, keys: list[str], answers: list[dict], request: gr.Request):
        """Answers on the page and as a file to download."""
        labels = self.listener.labels
        problems = ["problem"] * any("problem" in answer for answer in answers)
        header, rows = [*keys, "emotion", "sure", *problems, *labels], []
        for answer in answers:
            sure = {True: "yes", False: "no"}.get(answer.get("sure"))
            named = answer | {"sure": sure} | (answer.get("probabilities") or {})
            rows.append([named.get(column) for column in header])
        path = Path(tempfile.mkdtemp(dir=self.visitors.folder), name)
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([header, *rows])
        self.visitors.remember(request.session_hash, path)
        return gr.Dataframe(value=rows, headers=header, visible=True), gr.DownloadButton(value=path, visible=True)

    def _no_table(self):
        return gr.Dataframe(visible=False), gr.DownloadButton(visible=False)


def endpoints(listener: Listener) -> dict:
    """The functions for programs, by their names; what is wrong with the input reaches the program as a sentence."""

    def classify(clip: str) -> dict:
        """Hears the emotion in one clip of speech, up to a minute long.

        Args:
            clip: A recording of one voice, in any common audio format.

        Returns:
            The likeliest emotion, its calibrated probability, whether that is enough to be sure, and all probabilities.
        """
        return listener.hear(load(clip, listener.feature_extractor)).as_row()

    def timeline(recording: str, window: float = 3.0, step: float = 3.0) -> dict:
        """Follows the emotions through a recording, up to fifteen minutes long.

        Args:
            recording: A recording of one voice, in any common audio format.
            window: Length of the window that one answer hears, seconds.
            step: From the start of one window to the next, seconds.

        Returns:
            The mean probability of each emotion, and every window with its answer; "silence" where nobody speaks.
        """
        heard = listener.follow(recording, window, step)
        return {"overall": heard.overall, "windows": heard.as_rows()}

    def batch(clips: list[str]) -> list[dict]:
        """Hears the emotion in each of several clips, up to a minute long each.

        Args:
            clips: Recordings of one voice each, in any common audio format.

        Returns:
            A row for each clip: its file name and its answer, or the problem with it.
        """
        return listener.hear_files(clips)

    def in_sentences(function):
        @wraps(function)
        def spoken(*arguments):
            try:
                return function(*arguments)
            except ValueError as error:
                raise gr.Error(str(error), print_exception=False) from None

        return spoken

    return {function.__name__: in_sentences(function) for function in (classify, timeline, batch)}


def build(listener: Listener, visitors: Visitors) -> gr.Blocks:
    """The page with its five tabs, and the three endpoints."""
    page = Page(listener, visitors)
    private = {"api_visibility": "private"}
    with gr.Blocks(title="Speech emotion", analytics_enabled=False) as demo:
        gr.HTML(about.INTRODUCTION)
        with gr.Tab("Clip"), gr.Row():
            with gr.Column(min_width=320):
                clip = gr.Audio(
                    sources=["microphone", "upload"],
                    type="filepath",
                    label="Speak or upload",
                    buttons=[],
                    elem_id="clip",
                )
                gr.Examples(
                    [[str(path)] for path in EXAMPLES],
                    [clip],
                    label="Or try a synthesised voice",
                    example_labels=[path.stem.replace("_", ", ") for path in EXAMPLES],
                    **private,
                )
            with gr.Column(min_width=320):
                clip_answer = gr.HTML(pictures.hint(HINTS["clip"]), elem_id="clip-answer")
        with gr.Tab("Live"):
            stream_label = f"Press Record and speak, up to {LIVE_LIMIT} s"
            stream = gr.Audio(sources=["microphone"], type="filepath", streaming=True, label=stream_label, buttons=[])
            live_answer = gr.HTML(pictures.hint(HINTS["live"]), elem_id="live-answer")
            microphone = gr.State(Microphone(), time_to_live=600)
        with gr.Tab("Long recording"):
            long_label = "A recording of minutes"
            long_clip = gr.Audio(
                sources=["upload", "microphone"], type="filepath", label=long_label, buttons=[], elem_id="recording"
            )
            with gr.Row():
                window = gr.Slider(1, 10, 3, step=0.5, label="Window (s)", info="What one answer hears")
                step = gr.Slider(0.5, 10, 3, step=0.5, label="Step (s)", info="From one window to the next")
            long_answer = gr.HTML(pictures.hint(HINTS["recording"]), elem_id="long-answer")
            long_csv = gr.DownloadButton("Download the table as CSV", variant="primary", visible=False)
            long_table = gr.Dataframe(visible=False, interactive=False, max_height=360, label="Windows")
        with gr.Tab("Batch"):
            files = gr.File(file_count="multiple", type="filepath", label=f"Up to {MOST_FILES} clips of speech")
            batch_answer = gr.HTML(pictures.hint(HINTS["batch"]), elem_id="batch-answer")
            batch_csv = gr.DownloadButton("Download the table as CSV", variant="primary", visible=False)
            batch_table = gr.Dataframe(visible=False, interactive=False, max_height=480, label="Clips")
        with gr.Tab("About"):
            gr.HTML(about.page(listener))

        # Events of a finished upload, and no button: nothing can be pressed while a recording is on its way.
        clip.change(page.show_clip, clip, clip_answer, trigger_mode="always_last", show_progress="minimal", **private)
        stream.stream(
            page.show_live,
            [stream, microphone],
            [microphone, live_answer],
            time_limit=LIVE_LIMIT,
            concurrency_limit=LIVE_VISITORS,
            show_progress="hidden",
            **private,
        )
        gr.on(
            [long_clip.change, window.release, step.release],
            page.show_recording,
            [long_clip, window, step],
            [long_answer, long_table, long_csv],
            trigger_mode="always_last",
            concurrency_limit=1,
            show_progress="minimal",
            **private,
        )
        files.change(
            page.show_batch,
            files,
            [batch_answer, batch_table, batch_csv],
            trigger_mode="always_last",
            concurrency_limit=1,
            show_progress="minimal",
            **private,
        )
        with gr.Row(visible=False):
            inputs = {
                "classify": [gr.Audio(type="filepath", label="Clip")],
                "timeline": [gr.Audio(type="filepath", label="Recording"), gr.Number(3), gr.Number(3)],
                "batch": [clips_of_programs(visitors.folder)],
            }
            for name, function in endpoints(listener).items():
                gr.on([], function, inputs[name], gr.JSON(label="Answer"), api_name=name)
        demo.unload(visitors.leave)
    return demo


def model_id() -> str:
    """The checkpoint to serve: from the environment, from `model_id.txt`, or this repository's own.

    Raises:
        ValueError: None of them is there.
    """
    if chosen := os.environ.get("MODEL_ID"):
        return chosen
    if (pinned := HERE / "model_id.txt").is_file():
        return pinned.read_text().strip()
    for folder in (HERE.parent / "modeling/checkpoint", HERE.parent / "build/model"):
        if (folder / "config.json").is_file():
            return str(folder)
    raise ValueError(
        "There is no checkpoint to serve. Set MODEL_ID to a folder or to owner/name@commit, or train one: uv run train.py"
    )


def main() -> None:
    torch.set_num_threads(n_processors())
    visitors = Visitors(Path(os.environ["GRADIO_TEMP_DIR"]))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        demo = build(Listener(model_id()), visitors)
    except (ValueError, OSError) as error:
        raise SystemExit(f"error: {error}") from None
    visitors.watch()
    demo.queue(max_size=QUEUE_LENGTH, default_concurrency_limit=2).launch(
        theme=THEME,
        css_paths=HERE / "page.css",
        js=(HERE / "page.js").read_text(),
        max_file_size=UPLOAD_LIMIT,
        mcp_server=True,
        show_error=False,
        run_history=False,
        enable_monitoring=False,
        ssr_mode=False,
        footer_links=["api", "settings"],
        state_session_capacity=1000,
    )


if __name__ == "__main__":
    main()
