"""What a checkpoint's own figures do not say: test speakers, other protocols, the plain CNN, and what degraded sound costs.

    uv run -m modeling.training.study --dataset_name build/corpus                              all of it: hours
    uv run -m modeling.training.study --dataset_name build/corpus --parts robustness           one part of it
    uv run -m modeling.training.study --dataset_name build/corpus --dataset_config_name extended --parts strangers
                                         every corpus in turn is left out of training, and heard as a stranger
    uv run -m modeling.training.study --dataset_name build/corpus --parts test                 the checkpoint on the test speakers

The test speakers are heard only where that is asked for: a checkpoint that was chosen by them would flatter itself. Every protocol is a run of train.py with its defaults, which leaves its figures in build/study/PROTOCOL. What is there of
the same dataset is not run again, and a run that was stopped goes on where it was. The checkpoint's folder then gets
`study.json`, `robustness.png` and its model card anew. Options that are not named here go to train.py.
"""

import json
import subprocess
import sys
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from data_scripts.terminal import command, end_quietly_while_loading, say_text

if __name__ == "__main__":
    end_quietly_while_loading()

from matplotlib import pyplot as plt
from transformers import HfArgumentParser, TrainingArguments

from data_scripts.staging import claim, whole_files
from modeling.modeling_mel_cnn import MelCNNForAudioClassification
from modeling.training import report
from modeling.training.adapting import measure_adaptation
from modeling.training.data import Clips, DataArguments, corpora_of, load, own_labels
from modeling.training.evaluation import brief, name_of
from modeling.training.folds import make_folds
from modeling.training.model_card import write_card
from modeling.training.robustness import measure_robustness
from modeling.training.sources import load_card
from modeling.training.strangers import recognise_strangers

ROOT = Path(__file__).parents[2]
PROTOCOLS = {
    "plain": ("--model_config", json.dumps({"architecture": "plain", "width": 16})),
    "by-speaker": ("--split_by", "speaker", "--folds", "5"),
    "by-file": ("--split_by", "file"),
}
STRANGERS = "strangers"  # stands for all of the next kind
TEST = "test"  # no part of the whole: what is heard too often is chosen by
WITHOUT = "without-"  # and the name of a corpus that is left out of training and tested
PARTS = (*PROTOCOLS, STRANGERS, "robustness")


@dataclass
class StudyArguments:
    """Which checkpoint is studied, and how far."""

    model_dir: Path = field(default=Path("modeling/checkpoint"), metadata={"help": "The checkpoint."})
    study_dir: Path = field(default=Path("build/study"), metadata={"help": "Where the runs leave their figures."})
    parts: list[str] = field(
        default_factory=lambda: [*PARTS],
        metadata={
            "help": f"Of {', '.join(PARTS)}; {WITHOUT}CORPUS for one of the strangers; {TEST}, which is none of the default."
        },
    )


def main() -> None:
    parser = HfArgumentParser((StudyArguments, DataArguments))
    arguments, data_arguments, rest = parser.parse_args_into_dataclasses(return_remaining_strings=True)
    unknown = [name for name in arguments.parts if name not in (*PARTS, TEST) and not name.startswith(WITHOUT)]
    if unknown or data_arguments.dataset_name is None:
        fault = f"there is no part {', '.join(unknown)}" if unknown else "--dataset_name is missing"
        raise SystemExit(f"study.py: {fault}; see --help.")
    kept = f"the figures of the protocols that have ended are in {arguments.study_dir}: the same command goes on"
    with command(lambda: kept, "study.py"), claim(arguments.study_dir, arguments.model_dir):
        if STRANGERS in arguments.parts:
            corpora = sorted(set(corpora_of(load(data_arguments)[data_arguments.train_split_name])) - {""})
            arguments.parts += [WITHOUT + corpus for corpus in corpora if WITHOUT + corpus not in arguments.parts]
        for name in protocols(arguments):
            run_protocol(arguments.study_dir / name, name, data_arguments, rest)
        if TEST in arguments.parts:
            run_test(arguments, data_arguments, rest)
        model = MelCNNForAudioClassification.from_pretrained(arguments.model_dir)
        conditions = study_robustness(model, data_arguments) if "robustness" in arguments.parts else None
        collect(arguments, data_arguments, rest, model.num_parameters(), conditions)


def protocols(arguments: StudyArguments) -> list[str]:
    """Those parts of the study that are runs of train.py."""
    return [name for name in arguments.parts if name not in (STRANGERS, TEST, "robustness")]


def run_protocol(folder: Path, name: str, data_arguments: DataArguments, rest: list[str]) -> None:
    """Runs train.py by a protocol, unless its figures are there."""
    file = folder / "evaluation.json"
    if file.is_file():
        dataset = json.loads(file.read_text())["dataset"]
        if dataset != name_of(data_arguments):
            raise SystemExit(
                f"study.py: {file} is of {dataset}, this study is of {name_of(data_arguments)}: name another --study_dir."
            )
        print(f"{name}: {file} is there.")
        return
    folders = ["--model_dir", folder, "--evaluation_dir", folder, "--output_dir", folder.with_name(f"{name}-run")]
    of_protocol = PROTOCOLS.get(name) or ("--leave_out", name.removeprefix(WITHOUT))
    options = [*_data_options(data_arguments), *rest, *of_protocol]
    line = [sys.executable, ROOT / "train.py", *options, *folders, "--resume_from_checkpoint", "True"]
    print(f"{name}: {' '.join(of_protocol)}", flush=True)
    if subprocess.run([str(word) for word in line], check=False).returncode:
        raise SystemExit(f"study.py: {name} has not ended; the same command goes on with it.")


