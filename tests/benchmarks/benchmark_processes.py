"""An epoch by two processes of one thread each, beside one process of one thread and one of two.

    uv run -m tests.benchmarks.benchmark_processes

Each is a run of its own under torchrun; the clock starts after imports and the first epoch.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from transformers import TrainerCallback

from modeling.feature_extraction_mel_cnn import MelCNNFeatureExtractor
from modeling.training.augmentation import Augmentation
from modeling.training.recipe import RecipeArguments
from modeling.training.trainer import EmotionTrainer, collator
from tests.benchmarks.benchmark_training import new_model
from tests.benchmarks.interleave import markdown
from tests.benchmarks.made_up_corpus import made_up_clips

N_CLIPS = 128
EPOCHS = 3
ROUNDS = 3
COMPETITORS = {"1 process, 1 thread": (1, 1), "2 processes, 1 thread each": (2, 1), "1 process, 2 threads": (1, 2)}


def main() -> None:
    seconds = {name: [] for name in COMPETITORS}
    for _ in range(ROUNDS):
        for name, (n_processes, n_threads) in COMPETITORS.items():
            seconds[name] += launch(n_processes, n_threads)
    print(f"An epoch over {N_CLIPS} clips of 3 s on the CPU, 32 clips to a step in all\n")
    print(markdown(seconds, N_CLIPS), "\n")


def launch(n_processes: int, n_threads: int) -> list[float]:
    """Seconds of every epoch but the first."""
    with tempfile.TemporaryDirectory() as folder:
        launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(n_processes)]
        environment = os.environ | {"OMP_NUM_THREADS": str(n_threads), "CUDA_VISIBLE_DEVICES": ""}
        subprocess.run([*launcher, "-m", __spec__.name, folder], env=environment, check=True, stdout=subprocess.DEVNULL)
        return [float(line) for line in Path(folder, "seconds").read_text().split()]


class Clock(TrainerCallback):
    """Notes how long every epoch took."""

    def __init__(self):
        self.seconds = []

    def on_epoch_begin(self, *_, **__):
        self.start = time.perf_counter()

    def on_epoch_end(self, *_, **__):
        self.seconds.append(time.perf_counter() - self.start)


def work(folder: str) -> None:
    """What each process runs."""
    n_processes = int(os.environ["WORLD_SIZE"])
    arguments = RecipeArguments(
        output_dir=folder,
        use_cpu=True,
        num_train_epochs=EPOCHS,
        per_device_train_batch_size=32 // n_processes,
        eval_strategy="no",
        save_strategy="no",
        load_best_model_at_end=False,
        report_to="none",
        disable_tqdm=True,
        logging_strategy="no",
    )
    torch.manual_seed(0)
    model, clock = new_model(), Clock()
    Augmentation().attach(model)
    EmotionTrainer(
        model,
        arguments,
        data_collator=collator(MelCNNFeatureExtractor()),
        train_dataset=made_up_clips(N_CLIPS),
        callbacks=[clock],
    ).train()
    if arguments.process_index == 0:
        Path(folder, "seconds").write_text("\n".join(map(str, clock.seconds[1:])))


if __name__ == "__main__":
    work(sys.argv[1]) if "WORLD_SIZE" in os.environ else main()
