"""Publishes a built corpus as a dataset repository on the Hugging Face Hub.

    uv run -m data_scripts.publish build/corpus --repo-id you/corpus --dry-run    # what would go up; needs no network
    uv run -m data_scripts.publish build/corpus --repo-id you/corpus --private
    uv run -m data_scripts.publish build/corpus --repo-id you/corpus --corpora ravdess crema_d    # without TESS

It needs a token with write access: `hf auth login`, or the environment variable HF_TOKEN. A second run sends only what
changed; files that are no longer in the folder leave the repository, whose history keeps them. `publish_folder` is also
how `modeling.publish` and `space.publish` send their folders.
"""

import argparse
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
from huggingface_hub import HfApi, constants, get_token, metadata_load
from huggingface_hub.errors import HfHubHTTPError, HTTPError, OfflineModeIsEnabled
from huggingface_hub.utils import DEFAULT_IGNORE_PATTERNS, filter_repo_objects, validate_repo_id
from yaml import YAMLError

from data_scripts.build import CORPORA
from data_scripts.card import write_card

TEXT_LIMIT = 2**20  # bytes; larger files are not searched for the token
CORPUS_FILES = ("README.md", "LICENSE*", "clips.csv", "data/*.parquet")
REFUSED_TOKEN = (
    "the Hub does not accept your token; make one with write access in your account's settings, then run `hf auth login` "
    "(HF_TOKEN goes before the stored one, if it is set)"
)
NO_DERIVATIVES = (
    "{name} is under {license}: it may be shared, not for profit and not adapted. Whether audio resampled to 16 kHz and "
    "packed with labels is still the same work is yours to decide before you publish it; `--corpora ravdess crema_d` is the "
    "dataset without it."
)


def publish_folder(
    folder: Path,
    repo_id: str,
    repo_type: str,
    *,
    allow: Sequence[str],
    ignore: Sequence[str] = (),
    private: bool = False,
    revision: str | None = None,
    dry_run: bool = False,
    token: str | None = None,
) -> str | None:
    """Makes a repository on the Hub equal to a folder, in one resumable upload, and prints its address.

    Args:
        folder: what the repository is to hold.
        repo_id: ``owner/name``; created if it does not exist.
        repo_type: ``dataset``, ``model`` or ``space``.
        allow: patterns of the files that may go up; others are named and stay here.
        ignore: patterns among those that stay here after all.
        private: only the owner sees the repository. A public repository of that name is an error.
        revision: the branch to write to, created if it does not exist; ``main`` if not given.
        dry_run: only list the files and their sizes, without the network.
        token: with write access; the stored one if not given.

    Returns:
        The commit that the branch stands at, None for a dry run.

    Raises:
        ValueError: the name, the token, the rights, the folder or the network does not allow it; one line with the remedy.
    """
    _check_name(repo_id)
    files = _list_files(folder, allow, ignore)
    if dry_run:
        print(f"dry run, nothing was sent: these files would make up the {repo_type} {repo_id}")
        return None
    token = check_access(repo_id, token)
    for path in files:
        if path.stat().st_size < TEXT_LIMIT and token.encode() in path.read_bytes():
            raise ValueError(f"{path} holds your Hugging Face token; remove it there before you publish")

    api = HfApi(token=token)
    with hub_errors(repo_id, token):
        sdk = {"space_sdk": "gradio"} if repo_type == "space" else {}
        url = api.create_repo(repo_id, repo_type=repo_type, private=private or None, exist_ok=True, **sdk)
        if private and not api.repo_info(repo_id, repo_type=repo_type).private:
            raise ValueError(f"{url} exists and is public; make it private in its settings first, or drop --private")
        if revision not in (None, constants.DEFAULT_REVISION):
            api.create_branch(repo_id, branch=revision, repo_type=repo_type, exist_ok=True)
        commit = api.upload_folder(
            repo_id=repo_id,
            repo_type=repo_type,
            folder_path=folder,
            revision=revision,
            commit_message="Publish",
            allow_patterns=list(allow),
            ignore_patterns=list(ignore),
            delete_patterns="*",
        )
    print(f"published: {url}" + (f"/tree/{revision}" if revision else ""))
    return commit.oid


