"""The dataset card: README.md of the built folder, its YAML for the Hub and its page for people."""

import inspect
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pandas as pd
from datasets import DatasetInfo, SplitDict, SplitInfo
from datasets.info import DatasetInfosDict
from datasets.utils.metadata import MetadataConfigs
from huggingface_hub import DatasetCard, DatasetCardData

from data_scripts.corpora import CORPORA, configurations
from data_scripts.schema import EMOTIONS, FEATURES, SPLITS
from data_scripts.splits import POLICIES

SYNTHETIC_LICENSE = "cc0-1.0"
LANGUAGES = {"en": "English", "pl": "Polish"}
SIZES = {1_000: "n<1K", 10_000: "1K<n<10K", 100_000: "10K<n<100K"}


def write_card(
    folder: Path,
    num_bytes: dict[tuple[str, str], int],
    corpora: Sequence[ModuleType],
    shortfalls: Sequence[str] = (),
    synthetic: bool = False,
) -> None:
    """Writes ``README.md`` into a folder that has its Parquet files and ``clips.csv``.

    Args:
        folder: the dataset.
        num_bytes: (corpus, split) -> bytes of the Arrow table, for every Parquet file there.
        corpora: the corpus modules, whose docstrings, licences and citations the card carries.
        shortfalls: one sentence for each corpus that is not complete.
        synthetic: the recordings are synthesised; the card then claims no corpus's licence or citation.
    """
    clips = pd.read_csv(folder / "clips.csv", dtype={"actor": str})
    languages = sorted({corpus.LANGUAGE for corpus in corpora})
    data = DatasetCardData(
        pretty_name="mel-emotion corpus (synthetic demo)" if synthetic else "mel-emotion corpus",
        language=languages,
        license=[SYNTHETIC_LICENSE] if synthetic else licenses_of(corpora),
        task_categories=["audio-classification"],
        annotations_creators=["machine-generated" if synthetic else "expert-generated"],
        source_datasets=["original"],
        multilinguality=["monolingual" if len(languages) == 1 else "multilingual"],
        size_categories=[next(size for limit, size in SIZES.items() if len(clips) < limit)],
        tags=["speech-emotion-recognition", "audio", "speech", "emotion"] + (["synthetic"] if synthetic else []),
    )
    configs = configurations({corpus for corpus, _ in num_bytes})
    default = next(iter(configs))
    parts = {config: [part for part in num_bytes if part[0] in members] for config, members in configs.items()}
    MetadataConfigs(
        {
            config: {"data_files": data_files(parts[config])} | ({"default": True} if config == default else {})
            for config in configs
        }
    ).to_dataset_card_data(data)
    DatasetInfosDict(
        {config: info(folder, clips, {part: num_bytes[part] for part in parts[config]}) for config in configs}
    ).to_dataset_card_data(data)
    text = page(clips, configs, shortfalls, synthetic)
    DatasetCard(f"---\n{data.to_yaml()}\n---\n\n{text}").save(folder / "README.md")


def data_files(parts: Sequence[tuple[str, str]]) -> list[dict]:
    """The files of a configuration by split; splits without files are left out, for they would break it."""
    found = {split: [f"data/{corpus}/{split}-*.parquet" for corpus, its in parts if its == split] for split in SPLITS}
    return [{"split": split, "path": paths} for split, paths in found.items() if paths]


def info(folder: Path, clips: pd.DataFrame, num_bytes: dict[tuple[str, str], int]) -> DatasetInfo:
    """What `datasets` verifies a config against: its features and the sizes of its splits."""
    splits = SplitDict()
    for split in SPLITS:
        parts = [part for part in num_bytes if part[1] == split]
        if parts:
            n_clips = sum(((clips.corpus == corpus) & (clips.split == split)).sum() for corpus, _ in parts)
            splits.add(SplitInfo(split, sum(num_bytes[part] for part in parts), int(n_clips)))
    files = [path for corpus, split in num_bytes for path in (folder / "data" / corpus).glob(f"{split}-*.parquet")]
    return DatasetInfo(
        features=FEATURES,
        splits=splits,
        download_size=sum(path.stat().st_size for path in files),
        dataset_size=sum(num_bytes.values()),
    )


