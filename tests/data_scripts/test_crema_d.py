import pytest

from data_scripts import crema_d
from tests.miniature_corpora import write_clip, write_corpora, write_crema_d_tables


def test_parse_reads_every_code():
    clip = crema_d.parse("1001_IEO_ANG_HI")
    assert (clip.corpus, clip.actor, clip.speaker_id, clip.gender) == ("crema_d", "1001", "crema_d_1001", "male")
    assert (clip.emotion, clip.intensity, clip.text) == ("angry", "high", "It's eleven o'clock")
    assert clip.repetition is None


@pytest.mark.parametrize("level, intensity", [("LO", "low"), ("MD", "medium"), ("HI", "high"), ("XX", None)])
def test_levels(level, intensity):
    assert crema_d.parse(f"1091_IEO_SAD_{level}").intensity == intensity


@pytest.mark.parametrize(
    "stem, message",
    [
        ("1092_DFA_ANG_XX", "actor '1092'"),
        ("1001_XYZ_ANG_XX", "sentence 'XYZ'"),
        ("1001_DFA_CAL_XX", "emotion 'CAL'"),
        ("1001_DFA_ANG_YY", "level 'YY'"),
        ("1001_DFA_ANG", "3 codes"),
        ("OAF_back_angry", "3 codes"),
    ],
)
def test_parse_refuses_other_names(stem, message):
    with pytest.raises(ValueError, match=message):
        crema_d.parse(stem)


def test_facts():
    assert sum(crema_d.EXPECTED["emotions"].values()) == crema_d.EXPECTED["clips"] == 7442
    genders = [crema_d.parse(f"{actor}_DFA_ANG_XX").gender for actor in crema_d.EXPECTED["speakers"]]
    assert (genders.count("female"), genders.count("male")) == (43, 48)


def test_the_tables_give_demographics_and_the_votes_on_voice_alone(tmp_path):
    clips = {clip.stem: clip for clip in crema_d.records(write_corpora(tmp_path)["crema_d"])}
    clip = clips["1002_DFA_HAP_XX"]
    assert (clip.age, clip.race, clip.ethnicity) == (21, "African American", "Hispanic")
    assert clip.votes == {"neutral": 4, "happy": 0, "sad": 0, "angry": 5, "fearful": 1, "disgust": 0}
    assert clips["1009_DFA_HAP_XX"].race is None


def test_the_tables_are_found_beside_the_folder_of_recordings(tmp_path):
    root = write_corpora(tmp_path)["crema_d"]
    assert crema_d.records(root / "AudioWAV") == crema_d.records(root)


def test_without_tables_their_columns_are_null_and_it_is_said(tmp_path):
    write_clip(tmp_path / "crema" / "1001_DFA_ANG_XX.wav")
    lines = []
    (clip,) = crema_d.records(tmp_path / "crema", lines.append)
    assert (clip.age, clip.race, clip.ethnicity, clip.votes) == (None, None, None, None)
    assert clip.gender == "male"
    assert len(lines) == 2 and all(crema_d.SOURCE["landing_page"] in line for line in lines)


@pytest.mark.parametrize("name", ["VideoDemographics.csv", "processedResults/tabulatedVotes.csv"])
@pytest.mark.parametrize(
    "change", [lambda text: "version https://git-lfs", lambda text: text.replace("1", "x"), lambda text: ""]
)
def test_a_table_of_another_form_is_an_error_that_names_it(tmp_path, name, change):
    write_clip(tmp_path / "1001_DFA_ANG_XX.wav")
    write_crema_d_tables(tmp_path, ["1001_DFA_ANG_XX"])
    table = tmp_path / name
    table.write_text(change(table.read_text()))
    with pytest.raises(ValueError, match=str(table)):
        crema_d.records(tmp_path)


def test_digital_silence_is_left_out_and_conflicting_pairs_are_flagged(tmp_path):
    for stem in ("1076_MTI_SAD_XX", "1076_MTI_ANG_XX", *crema_d.CONFLICTS):
        write_clip(tmp_path / f"{stem}.wav")
    lines = []
    clips = crema_d.records(tmp_path, lines.append)
    assert {clip.stem for clip in clips if clip.label_conflict} == {
        "1006_TIE_HAP_XX",
        "1006_TIE_NEU_XX",
        "1013_WSI_DIS_XX",
        "1013_WSI_SAD_XX",
        "1017_IWW_ANG_XX",
        "1017_IWW_FEA_XX",
    }
    assert [clip.stem for clip in clips if not clip.label_conflict] == ["1076_MTI_ANG_XX"]
    assert any("1076_MTI_SAD_XX" in line for line in lines)


def test_the_repositorys_mp3_copies_give_way_to_its_wav_files(tmp_path):
    wav = write_clip(tmp_path / "AudioWAV" / "1001_DFA_ANG_XX.wav")
    write_clip(tmp_path / "AudioMP3" / "1001_DFA_ANG_XX.mp3")
    only_mp3 = write_clip(tmp_path / "AudioMP3" / "1001_DFA_SAD_XX.mp3")
    assert [clip.path for clip in crema_d.records(tmp_path, lambda line: None)] == [wav, only_mp3]


def test_the_clip_that_older_copies_name_otherwise_is_the_same_clip(tmp_path):
    path = write_clip(tmp_path / "1040_ITH_SAD_X.wav")
    (clip,) = crema_d.records(tmp_path, lambda line: None)
    assert (clip.stem, clip.actor, clip.emotion, clip.path) == ("1040_ITH_SAD_XX", "1040", "sad", path)
    (tmp_path / "1040_ITH_SAD_XX.wav").write_bytes(path.read_bytes())
    assert len(crema_d.records(tmp_path, lambda line: None)) == 1
