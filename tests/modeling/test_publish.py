"""Publishing a checkpoint: the whole model goes up, no pickle does, and what is no checkpoint is refused."""

import pytest
import torch
from huggingface_hub import ModelCard

from modeling import publish
from tests.tiny_model import CARD, write_model


@pytest.fixture
def model(tmp_path):
    return write_model(tmp_path / "model")


def run(capsys, *arguments) -> tuple[str, str]:
    try:
        publish.main([str(argument) for argument in arguments])
        error = ""
    except SystemExit as end:
        error = str(end.code)
    return capsys.readouterr().out, error


def test_weights_code_card_and_metric_go_up(hub, model, capsys):
    (model / "onnx").mkdir()
    (model / "onnx" / "model.onnx").write_bytes(b"as modeling.export writes it")
    printed, error = run(capsys, model, "--repo-id", "alice/model")
    assert error == ""
    assert printed.strip().endswith(f"{hub.endpoint}/alice/model")
    published = dict(hub.files("models", "alice/model"))
    published.pop(".gitattributes")
    assert published.pop("onnx/model.onnx") == b"as modeling.export writes it"
    assert published == {path.name: path.read_bytes() for path in model.iterdir() if path.is_file()}
    assert {"model.safetensors", "modeling_mel_cnn.py", "metrics.py", "README.md"} <= set(published)
    assert published["README.md"].decode() == CARD
    run(capsys, model, "--repo-id", "alice/model")
    assert len(hub.titles("models", "alice/model")) == 2


def test_pickles_and_work_files_stay_here_and_leave_the_repository(hub, model, capsys):
    run(capsys, model, "--repo-id", "alice/model")
    hub.repositories["models", "alice/model"].find("main").files["pytorch_model.bin"] = b"an older push"
    torch.save({"learning_rate": 1}, model / "training_args.bin")
    for path in ("checkpoint-8/optimizer.pt", "checkpoint-8/config.json", "runs/events.out", "__pycache__/metrics.pyc"):
        (model / path).parent.mkdir(exist_ok=True)
        (model / path).write_bytes(b"work")
    printed, error = run(capsys, model, "--repo-id", "alice/model")
    assert error == ""
    assert "training_args.bin" in printed.partition("not published:")[2]
    published = hub.files("models", "alice/model")
    assert not [path for path in published if "/" in path or path.endswith((".bin", ".pt"))]


@pytest.mark.parametrize(
    "missing", ["README.md", "model.safetensors", "preprocessor_config.json", "modeling_mel_cnn.py"]
)
def test_half_a_checkpoint_is_refused(hub, model, capsys, missing):
    (model / missing).unlink()
    _, error = run(capsys, model, "--repo-id", "alice/model")
    assert f"it lacks {missing}" in error and "\n" not in error
    assert hub.requests == []


def test_the_default_is_the_checkpoint_of_this_repository(hub, capsys, monkeypatch, model):
    monkeypatch.setattr(publish, "CHECKPOINT", model)
    printed, error = run(capsys, "--repo-id", "alice/model", "--dry-run")
    assert error == "" and "model.safetensors" in printed and hub.requests == []


def test_a_card_that_is_no_card(hub, model, capsys):
    (model / "README.md").write_text("---\nlicense: [\n---\n")
    assert "README.md cannot be read as a card" in run(capsys, model, "--repo-id", "alice/model")[1]
    (model / "README.md").write_text("# no metadata\n")
    assert "has no YAML" in run(capsys, model, "--repo-id", "alice/model")[1]


def test_the_published_card_names_repository_and_dataset(hub, model, capsys):
    card = (model / "README.md").read_text() + '\n```python\npipeline("audio-classification", model=".")\n```\n'
    (model / "README.md").write_text(card)
    _, error = run(capsys, model, "--repo-id", "alice/model", "--dataset", "alice/corpus")
    assert error == "" and (model / "README.md").read_text() == card
    published = ModelCard(hub.files("models", "alice/model")["README.md"].decode())
    assert 'model="alice/model")' in published.content and 'model="."' not in published.content
    assert published.data.datasets == ["alice/corpus"]
    assert [result.dataset_type for result in published.data.eval_results] == ["alice/corpus"]
    _, error = run(capsys, model, "--repo-id", "alice/model", "--dataset", "corpus")
    assert "'corpus' is not a name on the Hub" in error