def licenses_of(corpora: Sequence[ModuleType]) -> list[str]:
    """Each of their licences once, by the Hub's name."""
    return list(dict.fromkeys(corpus.LICENSE for corpus in corpora))


def page(clips: pd.DataFrame, configs: dict[str, list[str]], shortfalls: Sequence[str], synthetic: bool) -> str:
    """The card's Markdown below its YAML."""
    corpora = [CORPORA[name] for name in sorted(clips.corpus.unique())]
    first = clips[clips.corpus.isin(next(iter(configs.values())))].iloc[0]
    names = ", ".join(corpus.NAME for corpus in corpora)
    if synthetic:
        title = "# mel-emotion corpus (synthetic demo)"
        origin = f"""**Synthetic.** No person speaks here: every clip was synthesised, in the file layouts of {names}, to try
the code. A figure measured on it says nothing about speech. It is in the public domain ({SYNTHETIC_LICENSE})."""
        sections = ""
    else:
        title = "# mel-emotion corpus"
        languages = " and ".join(LANGUAGES[language] for language in sorted({corpus.LANGUAGE for corpus in corpora}))
        origin = f"Acted emotional {languages} speech, {names}, in one table with one set of labels and no speaker on two sides."
        sections = "\n\n".join([section(corpus) for corpus in corpora] + [licences(corpora), LIMITS])
    partial = "".join(f"\n> This build is partial. {shortfall}.\n" for shortfall in shortfalls)
    return PAGE.format(
        title=title,
        origin=origin,
        partial=partial,
        n_clips=len(clips),
        n_speakers=clips.speaker_id.nunique(),
        hours=clips.duration.sum() / 3600,
        counts=counts(clips),
        configurations=configuration_table(clips, configs, synthetic),
        config=first.corpus,
        split=first.split,
        policies=" ".join(POLICIES[corpus] for corpus in sorted(clips.corpus.unique())),
        sections=sections,
    )


def configuration_table(clips: pd.DataFrame, configs: dict[str, list[str]], synthetic: bool) -> str:
    """What each configuration holds, and under which licences."""
    lines = ["| configuration | corpora | clips | licences |", "|---|---|---:|---|"]
    for config, members in configs.items():
        facts = [CORPORA[name] for name in members]
        licenses = [SYNTHETIC_LICENSE] if synthetic else dict.fromkeys(corpus.SOURCE["license"] for corpus in facts)
        n_clips = clips.corpus.isin(members).sum()
        names = ", ".join(corpus.NAME for corpus in facts)
        lines.append(f"| `{config}` | {names} | {n_clips:,} | {'; '.join(licenses)} |")
    return "\n".join(lines)


def counts(clips: pd.DataFrame) -> str:
    """Clips per corpus and split: speakers, length and emotions."""
    header = ["corpus", "split", "speakers (f, m)", "clips", "hours", *EMOTIONS]
    lines = ["| " + " | ".join(header) + " |", "|---|---|" + "---:|" * (len(header) - 2)]
    for corpus in sorted(clips.corpus.unique()):
        for split in SPLITS:
            part = clips[(clips.corpus == corpus) & (clips.split == split)]
            if len(part):
                genders = part.drop_duplicates("speaker_id").gender
                women, men = (genders == "female").sum(), (genders == "male").sum()
                speakers = f"{len(genders)} ({women}, {men})" if genders.notna().all() else f"{len(genders)} (unknown)"
                emotions = [f"{(part.emotion == emotion).sum():,}" for emotion in EMOTIONS]
                cells = [corpus, split, speakers, f"{len(part):,}"]
                lines.append("| " + " | ".join([*cells, f"{part.duration.sum() / 3600:.2f}", *emotions]) + " |")
    return "\n".join(lines)


