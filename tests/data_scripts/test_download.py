"""The corpora from their publishers: archives in their layouts, from a server that is not always kind."""

import hashlib
import zipfile
from pathlib import Path

import pytest

from data_scripts import build as builder
from data_scripts import download
from data_scripts.build import build
from data_scripts.fetch import DownloadError
from tests.miniature_corpora import HASH_ENDING
from tests.publishers import BUNDLE, EB0_ANGER, EMOSPEECH, GITLAB, LFS, LISTING, NEMO, zipped


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


def test_a_bundle_that_leaves_files_out_is_completed(publishers, tmp_path, published):
    some = dict(list({Path(path.name): path for path in published["tess"].rglob("*.wav")}.items())[:5])
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
def test_an_archive_of_other_clips_is_not_taken(publishers, published, tmp_path, change, complaint):
    good = publishers.files[NEMO]
    members = {Path("nEMO/samples", path.name): path for path in sorted(published["nemo"].rglob("*.wav"))}
    change(members)
    publishers.files[NEMO] = zipped(members)
    with pytest.raises(DownloadError, match=complaint):
        get(publishers, tmp_path, "nemo")
    assert not (tmp_path / "nemo").exists() and not recordings(tmp_path)
    publishers.files[NEMO] = good
    get(publishers, tmp_path, "nemo")


def test_more_of_indian_emospeech_than_was_counted_is_taken(publishers, published, tmp_path):
    stem = f"go-safe-angry-1563001129561-4e520c{HASH_ENDING}"
    members = {Path("e", path.name): path for path in published["emospeech"].rglob("*.wav")}
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
