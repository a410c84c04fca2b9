"""Speak, and see what it hears: speech emotion recognition in the browser.

    uv run space/app.py                                       # the checkpoint of this repository
    MODEL_ID=build/model uv run space/app.py                  # a folder
    MODEL_ID=owner/name@commit uv run space/app.py            # a published checkpoint, pinned

On the Hub, `model_id.txt` beside this file names the checkpoint. The endpoints `/classify`, `/timeline` and `/batch` are for
programs (`gradio_client`, `curl`), and the same three are MCP tools.
"""

import json
import os
import signal
import sys
from pathlib import Path

HERE = Path(__file__).absolute().parent  # not resolve(): in the Hub's cache the files are links to elsewhere
sys.path.insert(0, str(HERE))
from keeping import own_folder

# A folder of our own, because the sweep deletes whatever it finds; Gradio reads the variable when it is imported.
os.environ["GRADIO_TEMP_DIR"] = str(own_folder(os.environ.get("GRADIO_TEMP_DIR")))

import about
import discretion
import gradio as gr
import live
import pictures
import torch
from checkpoint import model_id
from gate import Gate
from hearing import MOST_FILES, Listener, n_processors
from page import Page
from programs import MCP_PATH, Programs
from sent import several
from sentences import HINTS, MICROPHONE, VOICE
from sound import UNPROCESSED
from starlette.middleware import Middleware
from visitors import Visitors

UPLOAD_LIMIT = "120mb"  # ten minutes of stereo at 48 kHz are 115 MB
QUEUE_LENGTH = 100
EXAMPLES = sorted((HERE / "examples").glob("*.ogg"))
# Gradio's own greys for captions, hints and links have too little contrast to be read by everybody.
THEME = gr.themes.Soft(
    primary_hue="indigo", font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]
).set(
    body_text_color_subdued="*neutral_600",
    body_text_color_subdued_dark="*neutral_300",
    block_label_text_color="*neutral_700",
    block_label_text_color_dark="*neutral_200",
    block_title_text_color="*primary_800",
    block_title_text_color_dark="*primary_100",
    block_info_text_color="*neutral_600",
    block_info_text_color_dark="*neutral_300",
    checkbox_border_color="*neutral_500",
    checkbox_border_color_dark="*neutral_400",
    link_text_color="*primary_700",
    link_text_color_dark="*primary_300",
    link_text_color_hover="*primary_800",
    link_text_color_hover_dark="*primary_200",
)
SCRIPTS = ("page.js", "player.js", "live.js")
LIVE = f"""<div class="recorder"><button type="button" id="live-record">Record</button>
<p id="live-status" role="status">Press Record and speak, up to {live.LIVE_LIMIT / 60:.0f} minutes.</p></div>"""


