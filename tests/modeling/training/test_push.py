"""Pushes while training: after each of them the repository is a whole model, with our card and without a pickle."""

import shutil
from pathlib import Path

import pytest
import torch
from datasets import Dataset
from transformers import AutoModelForAudioClassification, Trainer, TrainerCallback, TrainingArguments

from modeling.configuration_mel_cnn import MelCNNConfig
from modeling.feature_extraction_mel_cnn import MelCNNFeatureExtractor
from modeling.modeling_mel_cnn import MelCNNForAudioClassification
from modeling.training.push import PushToHub

CARD = "---\nlicense: cc-by-nc-sa-4.0\n---\n\n# The card of this project\n"
PICKLES = (".bin", ".pt", ".pth", ".pkl")


def write_card(folder: Path, state=None) -> None:
    (folder / "README.md").write_text(CARD)


class Interruption(TrainerCallback):
    def on_step_begin(self, args, state, control, **_):
        if state.global_step == 1:
            raise KeyboardInterrupt


def train(tmp_path: Path, *, finished: bool = True, callbacks=(), resume: bool = False, **options) -> PushToHub:
    """Trains a tiny model for two saves, then publishes the finished one."""
    config = MelCNNConfig(width=4, depths=(1,), hidden_size=8, attention_size=4, num_labels=2)
    waveforms = torch.randn(4, 3_200, generator=torch.Generator().manual_seed(0))
    rows = {"input_values": waveforms.tolist(), "attention_mask": [[1] * 3_200] * 4, "labels": [0, 1, 0, 1]}
    arguments = TrainingArguments(
        output_dir=str(tmp_path / "run"),
        push_to_hub=True,
        hub_model_id="alice/model",
        per_device_train_batch_size=2,
        max_steps=2,
        report_to="none",
        use_cpu=True,
        disable_tqdm=True,
        **{"save_steps": 1} | options,
    )
    push = PushToHub(arguments, write_card)
    extractor = MelCNNFeatureExtractor()
    trainer = Trainer(
        model=MelCNNForAudioClassification(config),
        args=arguments,
        train_dataset=Dataset.from_dict(rows),
        processing_class=extractor,
        callbacks=[push, *callbacks],
    )
    trainer.train(resume_from_checkpoint=resume)
    trainer.save_model(tmp_path / "model")
    (tmp_path / "model" / "training_args.bin").unlink()
    write_card(tmp_path / "model")
    if finished:
        push.publish(tmp_path / "model")
    return push


@pytest.mark.parametrize(
    ("strategy", "folders"),
    [
        ("end", set()),
        ("every_save", set()),
        ("checkpoint", {"last-checkpoint"}),
        ("all_checkpoints", {"checkpoint-1", "checkpoint-2"}),
    ],
)
def test_every_push_is_a_whole_model(hub, tmp_path, strategy, folders):
    train(tmp_path, hub_strategy=strategy)
    pushes = hub.repositories["models", "alice/model"].branches["main"][1:]
    # The last save is the finished model, which therefore makes no commit of its own.
    assert len(pushes) == (1 if strategy == "end" else 2)
    for push in pushes:
        assert push.files["README.md"].decode() == CARD
        assert {"config.json", "preprocessor_config.json", "model.safetensors", "modeling_mel_cnn.py"} <= set(
            push.files
        )
        assert not [path for path in push.files if path.endswith(PICKLES)]
    assert {path.split("/")[0] for path in pushes[-1].files if "/" in path} == folders
    for folder in folders:
        assert f"{folder}/model.safetensors" in pushes[-1].files
    (tmp_path / "down").mkdir()
    for path, content in pushes[-1].files.items():
        if "/" not in path:
            (tmp_path / "down" / path).write_bytes(content)
    down = AutoModelForAudioClassification.from_pretrained(tmp_path / "down", trust_remote_code=True)
    here = MelCNNForAudioClassification.from_pretrained(tmp_path / "model")
    assert all(torch.equal(down.state_dict()[name], tensor) for name, tensor in here.state_dict().items())


@pytest.mark.parametrize("kept", [True, False])
def test_every_save_outlives_an_interruption(hub, tmp_path, kept):
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, hub_strategy="all_checkpoints", callbacks=[Interruption()])
    before = hub.files("models", "alice/model")
    if not kept:  # the interruption came between the save and its push
        shutil.rmtree(tmp_path / "run" / "pushed")
    train(tmp_path, hub_strategy="all_checkpoints", resume=True)
    after = hub.files("models", "alice/model")
    assert {path.split("/")[0] for path in after if "/" in path} == {"checkpoint-1", "checkpoint-2"}
    assert {path: content for path, content in before.items() if "/" in path}.items() <= after.items()
    assert not [path for path in after if path.endswith(PICKLES)]
    assert not (tmp_path / "run" / "pushed").exists()


def test_a_run_from_the_start_takes_the_place_of_the_run_before(hub, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, hub_strategy="all_checkpoints", callbacks=[Interruption()])
    train(tmp_path, hub_strategy="all_checkpoints", save_steps=2)
    assert {path.split("/")[0] for path in hub.files("models", "alice/model") if "/" in path} == {"checkpoint-2"}


def test_private_and_revision(hub, tmp_path):
    train(tmp_path, hub_private_repo=True, hub_revision="try")
    assert hub.repositories["models", "alice/model"].private
    assert "model.safetensors" in hub.files("models", "alice/model", "try")
    assert "model.safetensors" not in hub.files("models", "alice/model")


def test_a_push_that_fails_does_not_stop_the_training(hub, tmp_path, capsys):
    hub.outage = True
    push = train(tmp_path, hub_strategy="every_save", finished=False)
    printed = capsys.readouterr().out
    assert "step 1: not pushed" in printed and "step 2: not pushed" in printed
    with pytest.raises(ValueError, match="no commits just now"):
        push.publish(tmp_path / "model")
    hub.outage = False
    push.publish(tmp_path / "model")
    assert "model.safetensors" in hub.files("models", "alice/model")


@pytest.mark.parametrize(("token", "reason"), [("", "hf auth login"), ("hf_read", "read-only")])
def test_a_token_that_will_not_do_is_said_before_training(hub, tmp_path, monkeypatch, token, reason):
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(ValueError, match=reason):
        train(tmp_path)
    assert not (tmp_path / "model").exists()
