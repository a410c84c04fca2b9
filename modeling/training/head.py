"""After training: a head that goes less by the studio in which a clip was recorded."""

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from modeling.modeling_mel_cnn import MelCNNForAudioClassification
from modeling.training.data import Clips, evenly
from modeling.training.strangers import hear, labels_by_corpus, within_corpora

HEAD_CLIPS = 4_000  # of which it is fitted: more change little


@torch.no_grad()
def refit_head(model: MelCNNForAudioClassification, clips: Clips) -> None:
    """Makes the head the mean of the trained one and of a logistic regression within corpora.

    What a corpus's clips have in common is taken from their embeddings before the regression is fitted: it learns what the labels
    of one studio differ by, and nothing from one studio to the other. The mean of both is as good at home and adapts better to
    strangers (EXPERIMENTS.md). With one corpus, or fewer than three labels in training, the head stays as it is.

    Args:
        model: Its head is changed.
        clips: The training clips, as they are.
    """
    labels_of = labels_by_corpus(clips)
    # A corpus of one label says nothing of what labels differ by.
    telling = np.array([index for index, corpus in enumerate(clips.corpora) if len(labels_of[corpus]) > 1], dtype=int)
    chosen = telling[evenly(len(telling), HEAD_CLIPS)]
    _, corpora = np.unique([clips.corpora[index] for index in chosen], return_inverse=True)
    heard, labels = np.unique([clips.labels[index] for index in chosen], return_inverse=True)
    if len(labels_of) < 2 or len(heard) < 3:
        return
    embeddings = hear(model, clips, chosen, "pooler_output").astype(np.float64)
    scaler = StandardScaler().fit(embeddings)
    # An L2 penalty as heavy as the mean loss: a lighter one serves known studios a little better, and strangers no better.
    regression = LogisticRegression(C=1 / len(chosen), class_weight="balanced", max_iter=1_000)
    regression.fit(within_corpora(scaler.transform(embeddings), corpora), labels)
    # A head is one matrix here, `(n_labels, embedding_size + 1)`: the bias is the weight of a further input, which is always 1.
    weight = regression.coef_ / scaler.scale_
    fitted = np.column_stack([weight, regression.intercept_ - weight @ scaler.mean_])
    head = model.classifier
    trained = torch.column_stack([head.weight, head.bias])[heard].cpu().numpy()
    common = trained.mean(0)  # to all labels: no softmax tells it, but labels that were not heard keep theirs
    inputs = np.column_stack([embeddings, np.ones(len(embeddings))])
    scale = (inputs @ (trained - common).T).std() / (inputs @ fitted.T).std()
    mean = torch.from_numpy((trained + common + scale * fitted) / 2).to(head.weight)
    head.weight[heard], head.bias[heard] = mean[:, :-1], mean[:, -1]
