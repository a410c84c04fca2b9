"""How much adapting to an unheard corpus gains, by the number of its clips that the model is adapted to."""

import numpy as np
from datasets import Dataset
from transformers import TrainingArguments

from modeling.modeling_mel_cnn import MelCNNForAudioClassification
from modeling.speech_mel_cnn import no_speech
from modeling.training.data import Clips, DataArguments
from modeling.training.evaluation import evaluate_clips
from modeling.training.trainer import predict

N_CLIPS = (0, 1, 5, 20, 100)
N_DRAWS = 3  # of clips to adapt to; the figures are means over them
MOST_TESTED = 600  # clips, the same for every number


def measure_adaptation(
    model: MelCNNForAudioClassification,
    data: Dataset,
    data_arguments: DataArguments,
    training_arguments: TrainingArguments,
    own_labels: dict[str, list[int]],
) -> dict[str, float]:
    """UAR among the corpus's own labels after adapting to as many clips of it, which are not tested.

    Args:
        model: Trained without the corpus.
        data: Undecoded clips of the corpus; more than are adapted to.
        data_arguments: Names of the columns.
        training_arguments: Device, batch size and seed.
        own_labels: Indices of the labels of each corpus.

    Returns:
        Number of clips -> UAR.
    """
    clips = Clips(data, data_arguments, model.config.sampling_rate)
    order = np.random.default_rng(training_arguments.seed).permutation(len(data))
    n_kept = min(len(data) // 2, N_DRAWS * max(N_CLIPS))  # never tested
    tested = data.select(np.sort(order[n_kept:][:MOST_TESTED]))

    def uar(n_clips: int, draw: int) -> float:
        chosen = np.random.default_rng(draw).permutation(order[:n_kept])[:n_clips]
        waveforms = [clips[int(index)]["input_values"] for index in chosen]
        speech = [waveform for waveform in waveforms if no_speech(waveform, clips.sampling_rate) is None]
        probabilities = predict(model.adapt(speech), tested, data_arguments, training_arguments).softmax(-1).numpy()
        figures = evaluate_clips(probabilities, tested, data_arguments, own_labels)
        return figures["all"]["own_labels"]["unweighted_average_recall"]

    return {str(n): float(np.mean([uar(n, draw) for draw in range(N_DRAWS if n else 1)])) for n in N_CLIPS}
