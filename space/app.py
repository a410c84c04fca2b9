"""Speak, and see what it hears: speech emotion recognition in the browser.

    uv run space/app.py                                       # the checkpoint of this repository
    MODEL_ID=build/model uv run space/app.py                  # a folder
    MODEL_ID=owner/name@commit uv run space/app.py            # a published checkpoint, pinned

On the Hub, `model_id.txt` beside this file names the checkpoint. The endpoints `/classify`, `/timeline` and `/batch` are for
programs (`gradio_client`, `curl`), and the same three are MCP tools.
"""

import csv
import os
import sys
import tempfile
import time
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
os.environ["GRADIO_TEMP_DIR"] = tempfile.mkdtemp(prefix="mel-emotion-", dir=os.environ.get("GRADIO_TEMP_DIR"))
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import about
import gradio as gr
import numpy as np
import pictures
import soundfile
import torch
from hearing import LONGEST_RECORDING, SILENT_ROOM, Answer, Listener, loudness, pitch
from visitors import Visitors

UPLOAD_LIMIT = "120mb"  # ten minutes of stereo at 48 kHz are 115 MB
QUEUE_LENGTH = 100
LIVE_VISITORS = 4
LIVE_LIMIT = 120  # seconds of one stream
LIVE_WINDOW = 3.0  # seconds that an answer hears
LIVE_PAUSE = 1.0  # seconds of quiet that count as silence
LIVE_UPDATE = 0.35  # seconds between two answers, at least
MOST_FILES = 50
HINT = '<p class="hint">{}</p>'
THEME = gr.themes.Soft(primary_hue="indigo", font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])


@dataclass
class Live:
    """What one visitor's microphone has sent."""

    heard: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.float32))  # at the microphone's rate
    history: list[tuple[float, Answer | None]] = field(default_factory=list)
    updated: float = 0.0


