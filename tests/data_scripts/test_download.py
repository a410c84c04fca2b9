"""The corpora from their publishers: archives in their layouts, from a server that is not always kind."""

import hashlib
import io
import json
import zipfile
from pathlib import Path

import pytest

from data_scripts import build as builder
from data_scripts import crema_d, download, emospeech, nemo, ravdess, tess
from data_scripts.build import build
from data_scripts.corpora import names_fingerprint
from data_scripts.fetch import DownloadError, ResumingDownloader
from tests.hostile_server import HostileServer
from tests.miniature_corpora import HASH_ENDING, write_corpora, write_more_corpora

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


@pytest.fixture(scope="session")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw")
    return write_corpora(folder) | write_more_corpora(folder)


@pytest.fixture
def publishers(raw, monkeypatch):
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
        yield publishers


def get(publishers, output, *corpora) -> dict[str, Path]:
    return download.download(corpora or ("ravdess", "tess", "crema_d"), output, publishers.address, lambda line: None)


def recordings(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*.wav")}


def test_all_three_arrive_and_can_be_built(publishers, tmp_path):
    folders = get(publishers, tmp_path / "raw")
    for corpus, folder in folders.items():
        assert folder == tmp_path / "raw" / corpus
        assert recordings(folder) == publishers.recordings[corpus]
    assert {path.name for path in (tmp_path / "raw").iterdir()} == set(folders)
    dataset = build(folders, tmp_path / "corpus", allow_partial=True, report=lambda line: None)
    assert "votes_angry" in (dataset / "clips.csv").read_text()
    assert "African American" in (dataset / "clips.csv").read_text()


def test_a_second_run_downloads_nothing(publishers, tmp_path):
    get(publishers, tmp_path)
    publishers.requests.clear()
    get(publishers, tmp_path)
    assert publishers.requests == []


def test_archives_rather_than_thousands_of_requests(publishers, tmp_path):
    get(publishers, tmp_path)
    assert publishers.asked("/zenodo.org") == 1
    assert publishers.asked("/gitlab.com") == 3
    assert publishers.asked("/borealisdata.ca") == 2


def test_every_licence_is_said_before_the_first_request(publishers, tmp_path):
    said = []
    download.download(
        ("ravdess", "tess", "crema_d"),
        tmp_path,
        publishers.address,
        lambda line: said.append((line, len(publishers.requests))),
    )
    before = " ".join(line for line, n_requests in said if n_requests == 0)
    for words in (
        "CC BY-NC-SA 4.0",
        "CC BY-NC-ND 4.0; it may be shared unchanged only",
        "ODbL",
        "--ravdess DIR",
        "--crema-d DIR",
    ):
        assert words in before


def test_a_bundle_that_leaves_files_out_is_completed(publishers, tmp_path, raw):
    some = dict(list({Path(path.name): path for path in raw["tess"].rglob("*.wav")}.items())[:5])
    publishers.files[BUNDLE] = zipped(some | {Path("MANIFEST.TXT"): b"9 files were left out: too large"})
    folder = get(publishers, tmp_path, "tess")["tess"]
    assert recordings(folder) == publishers.recordings["tess"]
    assert publishers.asked("/borealisdata.ca/api/access/datafile/") == len(publishers.recordings["tess"]) - 5


@pytest.mark.parametrize("kind", ["refused", "html", "cut"])
def test_without_a_bundle_the_files_come_one_by_one(publishers, tmp_path, kind):
    page = {"Content-Type": "text/html"}
    if kind == "cut":
        publishers.files[BUNDLE] = publishers.files[BUNDLE][:5_000]
    else:
        publishers.answers[BUNDLE] = lambda request: request.answer(
            400 if kind == "refused" else 200, b"<html>no", page
        )
    assert recordings(get(publishers, tmp_path, "tess")["tess"]) == publishers.recordings["tess"]


def test_a_file_with_a_wrong_checksum_is_named_and_the_others_are_kept(publishers, tmp_path):
    publishers.answers[BUNDLE] = lambda request: request.answer(404, {})
    good = publishers.files["/borealisdata.ca/api/access/datafile/1013"]
    publishers.files["/borealisdata.ca/api/access/datafile/1013"] = b"something else"
    with pytest.raises(DownloadError, match="datafile/1013 is not what was published"):
        get(publishers, tmp_path, "tess")
    assert not (tmp_path / "tess").exists()
    publishers.files["/borealisdata.ca/api/access/datafile/1013"] = good
    publishers.requests.clear()
    get(publishers, tmp_path, "tess")
    assert publishers.asked("/borealisdata.ca/api/access/datafile/") <= 8


def test_pointers_in_the_archive_are_followed(publishers, tmp_path):
    pointers, objects = {}, {}
    for name, content in publishers.recordings["crema_d"].items():
        oid = hashlib.sha256(content).hexdigest()
        text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(content)}\n"
        pointers[Path("crema-d-mirror-HEAD-AudioWAV/AudioWAV", name)] = text.encode()
        objects[oid] = f"/objects/{oid}"
        publishers.files[f"/objects/{oid}"] = content
    publishers.files[f"{GITLAB}/archive.zip?path=AudioWAV"] = zipped(pointers)

    def batch(request):
        href = {oid: {"href": publishers.address + path} for oid, path in objects.items()}
        wanted = request.json()["objects"]
        request.answer(200, {"objects": [found | {"actions": {"download": href[found["oid"]]}} for found in wanted]})

    publishers.answers[LFS] = lambda request: request.answer(403, {"message": "over its data quota"})
    with pytest.raises(DownloadError, match="403"):
        get(publishers, tmp_path, "crema_d")
    publishers.answers[LFS] = batch
    lost = next(iter(objects.values()))
    content = publishers.files.pop(lost)
    with pytest.raises(DownloadError, match=lost):
        get(publishers, tmp_path, "crema_d")
    publishers.files[lost] = content
    publishers.requests.clear()
    assert recordings(get(publishers, tmp_path, "crema_d")["crema_d"]) == publishers.recordings["crema_d"]
    assert publishers.asked(f"{GITLAB}/archive") == 0
    assert publishers.asked("/objects") < len(objects)


