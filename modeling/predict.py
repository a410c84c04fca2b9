"""Emotions of recordings: files, folders and globs in, a table out.

    uv run -m modeling.predict clip.wav                                   # a table on the terminal
    uv run -m modeling.predict recordings "more/*.flac" --output emotions.csv               # or emotions.jsonl
    uv run -m modeling.predict meeting.mp3 --window 3 --hop 1             # a timeline
    uv run -m modeling.predict clip.wav --explain clip.png                # what in the sound spoke for the label
    uv run -m modeling.predict recordings --embeddings embeddings.npz     # or .parquet: what the network's head is given
    uv run -m modeling.predict recordings --adapt-to recordings           # used to their voice or place first, without labels
    uv run -m modeling.predict clip.wav --model build/model               # a model of your own
    uv run -m modeling.predict clip.wav --model you/model --revision 5d1c1c6e...            # a model on the Hub

Any sampling rate, any number of channels; a timeline may be of any length. A window of it that can hold no speech has no
emotion, but says why in its place. A file that cannot be read is reported and the rest go on; the exit status is then 1.
Many files are heard on all cores. Answers go to `emotions.csv.partial` as they come, which is called `emotions.csv` when all
are there: a run that was cut short goes on by the same command. Whole datasets are for modeling.annotate. A model brings its
own code: it is run from a folder of yours, or from the Hub at the commit that you name.
"""

import argparse
import hashlib
import math
import sys
from collections.abc import Callable, Container, Iterator, Sequence
from pathlib import Path

from data_scripts.terminal import command, end_quietly_while_loading, say_aside

if __name__ == "__main__":
    end_quietly_while_loading()

import numpy as np
import torch
from tqdm import tqdm
from transformers.utils.logging import disable_progress_bar

from data_scripts.staging import whole_file
from modeling.adaptation import adapt_to, advice
from modeling.embeddings import SUFFIXES, write_embeddings
from modeling.engine import listen, n_processors
from modeling.explain import draw_evidence
from modeling.listener import Heard, Listener
from modeling.loading import CHECKPOINT, load_model
from modeling.predictions import Answers, Prediction, in_utf8
from modeling.recording_mel_cnn import LONGEST, read_recording
from modeling.recordings import find_audio
from modeling.tables_mel_cnn import printable

TIMELINE = "--window 3 --hop 1 gives a timeline of it."
TOGETHER = 32  # files that a process hears at once
MANY = 10  # files from which on progress is shown


def predict(
    paths: Sequence[str | Path],
    model,
    feature_extractor,
    *,
    window: float | None = None,
    hop: float | None = None,
    embeddings: bool = False,
    on_bad_file: Callable[[Path, ValueError], None] | None = None,
    on_file: Callable[[], None] = lambda: None,
) -> list[Prediction]:
    """Classifies files, those of similar length together, on all cores where there are many.

    Args:
        paths: Audio files.
        model, feature_extractor: From [`load_model`].
        window: Length of the windows of a timeline, seconds; without it, each file is one clip.
        hop: Step from window to window, seconds; a window's length where absent.
        embeddings: Whether the predictions carry the pooled embedding of the network.
        on_bad_file: Called with a file that cannot be heard and the reason; without it, the reason is raised.
        on_file: Called after every file that was heard.

    Returns:
        Predictions in the order of the paths, and of time within a file.

    Raises:
        ValueError: A file cannot be heard.

    Example:
        >>> model, feature_extractor = load_model("build/model")  # doctest: +SKIP
        >>> predict(["clip.wav"], model, feature_extractor)[0].emotion  # doctest: +SKIP
        'happy'
    """
    options = {"window": window, "hop": hop, "embeddings": embeddings, "on_bad_file": on_bad_file, "on_file": on_file}
    of_files = predict_each(paths, model, feature_extractor, **options)
    return [prediction for of_file in of_files for prediction in of_file]


def predict_each(
    paths: Sequence[str | Path],
    model,
    feature_extractor,
    *,
    window: float | None = None,
    hop: float | None = None,
    embeddings: bool = False,
    known: Container[Path] = (),
    on_bad_file: Callable[[Path, ValueError], None] | None = None,
    on_file: Callable[[], None] = lambda: None,
) -> Iterator[list[Prediction]]:
    """As `predict`, file by file: yields the predictions of one after another, as they come.

    Files that are `known` are not answered. Which files are heard together does not depend on it, so that a run that goes on
    gives the same digits.
    """
    paths = list(map(Path, paths))
    groups = [
        paths[start : start + size] for size in [1 if window else TOGETHER] for start in range(0, len(paths), size)
    ]
    groups = [group for group in groups if any(path not in known for path in group)]
    listener = Listener(model, feature_extractor, window, hop, LONGEST, TIMELINE, embeddings)
    workers = min(n_processors(), len(groups)) if len(groups) > 1 else 0
    for group, answers in listen(((group, group) for group in groups), listener, workers):
        for path, heard in zip(group, answers, strict=True):
            if path in known:
                continue
            on_file()
            if heard.problem is None:
                yield _predictions(path, heard, model.config)
            elif on_bad_file is None:
                raise ValueError(heard.problem)
            else:
                on_bad_file(path, ValueError(heard.problem))