def check_access(repo_id: str, token: str | None = None) -> str:
    """Returns the token that will write to ``repo_id``, having asked the Hub whose it is.

    Raises:
        ValueError: there is no token, it is invalid or read-only, or the Hub cannot be reached.
    """
    _check_name(repo_id)
    token = token or get_token()
    settings = f"{constants.ENDPOINT}/settings/tokens"
    if not token:
        raise ValueError(f"no Hugging Face token; make one with write access at {settings}, then run `hf auth login`")
    if not token.isascii():
        raise ValueError(REFUSED_TOKEN)
    with hub_errors(repo_id, token):
        user = HfApi(token=token).whoami()
    if user.get("auth", {}).get("accessToken", {}).get("role") == "read":
        raise ValueError(f"the token of {user['name']} is read-only; make one with write access at {settings}")
    return token


def publish_corpus(
    folder: Path, repo_id: str, *, corpora: Sequence[str] | None = None, synthetic: bool = False, **options
) -> str | None:
    """Publishes a folder that `data_scripts.build` wrote, whole or only some of its corpora.

    Args:
        folder: such as ``build/corpus``.
        repo_id: ``owner/name``.
        corpora: those to publish; all if not given. Card, configs, sizes and ``clips.csv`` follow.
        synthetic: a demo corpus may go up.
        options: ``private``, ``revision``, ``dry_run`` and ``token`` of `publish_folder`.

    Raises:
        ValueError: the folder is not a corpus, or `publish_folder` says why not.
    """
    present = _check_corpus(folder, synthetic)
    chosen = list(corpora or present)
    if unknown := set(chosen) - set(present):
        raise ValueError(f"{folder} does not hold {', '.join(sorted(unknown))}; it holds {', '.join(present)}")
    for name in chosen:
        if "-nd-" in CORPORA[name].LICENSE and not synthetic:
            print(NO_DERIVATIVES.format(name=CORPORA[name].NAME, license=CORPORA[name].SOURCE["license"]))
    if set(chosen) == set(present):
        return publish_folder(folder, repo_id, "dataset", allow=CORPUS_FILES, **options)
    with tempfile.TemporaryDirectory(dir=folder.resolve().parent, prefix=".publish-") as staged:
        select_corpora(folder, chosen, Path(staged))
        return publish_folder(Path(staged), repo_id, "dataset", allow=CORPUS_FILES, **options)


def select_corpora(folder: Path, corpora: Sequence[str], output: Path) -> None:
    """Writes a dataset folder with some corpora of another: its Parquet files linked, card and ``clips.csv`` made anew.

    Args:
        folder: a built corpus.
        corpora: those to take.
        output: an empty folder on the same disk.
    """
    metadata = card_metadata(folder)
    clips = pd.read_csv(folder / "clips.csv", dtype=str, keep_default_na=False)
    clips[clips.corpus.isin(corpora)].to_csv(output / "clips.csv", index=False, lineterminator="\n")
    for name in corpora:
        for path in folder.glob(f"data/{name}/*.parquet"):
            link = output / path.relative_to(folder)
            link.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, link)
    num_bytes = {
        (info["config_name"], split["name"]): split["num_bytes"]
        for info in metadata["dataset_info"]
        for split in info["splits"]
        if info["config_name"] in corpora
    }
    facts = [CORPORA[name] for name in sorted(corpora)]
    shortfalls = re.findall(r"^> This build is partial\. (.+)\.$", (folder / "README.md").read_text(), re.MULTILINE)
    shortfalls = [line for line in shortfalls if line.startswith(tuple(f"{corpus.NAME}:" for corpus in facts))]
    write_card(output, num_bytes, facts, shortfalls, "synthetic" in metadata.get("tags", []))


def _check_name(repo_id: str) -> None:
    if repo_id.count("/") != 1:
        raise ValueError(f"{repo_id!r} is not a name on the Hub; it takes OWNER/NAME, such as you/corpus")
    validate_repo_id(repo_id)


