"""The finished model's card: what the Hub reads of it, and what people do."""

import json

import pytest
from huggingface_hub import ModelCard

from modeling.training.model_card import write_card
from tests.tiny_model import evaluation_of

DATASET_CARD = {"license": ["odbl"], "language": ["en"], "pretty_name": "a corpus"}


@pytest.fixture
def evaluation() -> dict:
    return evaluation_of(0)


def main_figures(evaluation: dict) -> dict:
    """As `evaluation.brief` gives them, as far as the card shows them."""
    groups = {"all": evaluation["all"], **evaluation["corpus"]}
    return {group: dict(entry["own_labels"]) for group, entry in groups.items()}


def card_of(folder, evaluation: dict) -> ModelCard:
    write_card(folder, evaluation, DATASET_CARD, n_parameters=1_640_000)
    return ModelCard.load(folder / "README.md")


def test_results_are_of_all_clips_and_of_each_corpus(tmp_path, evaluation):
    evaluation.pop("training", None)  # as of a model that was trained before the time was kept
    card = card_of(tmp_path, evaluation)
    first, *others = card.data.eval_results
    assert first.dataset_name == "a corpus" and first.dataset_split == "validation"
    assert first.metric_value == round(evaluation["all"]["own_labels"]["accuracy"], 4)
    assert {result.dataset_config for result in others} >= set(evaluation["corpus"])
    assert card.data.datasets is None and "Training took" not in card.content


def test_results_are_those_of_the_test_split_where_there_are_some(tmp_path, evaluation):
    test = main_figures(evaluation)
    test["all"]["accuracy"] = 0.123
    (tmp_path / "study.json").write_text(json.dumps({"protocols": {}, "robustness": {}, "test": test}))
    card = card_of(tmp_path, evaluation)
    assert {result.dataset_split for result in card.data.eval_results} == {"test"}
    assert card.data.eval_results[0].metric_value == 0.123 and "### Test speakers" in card.content


def test_a_dataset_of_the_hub_is_named_with_its_configuration(tmp_path, evaluation):
    card = card_of(tmp_path, evaluation | {"dataset": "you/corpus (extended)", "hub_dataset": "you/corpus"})
    assert card.data.datasets == ["you/corpus"]
    first = card.data.eval_results[0]
    assert (first.dataset_type, first.dataset_config) == ("you/corpus", "extended")


def test_time_and_processor_of_the_training_are_told(tmp_path, evaluation):
    card = card_of(tmp_path, evaluation | {"training": {"seconds": 3_000, "processor": "a slow one, 1 thread"}})
    assert "Training took 50 minutes on a slow one, 1 thread." in card.content


def test_other_protocols_say_what_differs_from_the_recipe(tmp_path, evaluation):
    study = {"protocols": {"by-speaker": {"protocol": "5 folds, --num_train_epochs 12", **main_figures(evaluation)}}}
    (tmp_path / "study.json").write_text(json.dumps(study | {"robustness": {}}))
    content = card_of(tmp_path, evaluation).content.replace("\n", " ")
    assert "by this checkpoint's recipe but for what the line names" in content
    assert "by-speaker: 5 folds, --num_train_epochs 12" in content


def test_the_hub_can_try_a_voice(tmp_path, evaluation):
    examples = card_of(tmp_path, evaluation).data.to_dict()["widget"]
    assert examples and all(example["src"].startswith("https://") for example in examples)
