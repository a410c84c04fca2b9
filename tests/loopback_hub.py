"""A stand-in for the Hugging Face Hub on 127.0.0.1: as much of its HTTP API as publishing and loading ask for.

Repositories live in memory. Large files go through plain LFS (clients need HF_HUB_DISABLE_XET=1) and are served from a
second port, because clients follow the Hub's redirects only to another origin. What is not known here answers 501.
"""

import base64
import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import unquote

import yaml

from tests.loopback_http import Refusal, Request, serve

TOKENS = {"hf_write": ("alice", "write"), "hf_read": ("alice", "read")}
LARGE = (".parquet", ".safetensors", ".png", ".wav", ".flac", ".bin", ".pt")
PREFIXES = {"models": "", "datasets": "datasets/", "spaces": "spaces/"}
NAME = r"[\w.-]+/[\w.-]+"
REPO = rf"(?P<kind>models|datasets|spaces)/(?P<name>{NAME})"


@dataclass
class Commit:
    oid: str
    title: str
    files: dict[str, bytes]


@dataclass
class Repository:
    private: bool = False
    sdk: str | None = None  # of a Space
    branches: dict[str, list[Commit]] = field(default_factory=lambda: {"main": []})

    def commit(self, branch: str, title: str, files: dict[str, bytes]) -> Commit:
        history = self.branches[branch]
        oid = hashlib.sha1(f"{branch} {len(history)} {title} {sorted(files)}".encode()).hexdigest()
        history.append(Commit(oid, title, files))
        return history[-1]

    def find(self, revision: str) -> Commit:
        if revision in self.branches:
            return self.branches[revision][-1]
        for history in self.branches.values():
            for commit in history:
                if commit.oid == revision:
                    return commit
        raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")


