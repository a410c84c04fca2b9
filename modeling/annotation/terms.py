"""Source, model and settings of a result, which all its shards share: a run that goes on must have the same."""

import hashlib
import json
import re
import shlex
from collections.abc import Sequence

import torch

from modeling.annotation.output import WAIT, Output, read_text
from modeling.annotation.source import Source

FILE = "annotation.json"
MAY_DIFFER = ("source.name", "model.name", "command")  # fingerprints say whether it is another one
OPTIONS = {"source.commit": "--revision", "model.revision": "--model-revision", "settings.dtype": "--dtype"}


def make_terms(
    source: Source,
    model_name: str,
    model_revision: str | None,
    model: torch.nn.Module,
    settings: dict,
    arguments: Sequence[str],
) -> dict:
    """Source, model and settings, as they are written into the result, and the arguments of the command."""
    return {
        "source": {
            "name": without_password(source.name),
            "config": source.config,
            "splits": {split: source.n_parts(split) for split in source.splits},
            "commit": source.commit,
            "files": source.files,
            "audio_column": source.audio_column,
        },
        "model": {"name": model_name, "revision": model_revision, "fingerprint": fingerprint(model)},
        "settings": settings,
        "command": without_password(shlex.join(["uv", "run", "-m", "modeling.annotate", *arguments])),
    }


def agree(output: Output, terms: dict) -> dict:
    """Writes the terms into an empty output, or makes sure that those in it are the same; returns those that stand there.

    Raises:
        ValueError: They differ; what was and what is are named. Or the output holds something else.
    """
    names = output.names()  # looked at once, since another process may write the terms at any moment
    if FILE in names:
        text = read_text(output, FILE) or ""
        try:
            before = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(
                f"{FILE} in {output} is damaged ({error}): restore it, or choose another --output"
            ) from error
        check_same(output, before, terms)
        return before
    if names:
        raise ValueError(
            f"{output} holds something else than a result of this command ({min(names)}): choose another --output"
        )
    with output.writing(FILE, WAIT) as path:
        path.write_text(json.dumps(terms, indent=2) + "\n")
    output.flush()
    return terms


def check_same(output: Output, before: dict, now: dict) -> None:
    """Raises ValueError where what was begun in an output is not what is to go on now."""
    before, now = _flat(before), _flat(now)
    differ = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    if set(differ) <= set(MAY_DIFFER):
        return
    differ = [name for name in differ if name != "command"]
    facts = "; ".join(f"{name}: {before.get(name)} there, {now.get(name)} here" for name in differ)
    options = [OPTIONS[name] for name in differ if name in OPTIONS]
    remedy = f"the same {' and '.join(options)}, or another --output" if options else "another --output"
    raise ValueError(f"{output} was begun otherwise, and one result has one origin ({facts}): give {remedy}")


def fingerprint(model: torch.nn.Module) -> str:
    """Of weights and configuration, wherever they were loaded from."""
    digest = hashlib.sha256()
    for name, values in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(values.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    config = model.config.to_dict()
    for passing in ("_name_or_path", "transformers_version", "auto_map", "dtype", "architectures"):
        config.pop(passing, None)
    digest.update(json.dumps(config, sort_keys=True, default=str).encode())
    return digest.hexdigest()[:16]


def without_password(text: str) -> str:
    """URLs without what identifies their user."""
    return re.sub(r"://[^/@\s]*@", "://***@", text)


def _flat(terms: dict, above: str = "") -> dict:
    flat = {}
    for name, value in terms.items():
        flat |= (
            _flat(value, f"{above}{name}.") if isinstance(value, dict) and name != "splits" else {above + name: value}
        )
    return flat
