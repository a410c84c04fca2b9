"""The log-mel front end beside librosa with the same numbers and the feature extractor of AST with its own.

uv run -m tests.benchmarks.benchmark_front_end
"""

import librosa
import numpy as np
import torch
from transformers import ASTFeatureExtractor

from modeling.configuration_mel_cnn import MelCNNConfig
from modeling.layers_mel_cnn import LogMel
from tests.benchmarks.interleave import interleave, markdown
from tests.modeling.tiny import voice

SECONDS = 3.0
N_CLIPS = 16
ROUNDS = 15


def main() -> None:
    clips = [voice(SECONDS, seed=seed) for seed in range(N_CLIPS)]
    config = MelCNNConfig()
    log_mel, ast = LogMel(config), ASTFeatureExtractor()

    def with_librosa(clip: np.ndarray) -> np.ndarray:
        power = librosa.feature.melspectrogram(
            y=clip,
            sr=config.sampling_rate,
            n_fft=config.n_fft,
            win_length=config.win_length,
            hop_length=config.hop_length,
            n_mels=config.n_mels,
            fmin=config.f_min,
            fmax=config.f_max,
            pad_mode="constant",
            htk=True,
            norm=None,
        )
        return np.log(power + config.log_floor)

    runs = {
        "MelCNN, one by one": lambda: [log_mel(torch.from_numpy(clip)[None]) for clip in clips],
        "MelCNN, in a batch": lambda: log_mel(torch.from_numpy(np.stack(clips))),
        "librosa": lambda: [with_librosa(clip) for clip in clips],
        "ASTFeatureExtractor": lambda: ast(clips, sampling_rate=16_000),
    }
    torch.set_num_threads(1)
    print(f"Log-mel spectrogram of {SECONDS:g}-second clips, one thread\n")
    with torch.inference_mode():
        print(markdown(interleave(runs, ROUNDS), N_CLIPS), "\n")


if __name__ == "__main__":
    main()
