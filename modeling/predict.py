"""Emotions of recordings: files, folders and globs in, a table out.

    uv run -m modeling.predict clip.wav                                   # a table on the terminal
    uv run -m modeling.predict recordings "more/*.flac" --output emotions.csv               # or emotions.jsonl
    uv run -m modeling.predict meeting.mp3 --window 3 --hop 1             # a timeline
    uv run -m modeling.predict clip.wav --explain clip.png                # what in the sound spoke for the label
    uv run -m modeling.predict clip.wav --model build/model               # a model of your own
    uv run -m modeling.predict clip.wav --model you/model --revision 5d1c1c6e...            # a model on the Hub

Any sampling rate, any number of channels. A file that cannot be read is reported and the rest go on; the exit status is
then 1. A model brings its own code: it is run from a folder of yours, or from the Hub at the commit that you name.
"""

import argparse
import io
import json
import math
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from tqdm import tqdm
from transformers import AutoFeatureExtractor, AutoModelForAudioClassification
from transformers.utils.logging import disable_progress_bar

from modeling.explain import draw_evidence
from modeling.predictions import Prediction, as_csv, as_json_lines, table, write_whole
from modeling.recording_mel_cnn import LONGEST, read_recording
from modeling.recordings import find_audio

CHECKPOINT = Path(__file__).parent / "checkpoint"
BATCH = 60  # seconds of audio, padding included, in a batch
LONGEST_TIMELINE = 4 * 3600  # seconds
TIMELINE = "--window 3 --hop 1 gives a timeline of it."
WAITING = 600  # seconds of audio that wait for others of their length
MANY = 10  # files from which on progress is shown


def load_model(name: str | Path = CHECKPOINT, revision: str | None = None):
    """Loads a classifier and its feature extractor with the code that belongs to them.

    Args:
        name: Folder of a model, or its name on the Hub.
        revision: Commit on the Hub, 40 hexadecimal digits: branches and tags can come to mean other code.

    Returns:
        The model, in evaluation mode on the accelerator if there is one, and its feature extractor.

    Raises:
        ValueError: There is no such model, it is not complete, or it would run code from the Hub at no fixed commit.
    """
    folder = Path(name)
    if revision is not None and not re.fullmatch("[0-9a-f]{40}", revision):
        raise ValueError(f"revision is {revision!r}, but code is run at a fixed commit only: give its 40 digits")
    if revision is None and not (folder / "config.json").is_file():
        remedy = "`uv run train.py` trains one and writes build/model, to be given as --model build/model"
        if not folder.is_dir() and str(name).count("/") == 1:
            remedy += f"; for the Hub's {name}, add --revision and the commit whose code you trust"
        raise ValueError(f"there is no model in {folder}: {remedy}")
    if revision is None and (modules := _modules_elsewhere(folder)):
        raise ValueError(
            f"the model in {folder} would run {', '.join(modules)} from the Hub: add --revision and the commit of that "
            "code which you trust"
        )
    options = {"trust_remote_code": True, "revision": revision, "code_revision": revision}
    try:
        model, report = AutoModelForAudioClassification.from_pretrained(str(name), output_loading_info=True, **options)
        feature_extractor = AutoFeatureExtractor.from_pretrained(str(name), **options)
    except (OSError, ValueError, RuntimeError) as error:
        raise ValueError(f"the model {name} cannot be loaded: {error}") from error
    if not hasattr(model, "timeline"):
        raise ValueError(f"the model {name} is a {model.config.model_type}, but a mel_cnn is needed")
    if report["missing_keys"]:
        raise ValueError(f"the model {name} lacks {', '.join(sorted(report['missing_keys']))}: it would guess")
    device = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else "cpu"
    return model.eval().to(device), feature_extractor


def _modules_elsewhere(folder: Path) -> list[str]:
    """Code that a folder's configurations name in a repository on the Hub, such as `owner/name--module.Class`."""
    texts = [path.read_text() for path in folder.glob("*config.json")]
    targets = {target for text in texts for target in json.loads(text).get("auto_map", {}).values()}
    return sorted(target for target in targets if "--" in target)


def predict(
    paths: Sequence[str | Path],
    model,
    feature_extractor,
    *,
    window: float | None = None,
    hop: float | None = None,
    on_bad_file: Callable[[Path, ValueError], None] | None = None,
    on_file: Callable[[], None] = lambda: None,
) -> list[Prediction]:
    """Classifies files, those of similar length together.

    Args:
        paths: Audio files.
        model, feature_extractor: From [`load_model`].
        window: Length of the windows of a timeline, seconds; without it, each file is one clip.
        hop: Step from window to window, seconds; a window's length where absent.
        on_bad_file: Called with a file that cannot be heard and the reason; without it, the reason is raised.
        on_file: Called after every file that was read.

    Returns:
        Predictions in the order of the paths, and of time within a file.

    Raises:
        ValueError: A file cannot be heard.

    Example:
        >>> model, feature_extractor = load_model("build/model")  # doctest: +SKIP
        >>> predict(["clip.wav"], model, feature_extractor)[0].emotion  # doctest: +SKIP
        'happy'
    """
    predictions: list[list[Prediction]] = [[] for _ in paths]
    waiting: list[tuple[int, torch.Tensor]] = []
    rate = feature_extractor.sampling_rate

    def classify_waiting() -> None:
        for batch in _batches(waiting, BATCH * rate):
            clips = [clip.numpy() for _, clip in batch]
            inputs = feature_extractor(clips, sampling_rate=rate, return_tensors="pt").to(model.device)
            with torch.no_grad():
                probabilities = model(**inputs).logits.float().softmax(-1).cpu()
            for (number, clip), row in zip(batch, probabilities, strict=True):
                predictions[number] = [_prediction(Path(paths[number]), 0.0, len(clip) / rate, row, model.config)]
        waiting.clear()

    for number, path in enumerate(map(Path, paths)):
        try:
            limit, remedy = (LONGEST_TIMELINE, "Cut it into pieces.") if window else (LONGEST, TIMELINE)
            waveform = torch.from_numpy(read_recording(path, rate, limit, remedy=remedy).waveform)
        except ValueError as error:
            if on_bad_file is None:
                raise
            on_bad_file(path, error)
        else:
            if window:
                spans, probabilities = model.timeline(waveform, window, hop or window)
                rows = zip(spans.tolist(), probabilities, strict=True)
                predictions[number] = [_prediction(path, *span, row, model.config) for span, row in rows]
            else:
                waiting.append((number, waveform))
        on_file()
        if sum(len(clip) for _, clip in waiting) > WAITING * rate:
            classify_waiting()
    classify_waiting()
    return [prediction for of_file in predictions for prediction in of_file]


