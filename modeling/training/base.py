"""The model that training begins with, or that is evaluated."""

import json

from modeling.configuration_mel_cnn import UNCALIBRATED, MelCNNConfig
from modeling.model_files import in_plain_words
from modeling.modeling_mel_cnn import MelCNNForAudioClassification
from modeling.training.recipe import ModelArguments


def make_model(arguments: ModelArguments, label_names: list[str]) -> MelCNNForAudioClassification:
    """A new model, or a checkpoint to go on from, with a new head where its labels are other ones."""
    labels = {
        "id2label": dict(enumerate(label_names)),
        "label2id": {name: index for index, name in enumerate(label_names)},
        "problem_type": "single_label_classification",
    }
    if arguments.model_name_or_path is None:
        with in_plain_words("of --model_config"):
            return MelCNNForAudioClassification(MelCNNConfig(**json.loads(arguments.model_config), **labels))
    path = arguments.model_name_or_path
    known = labels_of(arguments)
    with in_plain_words(path):
        if known == label_names:
            return MelCNNForAudioClassification.from_pretrained(
                path, problem_type=labels["problem_type"], **UNCALIBRATED
            )
        model = MelCNNForAudioClassification.from_pretrained(
            path, **labels, **UNCALIBRATED, ignore_mismatched_sizes=True
        )
    model.classifier.reset_parameters()  # as many labels would else keep the rows of others
    return model


def labels_of(arguments: ModelArguments) -> list[str]:
    """The labels of the model that is to be evaluated, in their order."""
    if arguments.model_name_or_path is None:
        raise ValueError("--do_train False evaluates a model: name it by --model_name_or_path.")
    with in_plain_words(arguments.model_name_or_path):
        return list(MelCNNConfig.from_pretrained(arguments.model_name_or_path).id2label.values())