def build(listener: Listener, visitors: Visitors) -> gr.Blocks:
    """The page and its endpoints around one checkpoint."""
    labels, rate = listener.labels, listener.sampling_rate

    def speak_up(function):
        """Errors for visitors reach a program as sentences."""

        @wraps(function)
        def spoken(*arguments):
            try:
                return function(*arguments)
            except ValueError as error:
                raise gr.Error(str(error), print_exception=False) from None

        return spoken

    @speak_up
    def classify(clip: str) -> dict:
        """Hears the emotion in one clip of speech, up to a minute long.

        Args:
            clip: A recording of one voice, in any common audio format.

        Returns:
            The likeliest emotion, its calibrated probability, whether that is enough to be sure, and all probabilities.
        """
        return listener.hear(listener.load(clip)).as_row()

    @speak_up
    def timeline(recording: str, window: float = 3.0, step: float = 3.0) -> dict:
        """Follows the emotions through a recording, up to fifteen minutes long.

        Args:
            recording: A recording of one voice, in any common audio format.
            window: Length of the window that one answer hears, seconds.
            step: From the start of one window to the next, seconds.

        Returns:
            The mean probability of each emotion, and every window with its answer; "silence" where nobody speaks.
        """
        spans = follow(recording, window, step)
        rows = [
            {"start": start, "end": end, **(answer.as_row() if answer else SILENCE)} for start, end, answer in spans
        ]
        return {"overall": overall(spans), "windows": rows}

    @speak_up
    def batch(clips: list[str]) -> list[dict]:
        """Hears the emotion in each of several clips, up to a minute long each.

        Args:
            clips: Recordings of one voice each, in any common audio format.

        Returns:
            A row for each clip: its file name and its answer, or the problem with it.
        """
        return hear_all(clips)

    def show_clip(path: str | None, request: gr.Request) -> str:
        if not path:
            return HINT.format("The answer appears here as soon as there is a clip.")
        visitors.remember(request.session_hash, path)
        try:
            waveform = listener.load(path)
        except ValueError as error:
            return pictures.sentence(str(error))
        answer = listener.hear(waveform)
        evidence = listener.explain(waveform, answer)
        return pictures.clip(answer, evidence, waveform, loudness(waveform, rate), pitch(waveform, rate), labels, rate)

    def show_recording(path: str | None, window: float, step: float, request: gr.Request):
        if not path:
            hint = HINT.format("The timeline appears here as soon as there is a recording.")
            return hint, gr.Dataframe(visible=False), gr.DownloadButton(visible=False)
        visitors.remember(request.session_hash, path)
        try:
            spans = follow(path, window, step)
        except ValueError as error:
            return pictures.sentence(str(error)), gr.Dataframe(visible=False), gr.DownloadButton(visible=False)
        header = ["start (s)", "end (s)", "emotion", "sure", *labels]
        rows = [[round(start, 2), round(end, 2), *columns(answer)] for start, end, answer in spans]
        return pictures.recording(spans, overall(spans), labels), *table("timeline.csv", header, rows, request)

    def show_batch(paths: list[str] | None, request: gr.Request):
        if not paths:
            hint = HINT.format("The table appears here as soon as there are files.")
            return hint, gr.Dataframe(visible=False), gr.DownloadButton(visible=False)
        visitors.remember(request.session_hash, *paths)
        try:
            heard = hear_all(paths)
        except ValueError as error:
            return pictures.sentence(str(error)), gr.Dataframe(visible=False), gr.DownloadButton(visible=False)
        header = ["file", "emotion", "sure", *labels, "problem"]
        blank = dict.fromkeys(labels)
        rows = [
            [row["file"], row.get("emotion"), {True: "yes", False: "no"}.get(row.get("sure"))]
            + list(row.get("probabilities", blank).values())
            + [row.get("problem", "")]
            for row in heard
        ]
        return "", *table("emotions.csv", header, rows, request)

    def listen(chunk: str | None, live: Live, request: gr.Request):
        """Takes in what the microphone sent since the last call, and answers at most every `LIVE_UPDATE` seconds."""
        if not chunk:
            return live, gr.skip()
        visitors.remember(request.session_hash, chunk)
        samples, microphone_rate = soundfile.read(chunk, dtype="float32", always_2d=True)
        now = time.monotonic()
        if now - live.updated > LIVE_WINDOW:
            live.heard = live.heard[:0]
        live.heard = np.concatenate([live.heard, samples.mean(1)])[-round(LIVE_WINDOW * microphone_rate) :]
        if now - live.updated < LIVE_UPDATE:
            return live, gr.skip()
        live.updated = now
        recent = live.heard[-round(LIVE_PAUSE * microphone_rate) :]
        silent = np.percentile(loudness(recent, microphone_rate), 90) < SILENT_ROOM
        answer = None if silent else listener.hear(listener.resample(live.heard, microphone_rate))
        live.history = [entry for entry in live.history if now - entry[0] < pictures.MINUTE] + [(now, answer)]
        return live, pictures.live(live.history, now, labels)

    def follow(path: str, window: float, step: float):
        if not (0.5 <= window <= 30 and 0.25 <= step <= 30):
            raise ValueError(
                f"The window is {window} s and the step {step} s; 0.5 to 30 s and 0.25 to 30 s are possible."
            )
        return listener.timeline(listener.load(path, LONGEST_RECORDING), window, step)

    def hear_all(paths: list[str]) -> list[dict]:
        if not paths:
            raise ValueError("Upload one clip or more first.")
        if len(paths) > MOST_FILES:
            raise ValueError(f"These are {len(paths)} files; {MOST_FILES} is the most at once. Upload fewer.")
        rows = []
        for path in paths:
            try:
                rows.append({"file": Path(path).name, **listener.hear(listener.load(path)).as_row()})
            except ValueError as error:
                rows.append({"file": Path(path).name, "problem": str(error)})
        return rows

    def overall(spans: list) -> dict[str, float]:
        heard = [list(answer.probabilities.values()) for _, _, answer in spans if answer]
        return dict(zip(labels, np.mean(heard, axis=0).round(4).tolist(), strict=True)) if heard else {}

    def columns(answer: Answer | None) -> list:
        if answer is None:
            return ["silence", "", *[None] * len(labels)]
        return [answer.emotion, "yes" if answer.sure else "no", *answer.as_row()["probabilities"].values()]

    def table(name: str, header: list[str], rows: list[list], request: gr.Request):
        """The rows on the page and as a file to download."""
        path = Path(tempfile.mkdtemp(dir=os.environ["GRADIO_TEMP_DIR"]), name)
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([header, *rows])
        visitors.remember(request.session_hash, path)
        shown = gr.Dataframe(value=rows, headers=header, visible=True)
        return shown, gr.DownloadButton(value=str(path), visible=True)

    with gr.Blocks(title="Speech emotion", analytics_enabled=False) as demo:
        gr.HTML(about.INTRODUCTION)
        with gr.Tab("Clip"), gr.Row():
            with gr.Column(min_width=320):
                clip = gr.Audio(sources=["microphone", "upload"], type="filepath", label="Speak or upload", buttons=[])
                gr.Examples(
                    [[str(path)] for path in sorted((HERE / "examples").glob("*.flac"))],
                    [clip],
                    label="Or try a synthesised voice",
                    example_labels=[
                        path.stem.replace("_", ", ") for path in sorted((HERE / "examples").glob("*.flac"))
                    ],
                    api_visibility="private",
                )
            with gr.Column(min_width=320):
                clip_answer = gr.HTML(show_clip(None, None), elem_id="clip-answer")
        with gr.Tab("Live"):
            microphone = gr.Audio(
                sources=["microphone"],
                type="filepath",
                streaming=True,
                label=f"Press Record and speak, up to {LIVE_LIMIT} s",
            )
            live_answer = gr.HTML(HINT.format("What I hear appears here, twice a second."), elem_id="live-answer")
            live = gr.State(Live(), time_to_live=600)
        with gr.Tab("Long recording"):
            long_clip = gr.Audio(
                sources=["upload", "microphone"], type="filepath", label="A recording of minutes", buttons=[]
            )
            with gr.Row():
                window = gr.Slider(1, 10, 3, step=0.5, label="Window (s)", info="What one answer hears")
                step = gr.Slider(0.5, 10, 3, step=0.5, label="Step (s)", info="From one window to the next")
            long_answer = gr.HTML(
                HINT.format("The timeline appears here as soon as there is a recording."), elem_id="long-answer"
            )
            long_csv = gr.DownloadButton("Download the table as CSV", visible=False)
            long_table = gr.Dataframe(visible=False, interactive=False, max_height=360, label="Windows")
        with gr.Tab("Batch"):
            files = gr.File(file_count="multiple", type="filepath", label=f"Up to {MOST_FILES} clips of speech")
            batch_answer = gr.HTML(
                HINT.format("The table appears here as soon as there are files."), elem_id="batch-answer"
            )
            batch_csv = gr.DownloadButton("Download the table as CSV", visible=False)
            batch_table = gr.Dataframe(visible=False, interactive=False, max_height=480, label="Clips")
        with gr.Tab("About"):
            gr.HTML(about.page(listener))

        quietly = {"api_visibility": "private", "show_progress": "minimal"}
        clip.change(show_clip, clip, clip_answer, trigger_mode="always_last", **quietly)
        microphone.stream(
            listen,
            [microphone, live],
            [live, live_answer],
            time_limit=LIVE_LIMIT,
            concurrency_limit=LIVE_VISITORS,
            api_visibility="private",
            show_progress="hidden",
        )
        long_outputs = [long_answer, long_table, long_csv]
        gr.on(
            [long_clip.change, window.release, step.release],
            show_recording,
            [long_clip, window, step],
            long_outputs,
            trigger_mode="always_last",
            concurrency_limit=1,
            **quietly,
        )
        files.change(show_batch, files, [batch_answer, batch_table, batch_csv], concurrency_limit=1, **quietly)
        with gr.Row(visible=False):
            answer = gr.JSON()
            gr.on([], classify, gr.Audio(type="filepath"), answer, api_name="classify")
            gr.on([], timeline, [gr.Audio(type="filepath"), gr.Number(3), gr.Number(3)], answer, api_name="timeline")
            gr.on([], batch, gr.File(file_count="multiple", type="filepath"), answer, api_name="batch")
        demo.unload(visitors.leave)
    return demo


SILENCE = {"emotion": "silence", "probability": None, "sure": None, "probabilities": None}


def model_id() -> str:
    """The checkpoint to serve: from the environment, from `model_id.txt`, or this repository's own."""
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
    torch.set_num_threads(max(1, len(os.sched_getaffinity(0))))
    try:
        listener = Listener(model_id())
    except (ValueError, OSError) as error:
        raise SystemExit(f"error: {error}") from None
    visitors = Visitors(Path(os.environ["GRADIO_TEMP_DIR"]))
    demo = build(listener, visitors)
    visitors.start()
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