def _batches(clips: list[tuple[int, torch.Tensor]], n_samples: int) -> Iterator[list[tuple[int, torch.Tensor]]]:
    """Clips of similar length together, as many as stay below `n_samples` with their padding."""
    batch: list[tuple[int, torch.Tensor]] = []
    for number, clip in sorted(clips, key=lambda numbered: len(numbered[1])):
        if batch and (len(batch) + 1) * len(clip) > n_samples:
            yield batch
            batch = []
        batch.append((number, clip))
    if batch:
        yield batch


def _prediction(path: Path, start: float, end: float, probabilities: torch.Tensor, config) -> Prediction:
    likeliest_first = probabilities.argsort(descending=True).tolist()
    named = {config.id2label[index]: probabilities[index].item() for index in likeliest_first}
    return Prediction(path, start, end, named, config.unsure_threshold)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        "modeling.predict", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", help="audio file, folder or glob")
    parser.add_argument("--model", default=CHECKPOINT, help="folder or Hub name (default: modeling/checkpoint)")
    parser.add_argument("--revision", help="commit on the Hub whose code may run")
    parser.add_argument("--output", type=Path, help="write FILE.csv or FILE.jsonl instead of a table")
    parser.add_argument("--window", type=_seconds, metavar="SECONDS", help="a timeline in windows of this length")
    parser.add_argument("--hop", type=_seconds, metavar="SECONDS", help="step of the timeline (default: the window)")
    parser.add_argument("--explain", type=Path, metavar="PICTURE", help="draw what spoke for the label of one file")
    options = parser.parse_args(arguments)
    if options.hop and not options.window:
        parser.error("--hop is the step of a timeline: give its --window too")
    if options.explain and options.window:
        parser.error("--explain shows a clip as a whole: leave --window out")
    _check_output(parser, "--output", options.output, (".csv", ".jsonl"))
    _check_output(parser, "--explain", options.explain, (".png", ".svg", ".pdf"))

    failures: list[str] = []

    def report(failure: str) -> None:
        failures.append(failure)
        tqdm.write(f"modeling.predict: {failure}", file=sys.stderr)

    paths: list[Path] = []
    for argument in options.paths:
        try:
            paths += find_audio(argument)
        except ValueError as error:
            report(str(error))
    paths = list(dict.fromkeys(paths))
    if options.explain and len(paths) != 1:
        parser.error(f"--explain draws 1 file, but {len(paths)} were found")
    if not paths:
        sys.exit(1)

    disable_progress_bar()
    try:
        model, feature_extractor = load_model(options.model, options.revision)
    except ValueError as error:
        sys.exit(f"modeling.predict: {error}")
    with tqdm(total=len(paths), unit="file", disable=len(paths) < MANY) as progress:
        predictions = predict(
            paths,
            model,
            feature_extractor,
            window=options.window,
            hop=options.hop,
            on_bad_file=lambda path, error: report(str(error)),
            on_file=progress.update,
        )
    if options.output and predictions:
        labels = list(model.config.id2label.values())
        text = as_csv(predictions, labels) if options.output.suffix == ".csv" else as_json_lines(predictions)
        write_whole(options.output, text.encode(errors="surrogateescape"))
    elif predictions:
        print(table(predictions, timeline=bool(options.window)))
    if options.explain and predictions:
        waveform = torch.from_numpy(read_recording(paths[0], feature_extractor.sampling_rate).waveform)
        figure = draw_evidence(waveform, model, paths[0].name)
        picture = io.BytesIO()
        figure.savefig(picture, dpi=150, format=options.explain.suffix[1:])
        write_whole(options.explain, picture.getvalue())
    if failures:
        sys.exit(1)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0.001 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text} s is no length: give a number of seconds from 0.001")
    return seconds


def _check_output(parser: argparse.ArgumentParser, option: str, output: Path | None, suffixes: tuple[str, ...]) -> None:
    """Refuses, before the work is done, a file that could not be written."""
    if output and output.suffix not in suffixes:
        parser.error(f"{option} {output} ends in {output.suffix!r}: give a name that ends in {' or '.join(suffixes)}")
    if output and not output.resolve().parent.is_dir():
        parser.error(f"{option} {output}: there is no folder {output.parent}; make it first")


if __name__ == "__main__":
    main()