def build(page: Page, programs: Programs) -> gr.Blocks:
    """The page with its tabs, and the three endpoints."""
    shown = {"trigger_mode": "always_last", "show_progress": "minimal", "api_visibility": "private"}
    with gr.Blocks(title="Speech emotion", analytics_enabled=False) as demo:
        gr.HTML(about.INTRODUCTION)
        if page.listener.can_adapt:
            with gr.Accordion(VOICE["title"], open=False):
                voice = sound(VOICE["label"], "voice")
                voice_answer = gr.HTML(pictures.hint(HINTS["voice"]), elem_id="voice-answer")
                forget = gr.Button(VOICE["forget"])
            voice.change(page.hear_voice, voice, voice_answer, **shown)
            forget.click(None, outputs=voice, js="() => null", api_visibility="private")
        with gr.Tab("Clip"), gr.Row():
            with gr.Column(min_width=320):
                clip = sound("Speak or upload", "clip")
                gr.Examples(
                    [[str(path)] for path in EXAMPLES],
                    [clip],
                    label="Or hear an actor",
                    example_labels=[about.example_name(path) for path in EXAMPLES],
                    api_visibility="private",
                )
                gr.HTML(about.EXAMPLE_CREDIT)
            with gr.Column(min_width=320):
                clip_answer = gr.HTML(pictures.hint(HINTS["clip"]), elem_id="clip-answer")
        with gr.Tab("Compare"):
            with gr.Row():
                first = sound("First clip", "first", ["upload", "microphone"])
                second = sound("Second clip", "second", ["upload", "microphone"])
            comparison = gr.HTML(pictures.hint(HINTS["compare"]), elem_id="compare-answer")
        with gr.Tab("Live"):
            gr.HTML(LIVE)
            gr.HTML(f'<div id="live-answer">{pictures.hint(HINTS["live"])}</div>')
        with gr.Tab("Long recording"):
            recording = sound("A recording of minutes", "recording", ["upload", "microphone"])
            with gr.Row():
                window = gr.Slider(1, 10, 3, step=0.5, label="Window (s)", info="What one answer hears")
                step = gr.Slider(0.5, 10, 3, step=0.5, label="Step (s)", info="From one window to the next")
            pauses = gr.Checkbox(label="Cut at pauses", info="Into phrases of a window at most, instead of every step")
            long_answer = gr.HTML(pictures.hint(HINTS["recording"]), elem_id="long-answer")
        with gr.Tab("Batch"):
            files = several(label=f"Up to {MOST_FILES} clips of speech", height=220, elem_id="files")
            batch_answer = gr.HTML(pictures.hint(HINTS["batch"]), elem_id="batch-answer")
        with gr.Tab("About"):
            gr.HTML(about.page(page.listener))

        # Events of a finished upload, and no button: nothing can be pressed while a recording is on its way.
        clip.change(page.show_clip, clip, clip_answer, **shown)
        gr.on([first.change, second.change], page.show_comparison, [first, second], comparison, **shown)
        gr.on(
            # `change` rather than `release`, which the keyboard does not cause.
            [recording.change, window.change, step.change, pauses.change],
            page.show_recording,
            [recording, window, step, pauses],
            long_answer,
            concurrency_limit=1,
            **shown,
        )
        files.change(page.show_batch, files, batch_answer, concurrency_limit=1, **shown)
        with gr.Row(visible=False):
            programs.endpoints()
        demo.unload(page.leave)
    return demo


def sound(label: str, name: str, sources: list[str] | None = None) -> gr.Audio:
    """A recorder and uploader; what it plays is drawn and played below the answer, with all its places."""
    return gr.Audio(sources=sources or ["microphone", "upload"], type="filepath", label=label, buttons=[], elem_id=name)


def script() -> str:
    """What runs in the visitor's browser: the scripts, and as `settings` what they share with the static page's."""
    settings = {
        "sentences": {"microphone": MICROPHONE},
        "microphone": UNPROCESSED,
        "live_window": live.LIVE_WINDOW,
        "recorder": (HERE / "microphone-worklet.js").read_text(),
    }
    scripts = "\n".join(f"{{\n{(HERE / name).read_text()}\n}}" for name in SCRIPTS)
    return f"() => {{\nconst settings = {json.dumps(settings)};\n{scripts}\n}}"


def main() -> None:
    torch.set_num_threads(n_processors())
    visitors = Visitors(Path(os.environ["GRADIO_TEMP_DIR"]))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        page = Page(Listener(model_id()), visitors)
    except (ValueError, OSError) as error:
        raise SystemExit(f"error: {error}") from None
    programs = Programs(page.listener, visitors.folder)
    demo = build(page, programs)
    visitors.watch()
    discretion.tell_programs()
    routes, lifespan = programs.server()
    gate = Middleware(Gate, binary=(live.LIVE_PATH,))
    demo.mcp_server = True  # the tools are ours; this makes Gradio's page about the API show them
    demo.queue(max_size=QUEUE_LENGTH, default_concurrency_limit=2).launch(
        theme=THEME,
        css_paths=HERE / "page.css",
        js=script(),
        max_file_size=UPLOAD_LIMIT,
        app_kwargs={
            "routes": [live.route(page.voices.listener), *routes],
            "lifespan": lifespan,
            "middleware": [gate],
        },
        prevent_thread_lock=True,
        show_error=False,
        run_history=False,
        enable_monitoring=False,
        ssr_mode=False,
        footer_links=["api", "settings"],
        state_session_capacity=1000,
    )
    print(f"* MCP server: {demo.local_url.rstrip('/')}{MCP_PATH}/")
    discretion.keep()
    demo.block_thread()


if __name__ == "__main__":
    main()
