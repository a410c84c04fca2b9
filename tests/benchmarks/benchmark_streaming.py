"""A stream of speech, heard as it comes: CPU time for a second of sound (the real-time factor), on one thread.

uv run -m tests.benchmarks.benchmark_streaming
"""

import time

import numpy as np
import torch

from modeling.loading import load_model
from tests.modeling.tiny import voice

SECONDS, ROUNDS = 20.0, 3


def main() -> None:
    torch.set_num_threads(1)
    model, _ = load_model()
    print("| microphone | pieces | answers a second | real-time factor, least | most |\n|---:|---:|---:|---:|---:|")
    for rate in (16_000, 48_000):
        speech = np.concatenate([voice(SECONDS / 4, rate, seed=seed) for seed in range(4)])
        for seconds in (0.02, 0.5):
            factors = []
            for _ in range(ROUNDS):
                stream, n_answers, start = model.stream(rate), 0, time.process_time()
                for piece in np.split(speech, range(round(seconds * rate), len(speech), round(seconds * rate))):
                    n_answers += len(stream.push(piece))
                factors.append((time.process_time() - start) / SECONDS)
            cells = f"{n_answers / SECONDS:.1f} | {min(factors):.3f} | {max(factors):.3f}"
            print(f"| {rate / 1000:g} kHz | {seconds * 1000:g} ms | {cells} |", flush=True)


if __name__ == "__main__":
    main()
