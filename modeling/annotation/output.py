"""Where the result goes: a folder, or a dataset on the Hub, in which files appear whole or not at all."""

import atexit
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from huggingface_hub import CommitOperationAdd, HfApi, HfFileSystem
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, HTTPError

from data_scripts.hub import check_access, create_repository, hub_errors
from data_scripts.staging import temporary_folder, whole_file

HUB = "hf://datasets/"
COMMITS = 100  # of all processes in an hour: the Hub takes 128 to a repository
WAIT = 60.0  # seconds for a small file that all processes write
PATIENCE = 6  # attempts at a commit, since other processes commit as well


class Folder:
    """A folder on this disk, or one that several machines share."""

    def __init__(self, path: Path):
        self.path = path

    def __str__(self) -> str:
        return str(self.path)

    def names(self) -> set[str]:
        """Paths of the files that are there, but not of hidden ones."""
        files = (path.relative_to(self.path) for path in self.path.rglob("*") if path.is_file())
        return {path.as_posix() for path in files if not path.name.startswith(".")}

    def open(self, name: str) -> BinaryIO:
        return open(self.path / name, "rb")

    @contextmanager
    def writing(self, name: str, wait: float = 0.0) -> Iterator[Path]:
        """A path to write a file to, which takes its place when the block ends well; `wait` seconds for who writes it now."""
        with whole_file(self.path / name, wait) as path:
            yield path

    def flush(self) -> None:
        """All files are in their place already."""


class HubDataset:
    """A dataset repository; shards are committed some at a time, because the Hub counts commits.

    Args:
        repo_id: `owner/name`.
        world_size: Processes that commit to it.

    Raises:
        ValueError: The name, the token or the network does not allow it.
    """

    def __init__(self, repo_id: str, private: bool = False, world_size: int = 1):
        self.repo_id = repo_id
        self.token = check_access(repo_id)
        self.url = create_repository(repo_id, "dataset", private=private, token=self.token)
        self.api, self.files = HfApi(token=self.token), HfFileSystem(token=self.token)
        self.waiting: list[CommitOperationAdd] = []
        temporary = ExitStack()
        self.folder = temporary.enter_context(temporary_folder())
        atexit.register(temporary.close)
        self.interval, self.committed = 3600 / COMMITS * world_size, time.monotonic()

    def __str__(self) -> str:
        return f"{HUB}{self.repo_id}"

    def names(self) -> set[str]:
        """Paths of the files that are there, but not of hidden ones."""
        self.files.invalidate_cache()
        with hub_errors(self.repo_id, self.token):
            names = self.api.list_repo_files(self.repo_id, repo_type="dataset")
        return {name for name in names if not name.rpartition("/")[2].startswith(".")}

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        try:
            with self.files.open(f"datasets/{self.repo_id}/{name}", "rb", block_size=2**18) as file:
                yield file
        except (FileNotFoundError, EntryNotFoundError):
            raise
        except HTTPError:  # the network broke off, or the Hub refuses
            with hub_errors(self.repo_id, self.token):
                raise

    @contextmanager
    def writing(self, name: str, wait: float = 0.0) -> Iterator[Path]:
        """A path to write a file to, which goes to the Hub with the next commit; nobody has to wait for others there."""
        path = Path(self.folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield path
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        self.waiting.append(CommitOperationAdd(name, path))
        if time.monotonic() - self.committed > self.interval:
            self.flush()

    def flush(self) -> None:
        """Commits what waits; other processes may be committing, so it is tried several times.

        Raises:
            ValueError: The Hub or the network does not allow it.
        """
        if not self.waiting:
            return
        message = f"{len(self.waiting)} files from {Path(self.waiting[0].path_in_repo).stem} on"
        with hub_errors(self.repo_id, self.token):
            for attempt in range(PATIENCE):
                try:
                    self.api.create_commit(self.repo_id, self.waiting, commit_message=message, repo_type="dataset")
                    break
                except HfHubHTTPError as error:
                    passing = error.response.status_code in (409, 412, 429) or error.response.status_code >= 500
                    if not passing or attempt == PATIENCE - 1:
                        raise
                    time.sleep(2**attempt)
        for operation in self.waiting:
            Path(operation.path_or_fileobj).unlink()
        self.waiting, self.committed = [], time.monotonic()


Output = Folder | HubDataset


def open_output(name: str, private: bool = False, world_size: int = 1) -> Output:
    """A folder, or `hf://datasets/owner/name`.

    Raises:
        ValueError: It cannot be written.
    """
    if name.startswith(HUB):
        return HubDataset(name.removeprefix(HUB), private, world_size)
    if "://" in name:
        raise ValueError(f"the output {name} is neither a folder nor {HUB}OWNER/NAME; give one of these")
    if private:
        raise ValueError(f"--private is for a dataset on the Hub, but the output is {name}: leave it out")
    path = Path(name)
    if path.exists() and not path.is_dir():
        raise ValueError(f"the output {path} is a file: give a folder")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"the output {path} cannot be made: {error.strerror}") from error
    return Folder(path)


def read_text(output: Output, name: str) -> str | None:
    """The text of a small file; None where there is none."""
    try:
        with output.open(name) as file:
            return file.read().decode()
    except (FileNotFoundError, EntryNotFoundError):
        return None