def section(corpus: ModuleType) -> str:
    """A corpus's own docstring, which tells its irregularities too."""
    return f"### {corpus.NAME}\n\n{inspect.getdoc(corpus)}".replace("``", "`")


def licences(corpora: Sequence[ModuleType]) -> str:
    rows = [
        f"| {corpus.NAME} | [{corpus.SOURCE['license']}]({corpus.SOURCE['license_url']}) | {corpus.SOURCE['landing_page']} |"
        for corpus in corpora
    ]
    citations = "\n\n".join(corpus.CITATION for corpus in corpora)
    return "\n".join(
        [
            "## Licences and citations",
            "",
            "Each corpus keeps its own licence; the table as a whole is for non-commercial research. What is made of several corpora",
            "keeps to the licences of all of them.",
            *(
                f"{corpus.NAME}'s licence allows no derivatives: its clips are changed in format only."
                for corpus in corpora
                if "-nd-" in corpus.LICENSE
            ),
            "",
            "| corpus | licence | source |",
            "|---|---|---|",
            *rows,
            "",
            "```bibtex",
            citations,
            "```",
        ]
    )


PAGE = """{title}

{origin}
{partial}
{n_clips:,} clips of {n_speakers} speakers, {hours:.2f} h; 16 kHz, mono, 16-bit FLAC inside Parquet.

{counts}

## Use

With `torchcodec` installed (it needs FFmpeg's libraries), `datasets` decodes:

```python
from datasets import load_dataset

dataset = load_dataset("build/corpus", "{config}", split="{split}")
waveform = dataset[0]["audio"].get_all_samples().data[0]  # (n_samples,), 16 kHz
```

Without it, `soundfile` does, and on clips as short as these it is faster:

```python
import io

import soundfile
from datasets import Audio, load_dataset

dataset = load_dataset("build/corpus", split="{split}").cast_column("audio", Audio(decode=False))
waveform, sampling_rate = soundfile.read(io.BytesIO(dataset[0]["audio"]["bytes"]))
```

`streaming=True` works with both. The first of these configurations is the default; all are over the same files.

{configurations}

## Columns

| column | |
|---|---|
| `audio` | 16 kHz mono FLAC; its `path` is the clip's name in the corpus |
| `emotion` | the acted emotion, a `ClassLabel` |
| `corpus`, `speaker_id` | such as `ravdess` and `ravdess_01`: for splits of your own by speaker or by corpus |
| `gender`, `age`, `ethnicity`, `race` | of the speaker, in the corpus's words; age in years |
| `text`, `language` | the words spoken, and the language's ISO 639-1 code |
| `intensity` | of the acted emotion: `normal`, `strong` (RAVDESS), `low`, `medium`, `high` (CREMA-D, sentence IEO only) |
| `repetition` | 1 or 2 (RAVDESS) |
| `duration` | seconds |
| `votes` | how many listeners heard which emotion in the voice alone (CREMA-D) |
| `label_conflict` | the same recording has another emotion elsewhere in the corpus: leave it out of training |
| `source_file`, `source_sampling_rate` | the recording's file name and rate in Hz as it was found |

What a corpus does not say is null. `clips.csv` is the same table without audio: `path` and `row` say which Parquet file and row
hold the clip, `actor` is the corpus's own id of the speaker.

## Splits

No speaker stands on two sides. {policies} A split by file, with the same voices on both sides, makes the same model look 14 to
80 points better than it is on a new voice.

{sections}
"""

LIMITS = """## Limits

Acted and scripted speech, in the few languages, rooms and microphones that are named above: what a model learns here it need
not know of spontaneous speech, of other languages or of your microphone. The labels say what people were asked to show, not what
anybody felt. Not for judging people: not in hiring, schooling, policing, insurance or health."""