@pytest.mark.parametrize("missing", [True, False])
def test_what_is_not_the_corpus_is_not_taken(publishers, tmp_path, monkeypatch, missing):
    members = {Path(name): content for name, content in publishers.recordings["crema_d"].items()}
    name = next(iter(members))
    members[name] = b"another recording"
    if missing:
        del members[name]
    good = publishers.files[f"{GITLAB}/archive.zip?path=AudioWAV"]
    publishers.files[f"{GITLAB}/archive.zip?path=AudioWAV"] = zipped(members)
    with pytest.raises(DownloadError, match="17 are in" if missing else "not the originals"):
        get(publishers, tmp_path, "crema_d")
    assert not (tmp_path / "crema_d").exists() and not recordings(tmp_path)
    publishers.files[f"{GITLAB}/archive.zip?path=AudioWAV"] = good
    get(publishers, tmp_path, "crema_d")


def test_an_archive_that_was_cut_off_is_fetched_anew(publishers, tmp_path):
    url = f"{GITLAB}/archive.zip?path=AudioWAV"
    good, publishers.sized = publishers.files[url], False
    publishers.files[url] = good[: len(good) // 2]
    with pytest.raises(DownloadError, match="not a whole zip archive"):
        get(publishers, tmp_path, "crema_d")
    publishers.files[url] = good
    get(publishers, tmp_path, "crema_d")


def test_a_full_disk_while_unpacking_keeps_the_archive(publishers, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "extract", full)
    with pytest.raises(DownloadError, match="disk is full"):
        get(publishers, tmp_path, "crema_d")
    monkeypatch.undo()
    assert not recordings(tmp_path)
    assert [path.name for path in tmp_path.rglob("*.zip")] == ["AudioWAV.zip"]


def test_a_folder_of_the_user_is_left_alone(publishers, tmp_path):
    (tmp_path / "ravdess").mkdir()
    (tmp_path / "ravdess" / "03-01-01-01-01-01-01.wav").write_bytes(b"mine")
    with pytest.raises(DownloadError, match=r"24 recordings, but 1 are in .*left as it is.*--allow-partial"):
        get(publishers, tmp_path, "ravdess")
    assert publishers.requests == []
    assert recordings(tmp_path) == {"03-01-01-01-01-01-01.wav": b"mine"}


def test_one_that_fails_does_not_undo_the_others(publishers, tmp_path):
    publishers.answers[LISTING] = lambda request: request.answer(200, b"not JSON", {"Content-Type": "application/json"})
    with pytest.raises(DownloadError, match="does not list the files"):
        get(publishers, tmp_path)
    assert recordings(tmp_path / "ravdess") == publishers.recordings["ravdess"]
    assert not (tmp_path / "tess").exists()


def test_others_corpora_are_the_archives_of_a_commit(publishers, tmp_path):
    said = []
    folders = download.download(("nemo", "emospeech"), tmp_path, publishers.address, said.append)
    for corpus, folder in folders.items():
        assert recordings(folder) == publishers.recordings[corpus]
    assert publishers.asked("/github.com") == len(publishers.requests) == 2
    assert "12 of 12 clips" in " ".join(said) and "8 of at least 8 clips" in " ".join(said)
    assert all("MB" not in line for line in said)
    dataset = build(folders, tmp_path / "corpus", report=lambda line: None)
    assert "Lubię „to”." in (dataset / "clips.csv").read_text()
    publishers.requests.clear()
    get(publishers, tmp_path, "nemo", "emospeech")
    assert publishers.requests == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda members: members.pop(next(reversed(members))), "11 of 12 clips"),
        (lambda members: members.update({Path("nEMO/samples/EB0_anger_2.wav"): members.pop(Path(EB0_ANGER))}), "names"),
        (lambda members: members.update({Path("nEMO/samples/mine.wav"): b"RIFF"}), "mine.wav"),
    ],
)
def test_an_archive_of_other_clips_is_not_taken(publishers, raw, tmp_path, change, complaint):
    good = publishers.files[NEMO]
    members = {Path("nEMO/samples", path.name): path for path in sorted(raw["nemo"].rglob("*.wav"))}
    change(members)
    publishers.files[NEMO] = zipped(members)
    with pytest.raises(DownloadError, match=complaint):
        get(publishers, tmp_path, "nemo")
    assert not (tmp_path / "nemo").exists() and not recordings(tmp_path)
    publishers.files[NEMO] = good
    get(publishers, tmp_path, "nemo")


