"""The vocabulary that the corpora, the build and the dataset share."""

from dataclasses import dataclass
from pathlib import Path

from datasets import Audio, ClassLabel, Features, Value

SAMPLING_RATE = 16_000  # Hz, of the dataset
EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
VOTED_EMOTIONS = ("neutral", "happy", "sad", "angry", "fearful", "disgust")  # what CREMA-D's listeners chose from
SPLITS = ("train", "validation", "test")

FEATURES = Features(
    {
        "audio": Audio(sampling_rate=SAMPLING_RATE),
        "emotion": ClassLabel(names=list(EMOTIONS)),
        "corpus": Value("string"),
        "speaker_id": Value("string"),
        "gender": Value("string"),
        "age": Value("int32"),
        "ethnicity": Value("string"),
        "race": Value("string"),
        "text": Value("string"),
        "language": Value("string"),
        "intensity": Value("string"),
        "repetition": Value("int32"),
        "duration": Value("float64"),
        "votes": {emotion: Value("int32") for emotion in VOTED_EMOTIONS},
        "label_conflict": Value("bool"),
        "source_file": Value("string"),
        "source_sampling_rate": Value("int32"),
    }
)


@dataclass(frozen=True)
class Clip:
    """What a corpus says of one recording; unknown is None.

    Attributes:
        corpus: its name, such as ``crema_d``: a key of `data_scripts.corpora.CORPORA`.
        stem: the file name without its suffix, as the corpus spells it; unique within the corpus.
        actor: the corpus's own id of the speaker, such as ``01``, ``OAF`` or ``1001``.
        emotion: one of ``EMOTIONS``.
        gender: ``female`` or ``male``.
        age: in years.
        language: that is spoken, by its ISO 639-1 code, such as ``en``.
        intensity: of the acted emotion, ``normal`` or ``strong`` (RAVDESS), ``low``, ``medium`` or ``high`` (CREMA-D).
        repetition: 1 or 2 (RAVDESS).
        votes: how many listeners heard which emotion in the voice alone (CREMA-D).
        label_conflict: the same recording stands in the corpus under another emotion, too.
        path: the source file.
    """

    corpus: str
    stem: str
    actor: str
    emotion: str
    gender: str | None = None
    age: int | None = None
    ethnicity: str | None = None
    race: str | None = None
    text: str | None = None
    language: str | None = None
    intensity: str | None = None
    repetition: int | None = None
    votes: dict[str, int] | None = None
    label_conflict: bool = False
    path: Path | None = None

    @property
    def speaker_id(self) -> str:
        return f"{self.corpus}_{self.actor}"
