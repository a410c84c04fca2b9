"""Publishes the demo in this folder as a Gradio Space, or its page without a server, with one commit of a published model.

    uv run -m space.publish --repo-id you/space --model you/model --dry-run    # what would go up; needs no network
    uv run -m space.publish --repo-id you/space --model you/model
    uv run -m space.publish --repo-id you/space --model you/model@v1.0         # a tag, branch or commit of it
    uv run -m space.publish --browser --repo-id you/space-browser --model you/model    # the static page of space/browser

The Space gets every file of this folder but this script and, in `model_id.txt`, the model's name and the commit that it
stands at now, as `you/model@1f0c...`: a later push to the model does not change what the Space serves until this script
runs again. Its card names the model too, so that the Hub links the two. It needs a token with write access: `hf auth login`, or the environment variable HF_TOKEN.

The static page holds the model itself, as ONNX, which `uv run -m modeling.export` must have written before the model was
published; a dry run lists it with the checkpoint of this repository.
"""

import argparse
import shutil
from pathlib import Path

from data_scripts.terminal import end_quietly_while_loading

if __name__ == "__main__":
    end_quietly_while_loading()

from huggingface_hub import HfApi, metadata_save, snapshot_download
from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

from data_scripts.hub import (
    add_publish_arguments,
    card_metadata,
    check_access,
    check_name,
    hub_errors,
    publish_folder,
    report_errors,
)
from data_scripts.staging import temporary_folder

SPACE = Path(__file__).parent
SPACE_FILES = ("README.md", "*.py", "requirements.txt", "model_id.txt", "examples/*", "*.css", "*.js", "LICENSE*")
WORK_FILES = ("publish.py", "browser/*", "*__pycache__*")
PAGE_FILES = ("README.md", "*.html", "*.css", "*.js", "*.mjs", "*.wasm", "*.json", "*.onnx", "examples/*")
CHECKPOINT_FILES = ("onnx/model.*", "evaluation.json", "study.json", "README.md")  # what the page is made of
MODEL_ID = "model_id.txt"


def publish_space(folder: Path, repo_id: str, model: str, **options) -> str | None:
    """Publishes the Space, pinned to the commit at which the model stands.

    Args:
        folder: the Space's source.
        repo_id: ``owner/name`` of the Space.
        model: ``owner/name`` of the model, or ``owner/name@revision``.
        options: ``private``, ``revision``, ``dry_run`` and ``token`` of `data_scripts.hub.publish_folder`.

    Returns:
        The commit that the Space stands at, None for a dry run.

    Raises:
        ValueError: the folder is not a Space, the model is not on the Hub, or `publish_folder` says why not.
    """
    if missing := [name for name in ("README.md", "app.py", "requirements.txt") if not (folder / name).is_file()]:
        raise ValueError(f"{folder} is not a Space, it lacks {', '.join(missing)}")
    if card_metadata(folder).get("sdk") != "gradio":
        raise ValueError(f"{folder / 'README.md'} does not say `sdk: gradio` at its head, which a Space needs")
    pinned = _pinned(model, **options)
    with temporary_folder() as staged:
        shutil.copytree(folder, staged, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        Path(staged, MODEL_ID).write_text(f"{pinned}\n")
        metadata_save(Path(staged, "README.md"), card_metadata(folder) | {"models": [pinned.partition("@")[0]]})
        return publish_folder(staged, repo_id, "space", allow=SPACE_FILES, ignore=WORK_FILES, **options)


def publish_page(repo_id: str, model: str, **options) -> str | None:
    """Publishes the static page of `space/browser` with the model in it; arguments and errors are those of [`publish_space`]."""
    from space.browser.assemble import assemble  # it brings along what the Gradio Space needs, torch among it

    name, _, commit = _pinned(model, **options).partition("@")
    with temporary_folder() as staged:
        checkpoint, published = SPACE.parent / "modeling" / "checkpoint", None
        if not options.get("dry_run"):
            checkpoint, published = Path(staged, "checkpoint"), (name, commit)
            token = check_access(name, options.get("token"))
            with hub_errors(name, token):
                snapshot_download(
                    name, revision=commit, local_dir=checkpoint, allow_patterns=list(CHECKPOINT_FILES), token=token
                )
        page = assemble(checkpoint, Path(staged, "page"), published)
        metadata_save(page / "README.md", card_metadata(page) | {"models": [name]})
        return publish_folder(page, repo_id, "space", allow=PAGE_FILES, **options)


def _pinned(model: str, **options) -> str:
    """The model at its commit; a dry run asks nobody, but a commit has 40 digits, so the size that it lists is right."""
    name = model.partition("@")[0]
    check_name(name)
    return f"{name}@{'0' * 40}" if options.get("dry_run") else pin_model(model, options.get("token"))


def pin_model(model: str, token: str | None = None) -> str:
    """``owner/name`` or ``owner/name@revision`` as ``owner/name@commit``, which the Hub is asked for.

    Raises:
        ValueError: the model is not there or cannot be read.
    """
    name, _, revision = model.partition("@")
    token = check_access(name, token)
    with hub_errors(name, token):
        try:
            info = HfApi(token=token).model_info(name, revision=revision or None)
        except (RepositoryNotFoundError, RevisionNotFoundError):
            raise ValueError(
                f"the Hub has no model {model}; publish it first, with `uv run -m modeling.publish --repo-id {name}`"
            ) from None
    if info.private:
        print(f"{name} is private: the Space can only load it with a token of yours among its secrets, as HF_TOKEN")
    return f"{name}@{info.sha}"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, metavar="OWNER/NAME[@REVISION]", help="what the Space serves")
    parser.add_argument("--browser", action="store_true", help="the static page, which needs no server")
    add_publish_arguments(parser)
    options = vars(parser.parse_args(arguments))
    if options.pop("browser"):
        report_errors(publish_page, **options)
    else:
        report_errors(publish_space, folder=SPACE, **options)


if __name__ == "__main__":
    main()
