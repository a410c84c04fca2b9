"""What can be wrong with a model's files, said in words of the user's."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError, safe_open


def check_files(folder: Path) -> None:
    """Refuses a folder with files that are no configuration or no weights; absent ones are the loader's to name.

    Raises:
        ValueError: With the file, the fact and the remedy.
    """
    for path in sorted(folder.glob("*config.json")):
        settings = _settings(path)
        if not isinstance(settings.get("auto_map", {}), dict):
            raise ValueError(  # noqa: TRY004 (a file's content, not an argument)
                f"{path} has the auto_map {json.dumps(settings['auto_map'])}, but it names the classes of the model's own code: "
                'copy it from a whole model, such as {"AutoConfig": "configuration_mel_cnn.MelCNNConfig"}'
            )
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(path, "np"):
                pass
        except (SafetensorError, OSError, ValueError) as error:
            raise ValueError(
                f"{path} is cut off or damaged: its {path.stat().st_size:,} bytes are no weights. Copy or train it again"
            ) from error


def modules_elsewhere(folder: Path) -> list[str]:
    """Code that a folder's configurations name in a repository on the Hub, such as `owner/name--module.Class`."""
    targets = []
    for path in folder.glob("*config.json"):
        auto_map = _settings(path).get("auto_map")
        for target in auto_map.values() if isinstance(auto_map, dict) else ():
            targets += target if isinstance(target, list) else [target]
    return sorted({target for target in targets if isinstance(target, str) and "--" in target})


@contextmanager
def in_plain_words(name: str | Path) -> Iterator[None]:
    """Around what loads a model: whatever its files or its code raise is one line that begins with the model's name.

    Raises:
        ValueError: With that line.
    """
    folder = Path(name)
    if folder.is_dir():
        check_files(folder)
    try:
        yield
    except StrictDataclassError as error:
        fact = str(error).strip().splitlines()[-1].strip().partition("Error: ")[2] or str(error)
        raise ValueError(f"the model {name} cannot be loaded: {' '.join(fact.split())}") from error
    except Exception as error:  # whatever the files and the code of others raise
        fact = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"the model {name} cannot be loaded: {fact}") from error


def _settings(path: Path) -> dict:
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON. Copy it from a whole model, or train one") from error
    if not isinstance(settings, dict):
        raise ValueError(  # noqa: TRY004 (a file's content, not an argument)
            f"{path} holds {type(settings).__name__}, not the fields of a configuration. Copy it from a whole model"
        )
    return settings
