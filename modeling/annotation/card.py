"""The card of a finished result: README.md with what the Hub and `load_dataset` read, and a page for people."""

from datasets import DatasetInfo, SplitDict, SplitInfo
from datasets.info import DatasetInfosDict
from datasets.utils.metadata import MetadataConfigs
from huggingface_hub import DatasetCard, DatasetCardData

from modeling.annotation.columns import Columns
from modeling.annotation.output import WAIT, Output
from modeling.annotation.shards import Account
from modeling.annotation.terms import without_password

CARD = "README.md"
TAKEN_OVER = ("license", "license_name", "license_link", "language")  # of the source's card


def write_card(
    output: Output,
    terms: dict,
    columns: Columns,
    accounts: dict[str, list[Account]],
    source_card: dict,
    model_card: dict,
) -> None:
    """Writes the card of a result whose shards are all there.

    Args:
        output: The result.
        terms: From `make_terms`.
        columns: Of the result.
        accounts: Split to the accounts of its shards.
        source_card, model_card: Metadata of the cards of source and model; {} where there is none.
    """
    totals = {split: Account.total(of_split) for split, of_split in accounts.items()}
    data = DatasetCardData(
        pretty_name=f"Emotions in {terms['source']['name']}",
        task_categories=["audio-classification"],
        annotations_creators=["machine-generated"],
        source_datasets=[terms["source"]["name"]] if terms["source"]["commit"] else None,
        tags=["speech-emotion-recognition", "machine-annotated"],
        **{name: source_card[name] for name in TAKEN_OVER if source_card.get(name)},
    )
    files = [{"split": split, "path": f"data/{split}-*.parquet"} for split in totals]
    MetadataConfigs({"default": {"data_files": files}}).to_dataset_card_data(data)
    splits = SplitDict()
    for split, total in totals.items():
        splits.add(SplitInfo(split, total.num_bytes, total.n_rows))
    info = DatasetInfo(
        features=columns.features,
        splits=splits,
        download_size=sum(account.file_size for of_split in accounts.values() for account in of_split),
        dataset_size=sum(total.num_bytes for total in totals.values()),
    )
    DatasetInfosDict({"default": info}).to_dataset_card_data(data)
    page = _page(str(output), terms, columns, totals, model_card)
    with output.writing(CARD, WAIT) as path:
        DatasetCard(f"---\n{data.to_yaml()}\n---\n\n{page}").save(path)
    output.flush()


def _page(output: str, terms: dict, columns: Columns, totals: dict[str, Account], model_card: dict) -> str:
    source, model, settings = terms["source"], terms["model"], terms["settings"]
    name = output.removeprefix("hf://datasets/")
    header = ["split", "rows", "hours heard", "problems", *columns.labels]
    lines = ["| " + " | ".join(header) + " |", "|---|" + "---:|" * (len(header) - 1)]
    for split, total in totals.items():
        counts = [f"{total.emotions.get(label, 0):,}" for label in columns.labels]
        cells = [split, f"{total.n_rows:,}", f"{total.seconds / 3600:.2f}", f"{total.n_problems:,}", *counts]
        lines.append("| " + " | ".join(cells) + " |")
    licence = model_card.get("license")
    return PAGE.format(
        source=_at(source["name"], source["commit"], source["config"]),
        model=_at(model["name"], model["revision"], None),
        fingerprint=model["fingerprint"],
        files=source["files"],
        licence=f" Licence of the model: {', '.join(licence) if isinstance(licence, list) else licence}."
        if licence
        else "",
        dtype=settings["dtype"],
        command=without_password(terms["command"]),
        counts="\n".join(lines),
        columns="\n".join(f"| `{column}` | {meaning} |" for column, meaning in columns.meanings().items()),
        name=name,
        split=next(iter(totals)),
        prefix=columns.prefix,
        order=(
            "The audio is in the rows."
            if columns.with_audio
            else "The audio is not here: rows stand in the order of the source, one for each of its rows, so that "
            "`concatenate_datasets([source, this], axis=1)` puts the two side by side."
        ),
    )


def _at(name: str, commit: str | None, config: str | None) -> str:
    where = f" at commit `{commit}`" if commit else ""
    return f"`{name}`{where}" + (f", configuration `{config}`" if config and commit else "")


PAGE = """# What a model heard

Every row of {source} with the emotion that the speech emotion recogniser {model} heard in its recording. A machine said all
of this; nobody has listened.

{counts}

{order}

## Use

```python
from datasets import load_dataset

heard = load_dataset("{name}", split="{split}")
sure = heard.filter(lambda row: row["{prefix}sure"])  # rows with a problem are out as well
```

## Columns

Beside those of the source:

| column | |
|---|---|
{columns}

## How it was made

```
{command}
```

Model: {model}, fingerprint `{fingerprint}`, computed in {dtype}.{licence} Source: {source}, {files}. The same command gives
the same bytes on the same kind of machine.

## Limits

The labels say how an actor's voice that sounds like this would be labelled, not what anybody felt. On voices, languages and
microphones that the model does not know it is often wrong: read its card, listen to a sample of each label before you build
on it, and use the probabilities rather than the label where you can. Not for judging people: not in hiring, schooling,
policing, insurance or health.
"""
