"""Mel-spectrogram CNN: log-mel front end -> convolutional encoder -> pooling over real frames -> head."""

import copy
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from transformers import PreTrainedModel
from transformers import initialization as init
from transformers.utils import is_tracing

from .checks_mel_cnn import check_amplitude, check_clips, check_input, check_recording, check_weights
from .configuration_mel_cnn import UNCALIBRATED, MelCNNConfig
from .layers_mel_cnn import (
    AttentiveStatisticsPooling,
    FlattenPooling,
    LogMel,
    MelScale,
    PlainEncoder,
    PowerSpectrogram,
    ResidualEncoder,
)
from .outputs_mel_cnn import MelCNNClassifierOutput, MelCNNModelOutput, classification_loss
from .strangers_mel_cnn import CLEARLY_UNLIKE, SLIGHTLY_UNLIKE, Unlikeness, pieces_of_speech, take_back_favour
from .streaming_mel_cnn import MelCNNStream
from .tables_mel_cnn import csv_bytes, printable


class MelCNNPreTrainedModel(PreTrainedModel):
    """Base class of both models: configuration, weight initialisation, and which parts stay in float32."""

    config_class = MelCNNConfig
    base_model_prefix = "mel_cnn"
    main_input_name = "input_values"
    input_modalities = ("audio",)
    _keep_in_fp32_modules_strict = ["log_mel", "unlikeness"]
    _input_embed_layer = "log_mel"
    _no_split_modules = []
    accepts_loss_kwargs = (
        False  # else Trainer takes **kwargs for a promise to scale the loss under gradient accumulation
    )

    @torch.no_grad()
    def _init_weights(self, module):
        if isinstance(module, (PowerSpectrogram, MelScale)):
            fresh = next(part for part in LogMel(self.config).modules() if type(part) is type(module))
            for name, value in fresh.named_buffers():
                init.copy_(module.get_buffer(name), value)
        elif isinstance(module, (nn.Conv1d, nn.Conv2d)):
            init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                init.zeros_(module.bias)
        elif isinstance(module, Unlikeness):
            for buffer in module.buffers():
                init.zeros_(buffer)
        else:
            super()._init_weights(module)


class MelCNNModel(MelCNNPreTrainedModel):
    """Waveform to embedding."""

    def __init__(self, config: MelCNNConfig):
        super().__init__(config)
        self.log_mel = LogMel(config)
        if config.architecture == "plain":
            self.encoder, self.pooling = PlainEncoder(config), FlattenPooling(config)
        else:
            self.encoder, self.pooling = ResidualEncoder(config), AttentiveStatisticsPooling(config)
        n_last = config.width * 2 ** (config.n_stages - 1)
        self.unlikeness = Unlikeness(config.width, n_last, config.n_corpora)
        self.post_init()

    def forward(
        self,
        input_values: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        **kwargs,
    ) -> MelCNNModelOutput | tuple:
        """Embeds a batch of clips; a clip's embedding does not depend on its neighbours or its padding.

        Args:
            input_values: Mono waveforms at `config.sampling_rate`, full scale at 1.0, padded on the right,
                `(batch, n_samples)`.
            attention_mask: 1 on real samples, 0 on padding, `(batch, n_samples)`; all real where absent.
            output_hidden_states: Return the output of every stage, `(batch, n_channels, n_bands, n_frames)` each.
            return_dict: False returns a tuple.

        Returns:
            `last_hidden_state` as the last of these stages, `pooler_output` of shape `(batch, embedding_size)`,
            `unlikeness` of shape `(batch,)`.

        Raises:
            ValueError: A shape is wrong, a clip has no real sample, the padding is on the left, or a real sample is not finite
                or far above full scale.
        """
        hidden_states = self.stages(input_values, attention_mask)
        pooled = self.pooling(*hidden_states[-1])
        outputs = MelCNNModelOutput(
            last_hidden_state=hidden_states[-1][0],
            pooler_output=pooled,
            hidden_states=tuple(state for state, _ in hidden_states)
            if _or_config(output_hidden_states, self.config.output_hidden_states)
            else None,
            unlikeness=self.unlikeness(hidden_states),
        )
        return outputs if _or_config(return_dict, self.config.return_dict) else outputs.to_tuple()

    def stages(
        self, input_values: torch.Tensor, attention_mask: torch.Tensor | None = None
    ) -> list[tuple[torch.Tensor, torch.Tensor | None]]:
        """The output of every stage, `(batch, n_channels, n_bands, n_frames)`, with its frame mask; else as `forward`."""
        check_input(input_values, attention_mask)
        if attention_mask is not None:
            # A clip alone has no padding; without a mask it takes a tenth less time.
            if not is_tracing(attention_mask) and attention_mask.all():
                attention_mask = None
            else:
                input_values = input_values.masked_fill(attention_mask == 0, 0.0)  # whatever stands there, NaN included
        check_amplitude(input_values)
        spectrogram, frame_mask = self.log_mel(input_values, attention_mask)
        return self.encoder(spectrogram.to(self.dtype), frame_mask)


