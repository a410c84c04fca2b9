"""Puts the static page together: its own files, a checkpoint's ONNX, the runtime, and what it shares with the Gradio Space.

Nothing is compiled or bundled. Looks and words that both pages show are the Gradio Space's (page.css, player.js, colours,
limits, sentences, the tab About), and what is said of the checkpoint comes from the checkpoint's own files.
"""

import hashlib
import json
import shutil
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

HERE = Path(__file__).parent
SPACE = HERE.parent
# The Gradio Space's modules name each other as its folder alone has them.
sys.path[:0] = [str(SPACE), str(SPACE.parent)]

import about
import advice
import following
import hearing
import live
import sentences
import sound
import trust
import visitors
from checkpoint import Record
from drawing import COLOURS, INK

from data_scripts.staging import whole_folder
from modeling import speech_mel_cnn
from space.browser.runtime import runtime_folder

PAGE_FILES = ("index.html", "README.md", "*.css", "*.js")
SHARED_FILES = ("page.css", "player.js", "microphone-worklet.js", "examples/*.ogg")
MODEL_FILES = ("model.onnx", "model.json")  # of the checkpoint's folder onnx/
PRIVACY = """<h2>What happens to a recording</h2>
<p>It stays on your device. The network came with this page and runs in your browser, the page's own policy forbids the
browser every other address, and what was recorded or opened is forgotten when the page is closed.</p>"""


def assemble(checkpoint: Path, output: Path, published: tuple[str, str] | None = None) -> Path:
    """Writes the page, whole or not at all.

    Args:
        checkpoint: Folder with `onnx/`, which `modeling.export` writes, and with the checkpoint's own account of itself.
        output: Folder that any file server then shows; replaced.
        published: Name and commit of the checkpoint on the Hub.

    Returns:
        The folder.

    Raises:
        ValueError: The checkpoint was not exported, or the runtime cannot be had.
    """
    if missing := [name for name in MODEL_FILES if not (checkpoint / "onnx" / name).is_file()]:
        raise ValueError(
            f"{checkpoint} has no onnx/{missing[0]}: `uv run -m modeling.export {checkpoint}` writes it, and "
            "`uv run -m modeling.publish` publishes it with the model"
        )
    runtime = runtime_folder()
    description = json.loads((checkpoint / "onnx" / "model.json").read_text())
    with whole_folder(output) as folder:
        for pattern in PAGE_FILES:
            for path in HERE.glob(pattern):
                shutil.copy(path, folder)
        for pattern in SHARED_FILES:
            for path in SPACE.glob(pattern):
                copied = folder / path.relative_to(SPACE)
                copied.parent.mkdir(exist_ok=True)
                shutil.copy(path, copied)
        shutil.copytree(runtime, folder / "runtime")
        (folder / "model").mkdir()
        for name in MODEL_FILES:
            shutil.copy(checkpoint / "onnx" / name, folder / "model")
        examples = sorted((folder / "examples").glob("*"))
        record = Record(**vars(Record.of(str(checkpoint), None)) | {"published": published})
        written = json.dumps(settings(description, record, examples), indent=1)
        (folder / "settings.js").write_text(
            f"// What the checkpoint and the Gradio Space say.\n\nexport const settings = {written};\n"
        )
        _fill(folder / "index.html", description, record)
        _list_files(folder)
    return output


def _worth(record: Record, threshold: float, *, unlike: bool) -> list[str]:
    """What answers are worth, of every whole per cent.

    Args:
        record: What the checkpoint says of itself.
        threshold: From this probability on an answer is sure.
        unlike: Whether the sound is unlike the training data.
    """
    answers = [SimpleNamespace(probability=p / 100, sure=p / 100 >= threshold, unlike=unlike) for p in range(101)]
    return [trust.worth(record, answer) for answer in answers]


def settings(description: dict, record: Record, examples: list[Path]) -> dict:
    """What the page's scripts read: of the checkpoint, and of the Gradio Space."""
    outputs = [name for name in description["meaning"] if name not in ("input_values", "attention_mask")]
    return {
        "labels": description["labels"],
        "sampling_rate": description["sampling_rate"],
        "unsure_threshold": description["unsure_threshold"],
        "calibration_temperature": description["calibration_temperature"],
        "outputs": outputs,
        "answers": [name for name in outputs if name in ("probabilities", "unlikeness")],
        "advice": _constants(advice),
        "speech": _constants(speech_mel_cnn),
        "sentences": _constants(sentences),
        "adapting": _adapting(description),
        "shortest_voice": round(visitors.SHORTEST_VOICE),
        "shortest_judged": following.SHORTEST_JUDGED,
        "microphone": sound.UNPROCESSED,
        "track_step": sound.TRACK_STEP,
        "pitch": {"lowest": sound.LOWEST_PITCH, "highest": sound.HIGHEST_PITCH, "most": sound.MOST_PITCHES},
        "worth": _worth(record, description["unsure_threshold"], unlike=False),
        "worth_unlike": _worth(record, description["unsure_threshold"], unlike=True),
        "colours": COLOURS,
        "ink": INK.tolist(),
        "examples": {path.name: about.example_name(path) for path in examples},
        "shortest_clip": sound.SHORTEST_CLIP,
        "longest_clip": sound.LONGEST_CLIP,
        "longest_recording": sound.LONGEST_RECORDING,
        "silent_clip": sound.SILENT_CLIP,
        "loudness_range": sound.LOUDNESS_RANGE,
        "silent_room": live.SILENT_ROOM,
        "live_window": live.LIVE_WINDOW,
        "live_pause": live.LIVE_PAUSE,
        "live_memory": live.LIVE_MEMORY,
        "most_windows": following.MOST_WINDOWS,
        "most_files": hearing.MOST_FILES,
    }


def _constants(module: ModuleType) -> dict:
    """Limits and sentences of a module whose rules the page has too."""
    return {name.lower(): value for name, value in vars(module).items() if name.isupper()}


def _adapting(description: dict) -> dict | None:
    """How the network is adapted to a voice; None where it was exported before that could be done."""
    how = description.get("adapting")
    return how and {name: value for name, value in how.items() if name != "meaning"}


def _fill(page: Path, description: dict, record: Record) -> None:
    """Writes what both pages say into the places that the page leaves for it."""
    checkpoint = SimpleNamespace(labels=description["labels"], n_parameters=description["n_parameters"], record=record)
    html = page.read_text(encoding="utf-8")
    html = html.replace("<!-- introduction -->", about.INTRODUCTION)
    html = html.replace("<!-- examples -->", about.EXAMPLE_CREDIT)
    for name, hint in sentences.HINTS.items():
        html = html.replace(f"<!-- hint: {name} -->", hint)
    for name in ("title", "label", "forget"):
        html = html.replace(f"<!-- voice: {name} -->", sentences.VOICE[name])
    html = html.replace("<!-- about -->", about.page(checkpoint, [PRIVACY]))
    page.write_text(html, encoding="utf-8")


def _list_files(folder: Path) -> None:
    """Writes the list of all files with their version, by which browsers keep them for visits without a network."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "README.md")
    version = hashlib.sha256()
    for path in paths:
        version.update(
            path.relative_to(folder).as_posix().encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest()
        )
    names = [path.relative_to(folder).as_posix() for path in paths]
    (folder / "files.json").write_text(json.dumps({"version": version.hexdigest()[:16], "files": names}, indent=1))