def _list_files(folder: Path, allow: Sequence[str], ignore: Sequence[str]) -> list[Path]:
    """The files that go up, printed with their sizes; those that stay are printed too."""
    paths = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    paths = {name: paths[name] for name in filter_repo_objects(paths, ignore_patterns=DEFAULT_IGNORE_PATTERNS)}
    chosen = list(filter_repo_objects(paths, allow_patterns=list(allow), ignore_patterns=list(ignore)))
    for name in chosen:
        print(f"{paths[name].stat().st_size:>13,}  {name}")
    print(f"{sum(paths[name].stat().st_size for name in chosen):>13,}  bytes in {len(chosen)} files")
    if left := [name for name in paths if name not in chosen]:
        print(f"not published: {', '.join(left)}")
    return [paths[name] for name in chosen]


@contextmanager
def hub_errors(repo_id: str, token: str) -> Iterator[None]:
    """Turns what the Hub's client raises into one line with a remedy, and keeps the token out of it."""
    try:
        yield
    except OfflineModeIsEnabled:
        raise ValueError("HF_HUB_OFFLINE is set, so nothing can be published; unset it and run again") from None
    except HfHubHTTPError as error:
        raise ValueError(_explain_status(error, repo_id).replace(token, "hf_***")) from None
    except (HTTPError, OSError, RuntimeError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split()).replace(token, "hf_***")
        raise ValueError(
            f"the exchange with {constants.ENDPOINT} broke off ({reason}); check the network and run again: what has arrived "
            "is not sent twice"
        ) from None


def _explain_status(error: HfHubHTTPError, repo_id: str) -> str:
    status = error.response.status_code
    message = " ".join((error.server_message or str(error)).split())
    if status == 401:
        return REFUSED_TOKEN
    if status == 403:
        return (
            f"you may not write to {repo_id}: the name belongs to someone else, or your token lacks the right ({message}); "
            f"publish under your own name, or ask {repo_id.split('/')[0]} for access"
        )
    return f"the Hub refused {repo_id} with status {status}: {message}"


def _check_corpus(folder: Path, synthetic: bool) -> list[str]:
    """The corpora in a folder that is ready to be published."""
    present = [name for name in CORPORA if any(folder.glob(f"data/{name}/*.parquet"))]
    if not present or not (folder / "README.md").is_file():
        raise ValueError(
            f"{folder} is not a built corpus (README.md and data/<corpus>/*.parquet); "
            "make one with `uv run -m data_scripts.build`"
        )
    if "synthetic" in card_metadata(folder).get("tags", []) and not synthetic:
        raise ValueError(
            f"{folder} holds the synthetic demo corpus; nobody needs it on the Hub, publish it with --synthetic"
        )
    return present


def card_metadata(folder: Path) -> dict:
    """The YAML at the head of a folder's README.md, which the Hub reads.

    Raises:
        ValueError: there is none, or it is not YAML.
    """
    try:
        metadata = metadata_load(folder / "README.md")
    except (OSError, YAMLError) as error:
        raise ValueError(f"{folder / 'README.md'} cannot be read as a card: {' '.join(str(error).split())}") from None
    if not metadata:
        raise ValueError(
            f"{folder / 'README.md'} has no YAML between two lines of --- at its head, which the Hub needs"
        )
    return metadata


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("build/corpus"), help="default: build/corpus")
    parser.add_argument(
        "--corpora", nargs="+", choices=CORPORA, help="publish only these; all that are there by default"
    )
    parser.add_argument("--synthetic", action="store_true", help="publish a demo corpus, which is refused otherwise")
    add_publish_arguments(parser)
    options = vars(parser.parse_args(arguments))
    report_errors(publish_corpus, **options)


def add_publish_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that corpus, model and Space share."""
    parser.add_argument("--repo-id", required=True, metavar="OWNER/NAME", help="created if it does not exist")
    parser.add_argument("--private", action="store_true", help="only you see it")
    parser.add_argument("--revision", metavar="BRANCH", help="created if it does not exist; main by default")
    parser.add_argument("--dry-run", action="store_true", help="list the files and their sizes, send nothing")


def report_errors(publish: Callable[..., object], **options) -> None:
    """Calls ``publish``; ends the program with one line and exit status 1 where it raises."""
    try:
        publish(**options)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted; run again, what has arrived is not sent twice")


if __name__ == "__main__":
    main()
