"""One epoch under Trainer, as train.py runs it, beside bare loops over the same model and clips.

    uv run -m tests.benchmarks.benchmark_training

Trainer decodes FLAC and augments. One bare loop does the same; the other finds its batches ready and augments nothing,
so that the difference is what decoding and augmentation cost.
"""

import tempfile

import torch
from torch.utils.data import DataLoader
from transformers import PrinterCallback

from modeling.configuration_mel_cnn import MelCNNConfig
from modeling.feature_extraction_mel_cnn import MelCNNFeatureExtractor
from modeling.modeling_mel_cnn import MelCNNForAudioClassification
from modeling.training.augmentation import Augmentation
from modeling.training.recipe import RecipeArguments
from modeling.training.trainer import EmotionTrainer, collator
from tests.benchmarks.interleave import interleave, markdown
from tests.benchmarks.made_up_corpus import made_up_clips

N_CLIPS = 768  # over fewer, what Trainer does once per run weighs more than it does in use
ROUNDS = 2


def main() -> None:
    clips, collate = made_up_clips(N_CLIPS), collator(MelCNNFeatureExtractor())
    with tempfile.TemporaryDirectory() as folder:
        arguments = RecipeArguments(
            output_dir=folder,
            num_train_epochs=1,
            eval_strategy="no",
            save_strategy="no",
            load_best_model_at_end=False,
            report_to="none",
            disable_tqdm=True,
            logging_strategy="no",
        )
        batch_size = arguments.per_device_train_batch_size
        ready = list(DataLoader(clips, batch_size, collate_fn=collate))
        model, augmented = new_model(), new_model()
        Augmentation().attach(augmented)

        def with_trainer() -> None:
            trainer = EmotionTrainer(augmented, arguments, data_collator=collate, train_dataset=clips)
            trainer.remove_callback(PrinterCallback)
            trainer.train()

        runs = {
            "bare loop": lambda: bare_loop(
                augmented, DataLoader(clips, batch_size, shuffle=True, collate_fn=collate), arguments
            ),
            "Trainer": with_trainer,
            "bare loop, batches ready, no augmentation": lambda: bare_loop(model, ready, arguments),
        }
        print(f"One epoch over {N_CLIPS} clips of 3 s, batches of {batch_size}, threads: {torch.get_num_threads()}\n")
        print(markdown(interleave(runs, ROUNDS), N_CLIPS), "\n")


def new_model() -> MelCNNForAudioClassification:
    return MelCNNForAudioClassification(MelCNNConfig(num_labels=8, problem_type="single_label_classification"))


def bare_loop(model: MelCNNForAudioClassification, batches, arguments: RecipeArguments) -> None:
    """What a training step cannot do without, in the precision of the recipe."""
    optimizer = torch.optim.AdamW(model.parameters(), arguments.learning_rate, weight_decay=arguments.weight_decay)
    model.train().to(arguments.device)
    for batch in batches:
        inputs = {name: values.to(arguments.device) for name, values in batch.items()}
        with torch.autocast(arguments.device.type, torch.bfloat16, enabled=arguments.bf16):
            loss = model(**inputs).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), arguments.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad()


if __name__ == "__main__":
    main()
