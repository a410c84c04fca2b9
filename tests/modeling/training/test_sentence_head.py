"""The second task: which sentences count, what it adds to the loss, and that it leaves no trace in the model."""

import pytest
import torch
from datasets import Dataset

from modeling.training.data import DataArguments
from modeling.training.model_folder import complete_save
from modeling.training.sentence_head import NOT_SHARED, SentenceHead, shared_sentences
from tests.modeling.tiny import save_checkpoint, tiny_model

ARGUMENTS = DataArguments(speaker_column_name="speaker_id")


def clips(**columns: list) -> Dataset:
    return Dataset.from_dict(columns)


def test_sentences_of_one_speaker_alone_are_no_task():
    data = clips(text=["b", "b", "a", "mine", "a", None, None], speaker_id=["1", "2", "1", "1", "2", "1", "2"])
    assert shared_sentences(data, ARGUMENTS) == [1, 1, 0, NOT_SHARED, 0, NOT_SHARED, NOT_SHARED]


@pytest.mark.parametrize(
    "data",
    [
        clips(speaker_id=["1", "2"]),
        clips(text=["a", "a"]),
        clips(text=["a", "a"], speaker_id=["1", "2"]),
        clips(text=["a", "b"], speaker_id=["1", "2"]),
    ],
    ids=["no texts", "no speakers", "one sentence", "none shared"],
)
def test_without_two_shared_sentences_there_is_no_second_task(data):
    assert shared_sentences(data, ARGUMENTS) is None


def batch(sentences: list[int]) -> dict[str, torch.Tensor]:
    waveforms = torch.randn(len(sentences), 4_000, generator=torch.Generator().manual_seed(0))
    return {
        "input_values": waveforms,
        "labels": torch.zeros(len(sentences), dtype=torch.long),
        "sentences": torch.tensor(sentences),
    }


def loss(model, inputs: dict) -> torch.Tensor:
    torch.manual_seed(0)  # for dropout
    return model(**inputs).loss


def test_cross_entropy_of_shared_sentences_is_added_in_training_alone():
    model, sentences = tiny_model().train(), [0, 1, NOT_SHARED]
    emotion = loss(model, batch(sentences))
    head = SentenceHead(model.mel_cnn.pooling.embedding_size, sentences, weight=0.5)
    torch.nn.init.zeros_(head.classifier.weight)
    torch.nn.init.zeros_(head.classifier.bias)
    head.attach(model)
    both = loss(model, batch(sentences))
    # With all weights at zero, both sentences are equally likely.
    torch.testing.assert_close(both - emotion, 0.5 * torch.tensor(2.0).log())
    both.backward()
    assert head.classifier.weight.grad.abs().max() > 0
    torch.testing.assert_close(loss(model, batch([NOT_SHARED] * 3)), emotion)
    model.eval()
    with_head = loss(model, batch(sentences))
    head.detach(model)
    torch.testing.assert_close(with_head, loss(model, batch(sentences)))


def test_detached_head_leaves_no_trace():
    model = tiny_model()
    head = SentenceHead(model.mel_cnn.pooling.embedding_size, [0, 1], weight=0.5)
    head.attach(model)
    head.detach(model)
    assert model.state_dict().keys() == tiny_model().state_dict().keys()
    inputs = batch([0, 1])
    torch.testing.assert_close(loss(model.train(), inputs), loss(tiny_model().train(), inputs))


def test_a_save_that_is_pushed_in_mid_training_holds_the_model_alone(tmp_path):
    model = save_checkpoint(tmp_path)
    SentenceHead(model.mel_cnn.pooling.embedding_size, [0, 1], weight=0.5).attach(model)
    model.save_pretrained(tmp_path)

    class State:
        global_step, max_steps = 1, 2

    complete_save(tmp_path, State, dataset_card={})
    loaded, report = type(model).from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report.values()), report
    torch.testing.assert_close(loaded.state_dict(), tiny_model().state_dict())
