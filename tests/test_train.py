"""train.py as people run it: on the demo's way, on own data, by every protocol."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from huggingface_hub import ModelCard
from safetensors.torch import load_file

import train
from modeling.configuration_mel_cnn import MelCNNConfig
from modeling.modeling_mel_cnn import MelCNNForAudioClassification
from modeling.training.model_card import write_card
from tests.tiny_model import CONFIG


@pytest.fixture(scope="module")
def own_data(tmp_path_factory) -> Path:
    """A folder with one sub-folder of audio per class: low and high tones."""
    folder = tmp_path_factory.mktemp("own")
    rng = np.random.default_rng(0)
    for label, pitch in (("low", 200), ("high", 2000)):
        (folder / label).mkdir()
        for number in range(10):
            tone = 0.3 * np.sin(2 * np.pi * pitch * np.arange(4000) / 8000) + 0.01 * rng.standard_normal(4000)
            soundfile.write(folder / label / f"{number}.wav", tone, 8000)
    return folder


def test_training_leaves_a_complete_model(tiny_corpus, run_train, capsys):
    run_train("--dataset_name", tiny_corpus)
    folder = Path("build/model")
    names = {path.name for path in folder.iterdir()}
    assert {"config.json", "preprocessor_config.json", "model.safetensors", "README.md", "evaluation.json"} <= names
    assert {"metrics.py", "modeling_mel_cnn.py", "confusion.png", "reliability.png", "training.png"} <= names
    assert not [name for name in names if name.endswith((".bin", ".pt", ".pkl"))]
    evaluation = json.loads((folder / "evaluation.json").read_text())
    assert evaluation["all"]["raw"]["n_clips"] == 14 and evaluation["unseen_speakers"]
    assert set(evaluation["corpus"]) == {"ravdess", "crema_d"} and set(evaluation["speaker"]) == {
        "ravdess_01",
        "crema_d_1009",
    }
    card = ModelCard.load(folder / "README.md")
    assert card.data.eval_results[0].metric_value == pytest.approx(
        evaluation["all"]["own_labels"]["accuracy"], abs=1e-4
    )
    model = MelCNNForAudioClassification.from_pretrained(folder)
    assert model.config.id2label[2] == "happy" and model.config.calibration_temperature != 1.0
    assert "| crema_d | 6 |" in capsys.readouterr().out
    assert not list(Path("build/run").glob("checkpoint-*"))


def test_evaluation_alone_repeats_the_figures_and_leaves_the_model_alone(tiny_corpus, run_train):
    run_train("--dataset_name", tiny_corpus)
    before = {path.name: path.read_bytes() for path in Path("build/model").iterdir()}
    run_train("--dataset_name", tiny_corpus, "--do_train", "False", "--model_name_or_path", "build/model")
    assert {path.name: path.read_bytes() for path in Path("build/model").iterdir()} == before
    first, again = (json.loads(Path("build", f, "evaluation.json").read_text()) for f in ("model", "evaluation"))
    of_training = {name: first[name] for name in ("trained_on", "training")}  # not known of any model
    assert first == again | of_training
    run_train(
        *("--dataset_name", tiny_corpus, "--do_train", "False", "--model_name_or_path", "build/model"),
        *("--eval_split_name", "test"),
    )
    test = json.loads(Path("build/evaluation/evaluation.json").read_text())
    assert test["split"] == "test" and set(test["speaker"]) == {"crema_d_1001", "ravdess_06", "tess_YAF"}


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--eval_split_name", "dev"], r"no split 'dev'.*train, validation"),
        (["--label_column_name", "feeling"], r"no such column. Choose one of .*emotion"),
        (["--do_train", "False"], "name it by --model_name_or_path"),
        (["--leave_out", "iemocap"], "ravdess"),
        (["--folds", "5"], "--folds 5: only new splits have folds; add --split_by speaker"),
        (["--model_config", '{"widht": 8}'], "names widht; MelCNNConfig has .*width"),
        (["--dataset_name", "no/such/folder"], "no/such/folder"),
    ],
)
def test_impossible_wishes_are_refused_in_a_line(tiny_corpus, run_train, options, complaint):
    with pytest.raises(SystemExit, match=complaint):
        run_train("--dataset_name", tiny_corpus, *options)
    assert not [path for path in Path().rglob("*") if path.is_file() and not path.name.endswith(".lock")]


def test_a_model_is_not_called_deaf_to_voices_that_it_was_trained_on(tiny_corpus, run_train):
    run_train("--dataset_name", tiny_corpus)
    for protocol in (["--leave_out", "tess"], ["--split_by", "speaker", "--folds", "3"]):
        with pytest.raises(SystemExit, match="may have heard these voices"):
            run_train(
                *("--dataset_name", tiny_corpus, "--do_train", "False", "--model_name_or_path", "build/model"),
                *protocol,
            )
    assert not Path("build/evaluation").exists()


def test_model_of_other_data_or_another_protocol_is_not_overwritten(tiny_corpus, own_data, run_train):
    run_train("--dataset_name", tiny_corpus)
    before = Path("build/model/model.safetensors").read_bytes()
    with pytest.raises(SystemExit, match="--overwrite_output_dir"):
        run_train("--dataset_name", own_data, "--label_column_name", "label")
    with pytest.raises(SystemExit, match="validation split; this run is of .*without tess"):
        run_train("--dataset_name", tiny_corpus, "--leave_out", "tess")
    run_train("--dataset_name", tiny_corpus, "--split_by", "speaker", "--folds", "3")  # leaves no model
    assert Path("build/model/model.safetensors").read_bytes() == before
    run_train("--dataset_name", own_data, "--label_column_name", "label", "--overwrite_output_dir", "True")
    assert MelCNNForAudioClassification.from_pretrained("build/model").config.num_labels == 2


def test_folder_that_is_no_model_is_never_replaced(tiny_corpus, run_train):
    Path("letters").mkdir()
    Path("letters/mother.txt").write_text("Dear mother")
    with pytest.raises(SystemExit, match="letters holds something else than a model"):
        run_train("--dataset_name", tiny_corpus, "--model_dir", "letters", "--overwrite_output_dir", "True")
    assert Path("letters/mother.txt").read_text() == "Dear mother"


def test_own_folder_of_classes_is_learned_and_its_figures_are_not_called_unseen(own_data, run_train, capsys):
    run_train("--dataset_name", own_data, "--label_column_name", "label", "--learning_rate", "0.01", epochs=24)
    assert "Voices are shared" in capsys.readouterr().out
    evaluation = json.loads(Path("build/model/evaluation.json").read_text())
    assert evaluation["all"]["raw"]["accuracy"] == 1.0
    assert not evaluation["unseen_speakers"]
    assert "Voices may be shared" in Path("build/model/README.md").read_text()


def test_fine_tuning_takes_the_encoder_and_a_new_head(tiny_corpus, own_data, run_train):
    run_train("--dataset_name", tiny_corpus)
    run_train(
        *("--dataset_name", own_data, "--label_column_name", "label", "--model_name_or_path", "build/model"),
        *("--model_dir", "build/tuned", "--learning_rate", "1e-9"),
    )
    base, tuned = (load_file(f"build/{name}/model.safetensors") for name in ("model", "tuned"))
    torch.testing.assert_close(
        base["mel_cnn.pooling.projection.weight"], tuned["mel_cnn.pooling.projection.weight"], rtol=0, atol=1e-6
    )
    assert tuned["classifier.weight"].shape[0] == 2
    card = Path("build/tuned/README.md").read_text()
    assert "fine-tuned from `model`" in card and "from scratch" not in card
    assert ModelCard(card).data.license == "cc-by-nc-sa-4.0"  # the base's: that of the data is not known
    write_card(
        Path("build/tuned"),
        json.loads(Path("build/tuned/evaluation.json").read_text()),
        dataset_card={},
        n_parameters=MelCNNForAudioClassification.from_pretrained("build/tuned").num_parameters(),
    )
    assert Path("build/tuned/README.md").read_text() == card  # as modeling.training.study renews it


def test_as_many_labels_of_another_order_get_a_new_head_too(run_train):
    model = MelCNNForAudioClassification(MelCNNConfig(**CONFIG, num_labels=2))
    model.save_pretrained("base")
    arguments = train.ModelArguments(model_name_or_path="base")
    tuned = train.make_model(arguments, ["other", "names"])
    assert not torch.equal(tuned.classifier.weight, model.classifier.weight)
    torch.testing.assert_close(tuned.mel_cnn.pooling.projection.weight, model.mel_cnn.pooling.projection.weight)
    known = train.make_model(arguments, ["LABEL_0", "LABEL_1"])
    torch.testing.assert_close(known.classifier.weight, model.classifier.weight)


def test_fixed_window_is_filled_in_training(tiny_corpus, run_train, monkeypatch):
    """The plain network hears 3 s; crops of 2 s would leave the weights of the last second untrained."""
    clips = record_clips(monkeypatch)
    plain = {"architecture": "plain", "width": 4, "hidden_size": 8}
    run_train("--dataset_name", tiny_corpus, "--model_config", json.dumps(plain))
    assert [part.max_length for part in clips[:2]] == [3 * 16_000, None]


@pytest.mark.parametrize("augmentation", [True, False])
def test_quiet_surrounds_the_training_clips_alone(tiny_corpus, run_train, monkeypatch, augmentation):
    clips = record_clips(monkeypatch)
    run_train("--dataset_name", tiny_corpus, "--augmentation", str(augmentation))
    of_training, of_validation = (
        {len(part[index % len(part)]["input_values"]) for index in range(100)} for part in clips[:2]
    )
    assert len(of_validation) == 1  # the tiny corpus's clips are all of one length
    assert (len(of_training) > 10) == augmentation


def record_clips(monkeypatch) -> list[train.Clips]:
    """The clips of training and of validation, in this order and before others, once train.py has run."""
    recorded = []

    class RecordedClips(train.Clips):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            recorded.append(self)

    monkeypatch.setattr(train, "Clips", RecordedClips)
    return recorded


def test_folds_and_left_out_corpora_are_reported_without_a_model(tiny_corpus, run_train, capsys):
    run_train("--dataset_name", tiny_corpus, "--split_by", "speaker", "--folds", "3")
    assert capsys.readouterr().out.count("| all, any label |") == 3 + 1
    evaluation = json.loads(Path("build/evaluation/evaluation.json").read_text())
    assert len(evaluation["speaker"]) == 3 and evaluation["unseen_speakers"]
    assert not Path("build/model").exists()
    run_train("--dataset_name", tiny_corpus, "--split_by", "file", "--model_dir", "build/leaky")
    assert not json.loads(Path("build/leaky/evaluation.json").read_text())["unseen_speakers"]


def test_corpora_of_other_people_are_trained_on_and_left_out(extended_corpus, run_train):
    run_train("--dataset_name", extended_corpus, "--dataset_config_name", "extended", "--leave_out", "emospeech")
    evaluation = json.loads(Path("build/model/evaluation.json").read_text())
    assert set(evaluation["trained_on"]) == {"ravdess", "tess", "crema_d", "nemo"}
    assert set(evaluation["corpus"]) == {"emospeech"} and set(evaluation["gender"]) == {"emospeech, unknown"}
    assert set(evaluation["speaker"]) == {"emospeech_1cfb36", "emospeech_4e520c"} and evaluation["unseen_speakers"]
