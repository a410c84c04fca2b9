"""What the READMEs and cards say can be done as it stands: snippets run, commands have these options, links lead somewhere."""

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from modeling.publish import publish_model
from tests import loopback_hub
from tests.loopback_hub import LoopbackHub
from tests.modeling.tiny import voice

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / name for name in ("README.md", "data_scripts/README.md", "modeling/README.md", "tests/README.md")]
CARDS = [ROOT / name for name in ("space/README.md", "space/browser/README.md", "modeling/checkpoint/README.md")]
BOOK = ROOT / "modeling/training/EXPERIMENTS.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROGRAM = re.compile(r"(train\.py|tests\.benchmarks|(?:modeling|data_scripts|space)[./][a-z_./]+)")
OPTION = re.compile(r"--[a-z][\w-]*")
WITHOUT_OPTIONS = ("space.app", "tests.benchmarks")
RUNNER = """
import json, sys
for where, code in json.load(sys.stdin):
    print(where, flush=True)
    exec(compile(code, where, "exec"), {"__name__": "snippet"})
"""


def blocks(page: Path, *languages: str) -> list[tuple[str, str]]:
    """Where each block of code stands, and the code."""
    text = page.read_text()
    found = [(match[1], text.count("\n", 0, match.start()) + 2, match[2]) for match in BLOCK.finditer(text)]
    name = page.relative_to(ROOT) if page.is_relative_to(ROOT) else page.name
    return [(f"{name}, line {line}", code) for language, line, code in found if language in languages]


def decoded_by_torchcodec(snippet: tuple[str, str]) -> bool:
    return "get_all_samples" in snippet[1]


def has_torchcodec() -> bool:
    try:
        importlib.import_module("torchcodec")
    except (ImportError, RuntimeError):  # FFmpeg's libraries are not there
        return "CI" in os.environ
    return True


@pytest.fixture
def newcomer(tmp_path, tiny_corpus) -> Path:
    """A folder as it is after the commands that the pages give: a built corpus, the checkpoint, some recordings."""
    folder = tmp_path / "newcomer"
    (folder / "build").mkdir(parents=True)
    shutil.copytree(tiny_corpus, folder / "build/corpus")
    shutil.copytree(ROOT / "modeling/checkpoint", folder / "modeling/checkpoint")
    for name in ("clip.wav", "talk.wav", "recordings/one.wav", "recordings/two.wav"):
        (folder / name).parent.mkdir(exist_ok=True)
        soundfile.write(folder / name, voice(2.0), 16_000)
    return folder


def run(folder: Path, hub: LoopbackHub, *command: str, text: str = "") -> str:
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_OFFLINE")}
    environment |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HF_HUB_DISABLE_XET": "1"}
    environment |= {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(folder / "home")}
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, input=text, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-4_000:]
    return done.stdout


@pytest.mark.slow
def test_snippets_run_as_they_stand(newcomer, hub, monkeypatch):
    monkeypatch.setitem(loopback_hub.TOKENS, "hf_write", ("you", "write"))
    publish_model(newcomer / "modeling/checkpoint", "you/model", revision="v1.0", report=lambda line: None)
    for source, output in (("recordings", "emotions"), ("build/corpus", "build/embeddings")):
        run(newcomer, hub, "-m", "modeling.annotate", source, "--embeddings", "--output", output, "--workers", "1")
    snippets = [snippet for page in PAGES for snippet in blocks(page, "python")]
    snippets += blocks(newcomer / "build/corpus/README.md", "python")
    if not has_torchcodec():
        snippets = [snippet for snippet in snippets if not decoded_by_torchcodec(snippet)]
    assert len(snippets) > 10
    run(newcomer, hub, "-c", RUNNER, text=json.dumps(snippets))


@pytest.mark.slow
def test_the_model_cards_snippet_runs_in_its_folder_and_from_the_hub(newcomer, hub, monkeypatch):
    monkeypatch.setitem(loopback_hub.TOKENS, "hf_write", ("you", "write"))
    folder = newcomer / "modeling/checkpoint"
    shutil.copy(newcomer / "clip.wav", folder)
    publish_model(folder, "you/model", report=lambda line: None)
    (newcomer / "card.md").write_bytes(hub.files("models", "you/model")["README.md"])
    for page, where in ((folder / "README.md", folder), (newcomer / "card.md", newcomer)):
        snippets = blocks(page, "python")
        assert snippets
        run(where, hub, "-c", RUNNER, text=json.dumps(snippets))


def commands() -> list[tuple[str, str, frozenset[str]]]:
    """Where a command of this project stands, which program it runs, and with which options."""
    found = []
    for where, code in [block for page in (*PAGES, *CARDS) for block in blocks(page, "bash", "sh")]:
        for line in re.sub(r"\\\n\s*", " ", code).splitlines():
            words = line.partition("  #")[0].replace("'", " ").replace('"', " ").split()
            names = [number for number, word in enumerate(words) if PROGRAM.fullmatch(word)]
            if names and "uv" in words[: names[0]]:
                module = words[names[0]].removesuffix(".py").replace("/", ".")
                options = {word.partition("=")[0] for word in words[names[0] + 1 :] if OPTION.match(word)}
                found.append((where, module, frozenset(options)))
    return found


def test_commands_are_found():
    assert {"train", "modeling.predict", "data_scripts.build", "space.publish"} <= {
        module for _, module, _ in commands()
    }


@pytest.mark.slow
@pytest.mark.parametrize("module", sorted({module for _, module, _ in commands()}))
def test_commands_have_the_options_that_are_written(module, capsys, monkeypatch):
    said = [(where, options) for where, name, options in commands() if name == module]
    if module in WITHOUT_OPTIONS:
        path = ROOT / module.replace(".", "/")
        assert path.is_dir() or path.with_suffix(".py").is_file()
        assert not any(options for _, options in said)
        return
    known = set()
    for name in (module, "train") if module == "modeling.training.study" else (module,):  # the study hands options on
        monkeypatch.setattr(sys, "argv", [name, "--help"])
        with pytest.raises(SystemExit) as end:
            importlib.import_module(name).main()
        assert not end.value.code
        known |= set(OPTION.findall(capsys.readouterr().out))
    for where, options in said:
        assert options <= known, where


@pytest.mark.parametrize("page", [*PAGES, *CARDS, BOOK], ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
            assert anchor in [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings], (
                target
            )


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 160


def test_readme_has_the_checkpoints_own_figures():
    """A new checkpoint's figures are in its card; README's two of the validation speakers go with them."""
    evaluation = json.loads((ROOT / "modeling/checkpoint/evaluation.json").read_text())["corpus"]
    readme = (ROOT / "README.md").read_text()
    for head, corpus, figure in (
        ("| **Validation speakers**: CREMA-D, 9, accuracy", "crema_d", "accuracy"),
        ("| RAVDESS, 4, UAR", "ravdess", "unweighted_average_recall"),
    ):
        entry = evaluation[corpus]["own_labels"]
        low, high = entry["interval"][figure]
        line = f"{head} | {entry[figure]:.3f} [{low:.3f}, {high:.3f}] |"
        assert line in readme, f"README.md should say: {line}"