def run_test(arguments: StudyArguments, data_arguments: DataArguments, rest: list[str]) -> None:
    """Evaluates the checkpoint on the test split, by train.py; anew each time, for it may be another checkpoint."""
    options = _data_options(replace(data_arguments, eval_split_name=TEST))
    of_checkpoint = ["--do_train", "False", "--model_name_or_path", arguments.model_dir]
    line = [sys.executable, ROOT / "train.py", *options, *rest, *of_checkpoint]
    line += ["--evaluation_dir", arguments.study_dir / TEST]
    if subprocess.run([str(word) for word in line], check=False).returncode:
        raise SystemExit(f"study.py: {TEST} has not ended: the reason stands above.")


def study_robustness(model: MelCNNForAudioClassification, data_arguments: DataArguments) -> dict[str, dict]:
    """Measures the checkpoint on degraded clips of the validation speakers."""
    splits = load(data_arguments, list(model.config.id2label.values()))
    device = TrainingArguments(per_device_eval_batch_size=32, report_to="none")
    (fold,) = make_folds(splits, data_arguments, device.seed)
    return measure_robustness(model, fold.validation, data_arguments, device, own_labels(splits, data_arguments))


def study_strangers(
    folder: Path, corpus: str, data_arguments: DataArguments
) -> tuple[dict[str, float], dict[str, float]]:
    """Measures what adapting is worth to the model of a run that left a corpus out, and whether it knows that it never heard it."""
    model = MelCNNForAudioClassification.from_pretrained(folder)
    splits = load(data_arguments, list(model.config.id2label.values()))
    device = TrainingArguments(per_device_eval_batch_size=32, report_to="none")
    (fold,) = make_folds(splits, replace(data_arguments, leave_out=corpus), device.seed)
    adaptation = measure_adaptation(model, fold.evaluation, data_arguments, device, own_labels(splits, data_arguments))
    known, unheard = (
        Clips(part, data_arguments, model.config.sampling_rate) for part in (fold.validation, fold.evaluation)
    )
    return adaptation, recognise_strangers(model, known, unheard)


def collect(
    arguments: StudyArguments,
    data_arguments: DataArguments,
    rest: list[str],
    n_parameters: int,
    conditions: dict[str, dict] | None,
) -> None:
    """Adds what was measured to the figures in the checkpoint's folder, renews its card, and prints them."""
    found = arguments.model_dir / "study.json"
    study = json.loads(found.read_text()) if found.is_file() else {"protocols": {}, "robustness": {}}
    for name in protocols(arguments):
        evaluation = json.loads((arguments.study_dir / name / "evaluation.json").read_text())
        recipe = f", {' '.join(rest)}" if rest else ""  # where it differs from the default one
        study["protocols"][name] = {"protocol": evaluation["protocol"] + recipe, **brief(evaluation)}
        if name.startswith(WITHOUT):
            corpus = name.removeprefix(WITHOUT)
            adaptation, recognition = study_strangers(arguments.study_dir / name, corpus, data_arguments)
            study.setdefault("adaptation", {})[corpus] = adaptation
            study["protocols"][name][corpus] |= recognition
    if TEST in arguments.parts:
        study[TEST] = brief(json.loads((arguments.study_dir / TEST / "evaluation.json").read_text()))
    study["protocols"] = dict(sorted(study["protocols"].items()))  # in the table's order, whichever was run first
    with whole_files(arguments.model_dir, last=found.name) as staging:
        if conditions:
            study["robustness"] = conditions
            figure = report.draw_robustness(study["robustness"])
            figure.savefig(staging / "robustness.png", dpi=120, bbox_inches="tight")
            plt.close(figure)
        if study.get("adaptation"):
            figure = report.draw_adaptation(study["adaptation"])
            figure.savefig(staging / "adaptation.png", dpi=120, bbox_inches="tight")
            plt.close(figure)
        (staging / found.name).write_text(json.dumps(study, indent=1) + "\n")
    evaluation = json.loads((arguments.model_dir / "evaluation.json").read_text())
    write_card(arguments.model_dir, evaluation, load_card(data_arguments.dataset_name), n_parameters)
    say_text(f"\n{report.study_tables(study)}\n\nWritten to {arguments.model_dir}/.")


def _data_options(arguments: DataArguments) -> list[str]:
    """What is said of the dataset, as options of train.py."""
    said = {f.name: getattr(arguments, f.name) for f in fields(arguments) if f.init}
    return [f"--{name}={value}" for name, value in said.items() if value != getattr(DataArguments, name)]


if __name__ == "__main__":
    main()