class MelCNNForAudioClassification(MelCNNPreTrainedModel):
    """Waveform to logits."""

    # For whoever has only the checkpoint, such as the Space: answers are written down in one way everywhere.
    csv_bytes, printable = staticmethod(csv_bytes), staticmethod(printable)

    def __init__(self, config: MelCNNConfig):
        super().__init__(config)
        self.mel_cnn = MelCNNModel(config)
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(self.mel_cnn.pooling.embedding_size, config.num_labels)
        self.post_init()

    @classmethod
    def from_pretrained(cls, *args, output_loading_info: bool = False, **kwargs):
        """As in [`PreTrainedModel`]. A new head is not calibrated: it does not keep the temperature and threshold of the old.

        Raises:
            ValueError: Weights are NaN or infinite.
        """
        model, info = super().from_pretrained(*args, output_loading_info=True, **kwargs)
        replaced = {
            *info["missing_keys"],
            *(key if isinstance(key, str) else key[0] for key in info["mismatched_keys"]),
        }
        if any(key.startswith("classifier.") for key in replaced):
            model.config.update({name: kwargs.get(name, value) for name, value in UNCALIBRATED.items()})
        check_weights(model)
        return (model, info) if output_loading_info else model

    def forward(
        self,
        input_values: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        **kwargs,
    ) -> MelCNNClassifierOutput | tuple:
        """Classifies a batch of clips.

        Args:
            input_values, attention_mask, output_hidden_states, return_dict: As in [`MelCNNModel`].
            labels: Class indices `(batch,)`; or target probabilities `(batch, num_labels)` where
                `config.problem_type` is `"single_label_classification"`, numbers where it is another.

        Returns:
            `logits` of shape `(batch, num_labels)`, already divided by the temperature that fits the clip, and
            `pooler_output` and `unlikeness` as [`MelCNNModel`] returns them.
        """
        outputs = self.mel_cnn(
            input_values, attention_mask, output_hidden_states=output_hidden_states, return_dict=True
        )
        logits = self.classifier(self.dropout(outputs.pooler_output)) / self._temperature(outputs.unlikeness)
        loss = None if labels is None else classification_loss(self.config, logits.float(), labels)
        output = MelCNNClassifierOutput(
            loss=loss,
            logits=logits,
            hidden_states=outputs.hidden_states,
            pooler_output=outputs.pooler_output,
            unlikeness=outputs.unlikeness,
        )
        return output if _or_config(return_dict, self.config.return_dict) else output.to_tuple()

    def _temperature(self, unlikeness: torch.Tensor) -> torch.Tensor:
        """What the logits of every clip are divided by, `(batch, 1)`: where a clip is unlike the training data, more."""
        excess = ((unlikeness - SLIGHTLY_UNLIKE) / (CLEARLY_UNLIKE - SLIGHTLY_UNLIKE)).clamp(0, 1)
        excess = excess[:, None].to(self.dtype)
        return self.config.calibration_temperature * (1 + self.config.unlike_temperature * excess)

    def adapt(self, waveforms: Sequence[torch.Tensor | np.ndarray]) -> "MelCNNForAudioClassification":
        """Adapts a copy of the model to a voice or a place by some clips of it, without labels.

        In a strange voice or place, the model favours some labels whatever it hears. The bias of the adapted head takes that
        back: half way for 5 clips, further for more. It is saved and loaded like any other model.

        Args:
            waveforms: Mono waveforms at `config.sampling_rate`, `(n_samples,)` each; none leaves the model as it is. A long
                one counts as a clip every 3 s, and what is no speech counts for nothing.

        Raises:
            ValueError: A waveform has another shape, no sample, or samples that are not finite; or none of them is speech.
        """
        waveforms = [torch.as_tensor(waveform, dtype=torch.float32) for waveform in waveforms]
        check_clips(waveforms)
        adapted = copy.deepcopy(self)
        if waveforms:
            take_back_favour(adapted, pieces_of_speech(waveforms, self.config.sampling_rate))
        return adapted

    @torch.no_grad()
    def timeline(
        self, waveform: torch.Tensor, window: float, hop: float, batch_size: int = 16
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Probabilities in windows over a long recording; the last window ends with it, a recording shorter than a
        window is one window.

        Args:
            waveform: Mono waveform at `config.sampling_rate`, `(n_samples,)`, as tensor or array.
            window: Length of a window, seconds.
            hop: Step from one window to the next, seconds.
            batch_size: Windows that are computed at once.

        Returns:
            Start and end of every window in seconds `(n_windows, 2)`, and its probabilities `(n_windows, num_labels)`.

        Raises:
            ValueError: `window` or `hop` is not finite or shorter than one sample, or the waveform is not one of mono sound.
        """
        waveform = torch.as_tensor(waveform)
        check_recording(waveform, window, hop, self.config.sampling_rate)
        window_length, hop_length = (round(seconds * self.config.sampling_rate) for seconds in (window, hop))
        n_hops = -(-max(len(waveform) - window_length, 0) // hop_length)
        window_length = min(window_length, len(waveform))
        starts = (torch.arange(n_hops + 1) * hop_length).clamp(max=len(waveform) - window_length)
        probabilities = []
        for batch in starts.split(batch_size):
            clips = torch.stack([waveform[start : start + window_length] for start in batch])
            logits = self(clips.to(self.device), return_dict=True).logits
            probabilities.append(logits.float().softmax(-1).cpu())
        spans = torch.stack([starts, starts + window_length], dim=1) / self.config.sampling_rate
        return spans, torch.cat(probabilities)

    def stream(self, sampling_rate: float | None = None, **options) -> MelCNNStream:
        """A stream to push samples of any length into, which answers as they come; arguments as in [`MelCNNStream`]."""
        return MelCNNStream(self, sampling_rate, **options)

    @torch.no_grad()
    def saliency(
        self, input_values: torch.Tensor, attention_mask: torch.Tensor | None = None, label: int | None = None
    ) -> torch.Tensor:
        """What in the spectrogram spoke for a label: HiResCAM (Draelos & Carin, 2020) at the last convolution.

        Args:
            input_values, attention_mask: As in `forward`.
            label: Index of the class to explain; the likeliest of each clip where absent.

        Returns:
            Evidence for the label between 0 and 1, relative to each clip's strongest, `(batch, n_mels, n_frames)`.

        Raises:
            ValueError: There is no such label.
        """
        if label is not None and not 0 <= label < self.config.num_labels:
            raise ValueError(f"label is {label}, but the model has {self.config.num_labels} labels, from 0.")
        features, frame_mask = self.mel_cnn.stages(input_values, attention_mask)[-1]
        logits = self.classifier(self.mel_cnn.pooling(features, frame_mask))
        target = logits.argmax(-1) if label is None else torch.full(logits.shape[:1], label, device=logits.device)
        return self.evidence(features, frame_mask, target, input_values.shape[-1] // self.config.hop_length + 1)

    def evidence(
        self, features: torch.Tensor, frame_mask: torch.Tensor | None, target: torch.Tensor, n_frames: int
    ) -> torch.Tensor:
        """[`saliency`] of what the pooling is given, for the labels `target`, `(batch,)`."""
        gradient = self.mel_cnn.pooling.gradient(features, frame_mask, self.classifier.weight[target])
        evidence = (features * gradient).sum(1, keepdim=True).relu().float()
        n_heard = self.config.window_length // self.config.hop_length + 1 if self.config.window_length else n_frames
        evidence = F.interpolate(evidence, (self.config.n_mels, n_heard), mode="bilinear").squeeze(1)
        evidence = F.pad(evidence, (0, n_frames - n_heard))
        return evidence / evidence.amax((1, 2), keepdim=True).clamp(min=torch.finfo(evidence.dtype).tiny)


def _or_config(value: bool | None, default: bool) -> bool:
    return default if value is None else value


MelCNNModel.register_for_auto_class("AutoModel")
MelCNNForAudioClassification.register_for_auto_class("AutoModelForAudioClassification")

__all__ = ["MelCNNForAudioClassification", "MelCNNModel", "MelCNNPreTrainedModel"]
