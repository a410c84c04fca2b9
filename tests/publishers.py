"""Zenodo, Borealis, GitLab and GitHub on 127.0.0.1, with miniature corpora."""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from data_scripts import crema_d, emospeech, nemo, ravdess, tess
from data_scripts.corpora import names_fingerprint
from data_scripts.fetch import ResumingDownloader
from tests.hostile_server import HostileServer

ZENODO = "/zenodo.org/records/1188976/files/Audio_Speech_Actors_01-24.zip?download=1"
GITLAB = "/gitlab.com/api/v4/projects/cs-cooper-lab%2Fcrema-d-mirror/repository"
LFS = "/gitlab.com/cs-cooper-lab/crema-d-mirror.git/info/lfs/objects/batch"
LISTING = "/borealisdata.ca/api/datasets/:persistentId/?persistentId=doi:10.5683/SP2/E8H2MF"
EB0_ANGER = "nEMO/samples/EB0_anger_1.wav"
NEMO = "/github.com/amu-cai/nEMO/archive/66de9999a8f2f605eb5f64841790aa5cb0877782.zip"
EMOSPEECH = "/github.com/RakshakTeam/emospeech-dataset-v1/archive/85b1ef55e1246a10657590809bc118d6abf136d7.zip"
BUNDLE = "/borealisdata.ca/api/access/dataset/:persistentId/?persistentId=doi:10.5683/SP2/E8H2MF"


class Publishers(HostileServer):
    """Zenodo, Borealis, GitLab and GitHub with miniature corpora, in the layouts of the real ones.

    Attributes:
        recordings: corpus -> file name -> content.
    """

    def __init__(self, raw: dict[str, Path]):
        super().__init__()
        self.recordings = {
            corpus: {path.name: path.read_bytes() for path in sorted(folder.rglob("*.wav"))}
            for corpus, folder in raw.items()
        }
        self.files[ZENODO] = zipped({path.relative_to(raw["ravdess"]): path for path in raw["ravdess"].rglob("*.wav")})
        self.files[f"{GITLAB}/archive.zip?path=AudioWAV"] = zipped(
            {Path("crema-d-mirror-HEAD-AudioWAV/AudioWAV", path.name): path for path in raw["crema_d"].rglob("*.wav")}
        )
        for name, url in (
            ("VideoDemographics.csv",) * 2,
            ("processedResults/tabulatedVotes.csv", "processedResults%2FtabulatedVotes.csv"),
        ):
            self.files[f"{GITLAB}/files/{url}/raw?ref=HEAD"] = (raw["crema_d"] / name).read_bytes()
        self.files[BUNDLE] = zipped(
            {Path(path.name): path for path in raw["tess"].rglob("*.wav")} | {Path("MANIFEST.TXT"): b""}
        )
        entries = []
        for number, (name, content) in enumerate(self.recordings["tess"].items(), 1_000):
            self.files[f"/borealisdata.ca/api/access/datafile/{number}"] = content
            checksum = {"type": "MD5", "value": hashlib.md5(content).hexdigest()}
            entries.append({"label": name, "dataFile": {"id": number, "filename": name, "checksum": checksum}})
        self.files[LISTING] = json.dumps({"status": "OK", "data": {"latestVersion": {"files": entries}}}).encode()

        for url, corpus, folder in ((NEMO, "nemo", "nEMO-66de"), (EMOSPEECH, "emospeech", "emospeech-dataset-v1-85b1")):
            files = (path for path in raw[corpus].rglob("*") if path.is_file())
            self.files[url] = zipped({Path(folder, path.relative_to(raw[corpus])): path for path in files})

    def asked(self, start: str) -> int:
        return sum(line.split(" ", 1)[1].startswith(start) for line in self.requests)


def zipped(members: dict[Path, Path | bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, source in members.items():
            archive.writestr(name.as_posix(), source if isinstance(source, bytes) else source.read_bytes())
    return buffer.getvalue()


@contextmanager
def serving(raw: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Publishers]:
    """Publishers of corpora in folders; until the test ends, the facts of the corpora are those of the miniatures."""
    monkeypatch.setattr(ResumingDownloader, "backoff", 0.01)
    with Publishers(raw) as publishers:
        for facts, corpus in ((ravdess, "ravdess"), (tess, "tess"), (crema_d, "crema_d")):
            recordings = publishers.recordings[corpus]
            lines = [f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(recordings.items())]
            monkeypatch.setitem(facts.EXPECTED, "clips", len(recordings))
            monkeypatch.setitem(facts.SOURCE, "fingerprint", hashlib.sha256("".join(lines).encode()).hexdigest())
        for facts, corpus in ((nemo, "nemo"), (emospeech, "emospeech")):
            clips = facts.records(raw[corpus], lambda line: None)
            monkeypatch.setitem(facts.EXPECTED, "clips", len(clips))
            monkeypatch.setitem(facts.EXPECTED, "speakers", tuple({clip.actor for clip in clips}))
            monkeypatch.setitem(facts.SOURCE, "names_fingerprint", names_fingerprint(clips))
        archive = ravdess.SOURCE["files"]["Audio_Speech_Actors_01-24.zip"]
        monkeypatch.setitem(archive, "known_hash", f"md5:{hashlib.md5(publishers.files[ZENODO]).hexdigest()}")
        for name, file in crema_d.SOURCE["files"].items():
            if "known_hash" in file:
                table = (raw["crema_d"] / name).read_bytes()
                monkeypatch.setitem(file, "known_hash", f"sha256:{hashlib.sha256(table).hexdigest()}")
        yield publishers