def _predictions(path: Path, heard: Heard, config) -> list[Prediction]:
    predictions = []
    reasons = heard.no_speech or [None] * len(heard.spans)
    for (start, end), probabilities, reason in zip(heard.spans.tolist(), heard.probabilities, reasons, strict=True):
        likeliest_first = [] if reason else (-probabilities).argsort(kind="stable").tolist()
        named = {config.id2label[index]: float(probabilities[index]) for index in likeliest_first}
        extras = {"no_speech": reason, "unlikeness": heard.unlikeness, "embedding": heard.embedding}
        predictions.append(Prediction(path, start, end, named, config.unsure_threshold, **extras))
    return predictions


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        "modeling.predict", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", help="audio file, folder or glob")
    parser.add_argument("--model", default=CHECKPOINT, help="folder or Hub name (default: modeling/checkpoint)")
    parser.add_argument("--revision", help="commit on the Hub whose code may run")
    parser.add_argument("--output", type=Path, help="write FILE.csv or FILE.jsonl instead of a table")
    parser.add_argument("--window", type=_window, metavar="SECONDS", help="a timeline in windows of this length")
    parser.add_argument("--hop", type=_seconds, metavar="SECONDS", help="step of the timeline (default: the window)")
    parser.add_argument(
        "--embeddings", type=Path, metavar="FILE", help="write FILE.npz or FILE.parquet beside the answers"
    )
    parser.add_argument(
        "--adapt-to", metavar="FOLDER", help="recordings of the voice or place, which the model gets used to first"
    )
    parser.add_argument("--explain", type=Path, metavar="PICTURE", help="draw what spoke for the label of one file")
    options = parser.parse_args(arguments)
    if options.hop and not options.window:
        parser.error("--hop is the step of a timeline: give its --window too")
    for option in ("--explain", "--embeddings"):
        if getattr(options, option[2:]) and options.window:
            parser.error(f"{option} is about a clip as a whole: leave --window out")
    _check_output(parser, "--output", options.output, (".csv", ".jsonl"))
    _check_output(parser, "--explain", options.explain, (".png", ".svg", ".pdf"))
    _check_output(parser, "--embeddings", options.embeddings, SUFFIXES)

    answers, failures = Answers(options.output, timeline=bool(options.window)), []

    def report(failure: str) -> None:
        failures.append(failure)
        tqdm.write(f"modeling.predict: {printable(failure)}", file=sys.stderr)

    with command(answers.kept, "modeling.predict"):
        paths: list[Path] = []
        for argument in options.paths:
            try:
                paths += find_audio(argument)
            except ValueError as error:
                report(str(error))
        paths = list(dict.fromkeys(paths))
        if options.explain and len(paths) != 1:
            parser.error(f"--explain draws 1 file, but {len(paths)} were found")
        if paths:
            _answer(paths, options, answers, report)
    if failures:
        sys.exit(1)


def _answer(paths: list[Path], options: argparse.Namespace, answers: Answers, report: Callable[[str], None]) -> None:
    disable_progress_bar()
    model, feature_extractor = load_model(options.model, options.revision)
    labels = list(model.config.id2label.values())
    settings = {"--window": options.window, "--hop": options.hop, "--model": _version(options.model, options.revision)}
    if options.adapt_to:
        model = adapt_to(model, feature_extractor, options.adapt_to)
        settings["--adapt-to"] = options.adapt_to
    with answers.writing(labels, settings), tqdm(total=len(paths), unit="file", disable=len(paths) < MANY) as progress:
        left = set(answers.left_of(paths))
        # Embeddings are written in one go, so an earlier run has left none.
        known = set() if options.embeddings else set(paths) - left
        progress.update(len(known))
        embeddings: dict[str, np.ndarray] = {}
        unlikeness: list[float | None] = []
        for predictions in predict_each(
            paths,
            model,
            feature_extractor,
            window=options.window,
            hop=options.hop,
            embeddings=bool(options.embeddings),
            known=known,
            on_bad_file=lambda _, error: report(str(error)),
            on_file=progress.update,
        ):
            path = predictions[0].path
            unlikeness.append(predictions[0].unlikeness)
            if path in left:
                answers.append(predictions)
            if options.embeddings:
                embeddings[in_utf8(str(path))] = predictions[0].embedding
    if line := advice(unlikeness, bool(options.adapt_to)):
        say_aside(line)
    if embeddings:
        write_embeddings(options.embeddings, list(embeddings), list(embeddings.values()))
    if options.explain and answers.n_answered:
        recording = read_recording(paths[0], feature_extractor.sampling_rate)
        figure = draw_evidence(torch.from_numpy(recording.waveform), model, printable(paths[0].name))
        with whole_file(options.explain) as picture:
            figure.savefig(picture, dpi=150, format=options.explain.suffix[1:])


def _version(model: str | Path, revision: str | None) -> str:
    """What tells a model from another of its name: the commit on the Hub, or a folder's content."""
    if revision is None:
        files = [Path(model, name) for name in ("config.json", "preprocessor_config.json", "model.safetensors")]
        revision = hashlib.sha256(b"".join(path.read_bytes() for path in files if path.is_file())).hexdigest()[:16]
    return f"{model} ({revision})"


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0.001 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text} s is no length: give a number of seconds from 0.001")
    return seconds


def _window(text: str) -> float:
    seconds = _seconds(text)
    if seconds > LONGEST:
        raise argparse.ArgumentTypeError(f"a window of {text} s is too long: {LONGEST} s at most are heard at once")
    return seconds


def _check_output(parser: argparse.ArgumentParser, option: str, output: Path | None, suffixes: tuple[str, ...]) -> None:
    """Refuses, before the work is done, a file that could not be written."""
    if output and output.suffix not in suffixes:
        parser.error(f"{option} {output} ends in {output.suffix!r}: give a name that ends in {' or '.join(suffixes)}")
    if output and not output.resolve().parent.is_dir():
        parser.error(f"{option} {output}: there is no folder {output.parent}; make it first")


if __name__ == "__main__":
    main()