def test_more_of_indian_emospeech_than_was_counted_is_taken(publishers, raw, tmp_path):
    stem = f"go-safe-angry-1563001129561-4e520c{HASH_ENDING}"
    members = {Path("e", path.name): path for path in raw["emospeech"].rglob("*.wav")}
    clip = next(iter(members.values()))
    others = {Path("e", f"{name}.wav"): clip for name in (stem, stem.replace("go-safe", "bacho-safe"))}
    publishers.files[EMOSPEECH] = zipped(members | others)
    said = []
    download.download(["emospeech"], tmp_path, publishers.address, said.append)
    assert "9 of at least 8 clips" in said[-1]


def test_command(publishers, tmp_path, capsys):
    download.main(["--corpora", "ravdess", "--output", str(tmp_path), "--mirror", publishers.address])
    printed = capsys.readouterr().out
    assert "CC BY-NC-SA 4.0" in printed and f"data_scripts.build --ravdess {tmp_path / 'ravdess'}" in printed
    publishers.__exit__()
    with pytest.raises(SystemExit, match="^error: .*run again"):
        download.main(["--corpora", "tess", "--output", str(tmp_path), "--mirror", publishers.address])


def test_build_without_folders_downloads_first(publishers, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    asked = []
    monkeypatch.setattr(
        builder, "download", lambda corpora, output: asked.append(output) or get(publishers, output, *corpora)
    )
    monkeypatch.setattr("sys.argv", ["build", "--allow-partial"])
    builder.main()
    assert asked == [Path("raw")]
    assert {path.name for path in Path("raw").iterdir()} == {"ravdess", "tess", "crema_d"}
    assert (tmp_path / "build/corpus/README.md").exists()
    (tmp_path / "build/corpus/notes.txt").touch()
    with pytest.raises(SystemExit, match="not a previous build"):
        builder.main()
    assert len(asked) == 1


def test_build_downloads_others_only_where_they_are_asked_for(publishers, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(builder, "download", lambda corpora, output: get(publishers, output, *corpora))
    monkeypatch.setattr("sys.argv", ["build", "--corpora", "nemo", "emospeech"])
    builder.main()
    assert {path.name for path in Path("build/corpus/data").iterdir()} == {"nemo", "emospeech"}
    monkeypatch.setattr("sys.argv", ["build", "--corpora", "nemo", "--tess", "raw/tess"])
    with pytest.raises(SystemExit):
        builder.main()
    assert "--corpora names what to download" in capsys.readouterr().err
