"""The pictures of a training: what was measured is drawn, what was not leaves no empty frame."""

from matplotlib import pyplot as plt

from modeling.training.report import draw_training

LOSSES = [{"epoch": epoch, "loss": 2 / epoch} for epoch in (1, 2, 3)]
EVALUATIONS = [
    {"epoch": 1, "eval_loss": 1.9, "eval_unweighted_average_recall": 0.4, "eval_unweighted_average_recall_tess": 0.3},
    {"epoch": 2, "eval_loss": 1.5, "eval_unweighted_average_recall": 0.6, "eval_unweighted_average_recall_tess": 0.5},
]


def test_a_training_is_drawn_with_what_was_evaluated():
    figure = draw_training(LOSSES + EVALUATIONS)
    loss, recall = figure.axes
    assert [line.get_label() for line in loss.lines] == ["training (augmented, all tasks)", "validation"]
    assert [line.get_label() for line in recall.lines] == ["mean of the corpora", "tess"]
    assert list(recall.lines[1].get_ydata()) == [0.3, 0.5]
    plt.close(figure)


def test_a_training_without_evaluations_is_drawn_by_its_loss_alone(recwarn):
    figure = draw_training(LOSSES)
    (loss,) = figure.axes
    (line,) = loss.lines
    assert list(line.get_ydata()) == [2, 1, 2 / 3] and not recwarn
    plt.close(figure)
