"""A checkpoint folder as train.py leaves one, of a tiny network with random weights; and what makes train.py train one."""

import json
import shutil
from pathlib import Path

import torch

from modeling import modeling_mel_cnn
from modeling.configuration_mel_cnn import MelCNNConfig
from modeling.feature_extraction_mel_cnn import MelCNNFeatureExtractor
from modeling.modeling_mel_cnn import MelCNNForAudioClassification
from modeling.training import metrics

CONFIG = {"width": 4, "depths": [1, 1], "hidden_size": 8, "attention_size": 4}

CARD = """---
license: cc-by-nc-sa-4.0
library_name: transformers
pipeline_tag: audio-classification
model-index:
- name: tiny
  results:
  - task: {type: audio-classification}
    dataset: {type: audio, name: noise}
    metrics: [{type: accuracy, value: 0.125}]
---

# A tiny model
"""


def tiny_network(seed: int = 0) -> MelCNNForAudioClassification:
    """A network whose weights the seed draws."""
    labels = ["neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"]
    config = MelCNNConfig(
        width=4,
        depths=(1,),
        hidden_size=8,
        attention_size=4,
        id2label=dict(enumerate(labels)),
        label2id={label: index for index, label in enumerate(labels)},
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return MelCNNForAudioClassification(config)


def evaluation_of(seed: int) -> dict:
    """Figures as an evaluation gives them, which tell the seed of the model that they pass for."""
    file = Path(modeling_mel_cnn.__file__).parent / "checkpoint" / "evaluation.json"
    return json.loads(file.read_text()) | {"seed": seed}


def write_model(folder: Path, seed: int = 0) -> Path:
    """Writes weights, code, card and metric; the seed draws the weights."""
    tiny_network(seed).save_pretrained(folder)
    MelCNNFeatureExtractor().save_pretrained(folder)
    shutil.copy(metrics.__file__, folder)
    (folder / "README.md").write_text(CARD)
    (folder / "evaluation.json").write_text("{}\n")
    return folder


def train_command(*options: str, epochs: int) -> list[str]:
    """Options of train.py for a tiny network and small batches, on the CPU of any machine."""
    short = [
        "--model_config",
        json.dumps(CONFIG),
        "--num_train_epochs",
        str(epochs),
        "--per_device_train_batch_size",
        "8",
    ]
    return [*short, "--report_to", "none", "--bf16", "False", *map(str, options)]