class LoopbackHub:
    """Started by ``with``; ``endpoint`` is what HF_ENDPOINT is set to.

    Attributes:
        repositories: (kind, name), as in ``("datasets", "alice/corpus")``, to what is stored there.
        objects: the large files, by sha256.
        requests: method and path of every request so far.
        outage: commits are refused while it is set.
    """

    def __init__(self) -> None:
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.objects: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.outage = False

    def __enter__(self) -> Self:
        self.servers = [serve(self.answer_api, self.requests), serve(self.answer_storage, self.requests)]
        self.endpoint, self.storage = (f"http://127.0.0.1:{server.server_port}" for server in self.servers)
        return self

    def __exit__(self, *_: object) -> None:
        for server in self.servers:
            server.shutdown()
            server.server_close()

    def files(self, kind: str, name: str, revision: str = "main") -> dict[str, bytes]:
        return self.repositories[kind, name].find(revision).files

    def titles(self, kind: str, name: str, branch: str = "main") -> list[str]:
        """The commits' titles, oldest first."""
        return [commit.title for commit in self.repositories[kind, name].branches[branch]]

    def answer_api(self, request: Request) -> None:
        routes = (
            ("GET", r"/api/whoami-v2", self.whoami),
            ("POST", r"/api/repos/create", self.create),
            ("POST", r"/api/validate-yaml", self.validate_card),
            ("GET", rf"/api/{REPO}(/revision/(?P<revision>.+))?", self.describe),
            ("GET", rf"/api/{REPO}/tree/(?P<revision>[^/]+)(/(?P<folder>.+))?", self.list_tree),
            ("POST", rf"/api/{REPO}/preupload/(?P<revision>.+)", self.choose_upload),
            ("POST", rf"/api/{REPO}/commit/(?P<revision>.+)", self.add_commit),
            ("POST", rf"/api/{REPO}/branch/(?P<revision>.+)", self.add_branch),
            ("POST", r"/.+\.git/info/lfs/objects/batch", self.offer_storage),
            (
                "GET",
                rf"/((?P<kind>datasets|spaces)/)?(?P<name>{NAME})/resolve/(?P<revision>[^/]+)/(?P<path>.+)",
                self.resolve,
            ),
        )
        for method, pattern, answer in routes:
            match = re.fullmatch(pattern, request.path)
            if match and request.command.replace("HEAD", "GET") == method:
                return answer(request, **{key: value and unquote(value) for key, value in match.groupdict().items()})
        raise Refusal(501, f"the stand-in has no {request.command} {request.path}")

    def answer_storage(self, request: Request) -> None:
        oid = request.path.rpartition("/")[2]
        if request.headers.get("Authorization"):
            raise Refusal(400, "Only one auth mechanism allowed")
        if request.command == "PUT":
            if hashlib.sha256(request.body).hexdigest() != oid:
                raise Refusal(400, f"these bytes are not {oid}")
            self.objects[oid] = request.body
            return request.answer(200)
        if oid not in self.objects:
            raise Refusal(404, "no such object")
        return request.answer_file(self.objects[oid], {"ETag": f'"{oid}"'})

    def whoami(self, request: Request) -> None:
        name, role = self.user(request)
        request.answer(200, {"type": "user", "name": name, "orgs": [], "auth": {"accessToken": {"role": role}}})

    def user(self, request: Request) -> tuple[str, str]:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in TOKENS:
            raise Refusal(
                401, "Invalid credentials in Authorization header" if token else "Invalid username or password."
            )
        return TOKENS[token]

    def writable(self, request: Request, name: str) -> None:
        user, role = self.user(request)
        if role != "write" or user != name.split("/")[0]:
            raise Refusal(403, f"you don't have the rights to write to {name}")

    def find(self, request: Request, kind: str, name: str, write: bool = False) -> Repository:
        if write:
            self.writable(request, name)
        repository = self.repositories.get((kind, name))
        if repository is None or repository.private and self.user(request)[0] != name.split("/")[0]:
            raise Refusal(404, "Repository not found", "RepoNotFound")
        return repository

    def create(self, request: Request) -> None:
        wanted = request.json()
        kind, name = f"{wanted.get('type', 'model')}s", f"{wanted['organization']}/{wanted['name']}"
        self.writable(request, name)
        known = (kind, name) in self.repositories
        if not known:
            self.repositories[kind, name] = Repository(
                private=wanted.get("visibility") == "private", sdk=wanted.get("sdk")
            )
            self.repositories[kind, name].commit(
                "main", "initial commit", {".gitattributes": b"*.parquet filter=lfs\n"}
            )
        request.answer(409 if known else 200, {"url": f"{self.endpoint}/{PREFIXES[kind]}{name}", "name": name})

    def validate_card(self, request: Request) -> None:
        try:
            yaml.safe_load(request.json()["content"].split("---")[1])
        except (IndexError, yaml.YAMLError) as error:
            return request.answer(400, {"errors": [{"message": str(error)}], "warnings": []})
        return request.answer(200, {"errors": [], "warnings": []})

    def describe(self, request: Request, kind: str, name: str, revision: str | None) -> None:
        repository = self.find(request, kind, name)
        commit = repository.find(revision or "main")
        siblings = [{"rfilename": path} for path in sorted(commit.files)]
        answer = {"id": name, "sha": commit.oid, "private": repository.private, "tags": [], "siblings": siblings}
        request.answer(200, answer | {"lastModified": "2026-01-01T00:00:00.000Z", "downloads": 0, "likes": 0})

    def list_tree(self, request: Request, kind: str, name: str, revision: str, folder: str | None) -> None:
        files = self.find(request, kind, name).find(revision).files
        start = f"{folder.strip('/')}/" if folder else ""
        entries = {path: tree_entry(path, content) for path, content in files.items() if path.startswith(start)}
        if not entries and start:
            raise Refusal(404, f"{folder} does not exist", "EntryNotFound")
        if request.query.get("recursive", ["false"])[0].lower() != "true":
            below = {path: path[len(start) :].split("/") for path in entries}
            folders = {start + parts[0] for parts in below.values() if len(parts) > 1}
            entries = {path: entry for path, entry in entries.items() if len(below[path]) == 1}
            entries |= {path: {"type": "directory", "path": path, "oid": "0" * 40, "size": 0} for path in folders}
        request.answer(200, [entries[path] for path in sorted(entries)])

    def choose_upload(self, request: Request, kind: str, name: str, revision: str) -> None:
        files = self.find(request, kind, name, write=True).find(revision).files
        answer = []
        for file in request.json()["files"]:
            path = file["path"]
            known = {"oid": tree_entry(path, files[path])["known"]} if path in files else {}
            mode = "lfs" if path.endswith(LARGE) else "regular"
            answer.append({"path": path, "uploadMode": mode, "shouldIgnore": False} | known)
        request.answer(200, {"files": answer})

    def offer_storage(self, request: Request) -> None:
        """Says where each object is to be sent; one that is there already gets no address."""
        answer = []
        for wanted in request.json()["objects"]:
            action = {"upload": {"href": f"{self.storage}/{wanted['oid']}"}}
            answer.append(wanted if wanted["oid"] in self.objects else wanted | {"actions": action})
        request.answer(200, {"transfer": "basic", "objects": answer})

    def add_commit(self, request: Request, kind: str, name: str, revision: str) -> None:
        repository = self.find(request, kind, name, write=True)
        if self.outage:
            raise Refusal(400, "no commits just now")
        header, *operations = [json.loads(line) for line in request.body.splitlines()]
        files = dict(repository.find(revision).files)
        for operation in operations:
            value = operation["value"]
            if operation["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif operation["key"] == "lfsFile":
                files[value["path"]] = self.objects[value["oid"]]
            else:
                del files[value["path"]]
        commit = repository.commit(revision, header["value"]["summary"], files)
        request.answer(200, {"commitOid": commit.oid, "commitUrl": f"{self.endpoint}/{name}/commit/{commit.oid}"})

    def add_branch(self, request: Request, kind: str, name: str, revision: str) -> None:
        repository = self.find(request, kind, name, write=True)
        if revision in repository.branches:
            raise Refusal(409, "Reference already exists")
        repository.branches[revision] = repository.branches["main"][-1:]
        request.answer(200, {})

    def resolve(self, request: Request, kind: str | None, name: str, revision: str, path: str) -> None:
        commit = self.find(request, kind or "models", name).find(revision)
        if path not in commit.files:
            raise Refusal(404, "Entry not found", "EntryNotFound", {"X-Repo-Commit": commit.oid})
        content = commit.files[path]
        headers = {"X-Repo-Commit": commit.oid, "ETag": f'"{tree_entry(path, content)["known"]}"'}
        if not path.endswith(LARGE):
            return request.answer_file(content, headers)
        oid = hashlib.sha256(content).hexdigest()
        self.objects[oid] = content
        headers |= {
            "Location": f"{self.storage}/{oid}",
            "X-Linked-Size": str(len(content)),
            "X-Linked-Etag": f'"{oid}"',
        }
        return request.answer(302, headers=headers)


def tree_entry(path: str, content: bytes) -> dict:
    """A file as the tree lists it; ``known`` is what a client compares to see whether its own file differs."""
    oid = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    entry = {"type": "file", "path": path, "size": len(content), "oid": oid, "known": oid}
    if path.endswith(LARGE):
        sha256 = hashlib.sha256(content).hexdigest()
        entry |= {"lfs": {"oid": sha256, "size": len(content), "pointerSize": 130}, "known": sha256}
    return entry
