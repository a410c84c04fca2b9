"""Which recordings an argument names."""

import shutil

import pytest

from modeling.recordings import find_audio


def test_what_a_path_names(recordings):
    names = ["clips/B.FLAC", "clips/a.wav", "clips/deep/c.ogg"]
    assert [str(path) for path in find_audio("clips")] == names
    assert [str(path) for path in find_audio("clips/a.wav")] == names[1:2]
    assert [str(path) for path in find_audio("clips/*.wav")] == names[1:2]
    assert [str(path) for path in find_audio("clips/**/*.ogg")] == names[2:]
    assert [str(path) for path in find_audio("cl*")] == names
    assert [str(path) for path in find_audio("clips/notes.txt")] == ["clips/notes.txt"]
    shutil.copy("clips/a.wav", "clips/take [1].wav")
    assert [str(path) for path in find_audio("clips/take [1].wav")] == ["clips/take [1].wav"]


@pytest.mark.parametrize(
    ("argument", "fact"),
    [("clips/*.mp3", "nothing matches"), ("absent.wav", "there is no file"), ("empty", "no audio in empty")],
)
def test_path_that_names_nothing(recordings, argument, fact):
    (recordings / "empty").mkdir()
    with pytest.raises(ValueError, match=fact):
        find_audio(argument)
