"""Sends a folder to the Hugging Face Hub: the one way in which corpus, checkpoint and Space are published."""

import argparse
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import HfApi, constants, get_token, metadata_load
from huggingface_hub.errors import HfHubHTTPError, HTTPError, OfflineModeIsEnabled
from huggingface_hub.utils import DEFAULT_IGNORE_PATTERNS, filter_repo_objects, validate_repo_id
from yaml import YAMLError

from data_scripts.staging import temporary_folder
from data_scripts.terminal import command, say

TEXT_LIMIT = 2**20  # bytes; larger files are not searched for the token
REFUSED_TOKEN = (
    "the Hub does not accept your token; make one with write access in your account's settings, then run `hf auth login` "
    "(HF_TOKEN goes before the stored one, if it is set)"
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
    report: Callable[[str], None] = say,
) -> str | None:
    """Makes a repository on the Hub equal to a folder, in one resumable upload, and reports its address.

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
        report: told of every file and, at the end, of the address.

    Returns:
        The commit that the branch stands at, None for a dry run.

    Raises:
        ValueError: the name, the token, the rights, the folder or the network does not allow it; one line with the remedy.
    """
    check_name(repo_id)
    files = _list_files(folder, allow, ignore, report)
    if dry_run:
        report(f"dry run, nothing was sent: these files would make up the {repo_type} {repo_id}")
        return None
    token = check_access(repo_id, token)
    for path in files:
        if path.stat().st_size < TEXT_LIMIT and token.encode() in path.read_bytes():
            name = path.relative_to(folder)  # of a folder that may be a copy
            raise ValueError(f"{name} holds your Hugging Face token; remove it there before you publish")

    sdk = card_metadata(folder)["sdk"] if repo_type == "space" else None
    url = create_repository(repo_id, repo_type, private=private, revision=revision, sdk=sdk, token=token)
    with hub_errors(repo_id, token):
        commit = HfApi(token=token).upload_folder(
            repo_id=repo_id,
            repo_type=repo_type,
            folder_path=folder,
            revision=revision,
            commit_message="Publish",
            allow_patterns=list(allow),
            ignore_patterns=list(ignore),
            delete_patterns="*",
        )
    report(f"published: {url}")
    return commit.oid


@contextmanager
def copy_to_publish(folder: Path) -> Iterator[Path]:
    """A temporary folder of links to the files of another one, for what is to go up with another card; see `replace_text`."""

    def link(source: str, target: str) -> None:
        os.symlink(os.path.abspath(source), target)

    with temporary_folder() as copy:
        yield Path(shutil.copytree(folder, copy, copy_function=link, dirs_exist_ok=True))


def replace_text(file: Path, text: str) -> None:
    """Puts a text in the place of a file or of a link to one, which stays as it is where it leads to."""
    file.unlink()
    file.write_text(text, encoding="utf-8")


def create_repository(
    repo_id: str,
    repo_type: str,
    *,
    private: bool = False,
    revision: str | None = None,
    sdk: str | None = None,
    token: str,
) -> str:
    """Makes sure that a repository and its branch are there; returns the address. A Space has an `sdk`.

    Raises:
        ValueError: the rights or the network does not allow it, or it is public and was to be private.
    """
    api = HfApi(token=token)
    with hub_errors(repo_id, token):
        url = api.create_repo(repo_id, repo_type=repo_type, private=private or None, exist_ok=True, space_sdk=sdk)
        if private and not api.repo_info(repo_id, repo_type=repo_type).private:
            raise ValueError(f"{url} exists and is public; make it private in its settings first, or drop --private")
        if revision in (None, constants.DEFAULT_REVISION):
            return str(url)
        api.create_branch(repo_id, branch=revision, repo_type=repo_type, exist_ok=True)
        return f"{url}/tree/{revision}"


def check_access(repo_id: str, token: str | None = None) -> str:
    """Returns the token that will write to ``repo_id``, having asked the Hub whose it is.

    Raises:
        ValueError: there is no token, it is invalid or read-only, or the Hub cannot be reached.
    """
    check_name(repo_id)
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


def add_publish_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that corpus, model and Space share."""
    parser.add_argument("--repo-id", required=True, metavar="OWNER/NAME", help="created if it does not exist")
    parser.add_argument("--private", action="store_true", help="only you see it")
    parser.add_argument("--revision", metavar="BRANCH", help="created if it does not exist; main by default")
    parser.add_argument("--dry-run", action="store_true", help="list the files and their sizes, send nothing")


def report_errors(publish: Callable[..., object], **options) -> None:
    """Calls ``publish``; ends the program with one line and exit status 1 where it raises."""
    with command(lambda: "run again, what has arrived is not sent twice"):
        publish(**options)


def check_name(repo_id: str) -> None:
    """Raises ValueError where ``repo_id`` is not ``owner/name`` in the letters that the Hub allows."""
    if repo_id.count("/") != 1:
        raise ValueError(f"{repo_id!r} is not a name on the Hub; it takes OWNER/NAME, such as you/corpus")
    validate_repo_id(repo_id)


def _list_files(folder: Path, allow: Sequence[str], ignore: Sequence[str], report: Callable[[str], None]) -> list[Path]:
    """The files that go up, reported with their sizes; those that stay are reported too."""
    paths = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    paths = {name: paths[name] for name in filter_repo_objects(paths, ignore_patterns=DEFAULT_IGNORE_PATTERNS)}
    chosen = list(filter_repo_objects(paths, allow_patterns=list(allow), ignore_patterns=list(ignore)))
    for name in chosen:
        report(f"{paths[name].stat().st_size:>13,}  {name}")
    report(f"{sum(paths[name].stat().st_size for name in chosen):>13,}  bytes in {len(chosen)} files")
    if left := [name for name in paths if name not in chosen]:
        report(f"not published: {', '.join(left)}")
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
