"""The engine: the same answers in the same order, wherever decoding and hearing happen."""

import numpy as np
import pytest
import soundfile
import torch

from modeling import engine
from modeling.engine import Listener, listen, n_processors
from modeling.feature_extraction_mel_cnn import MelCNNFeatureExtractor
from tests.modeling.tiny import tiny_model, voice


@pytest.fixture(scope="module")
def chunks(tmp_path_factory) -> list[tuple[int, list]]:
    """Seven chunks of a path, a file's content, a row without content, and what cannot be read."""
    folder = tmp_path_factory.mktemp("clips")
    made = []
    for number in range(7):
        paths = [folder / f"{number}-{part}.wav" for part in range(3)]
        for part, path in enumerate(paths):
            soundfile.write(path, voice(0.1 + 0.1 * part + 0.05 * number, seed=3 * number + part), 16_000)
        rows = [
            paths[0],
            paths[1].read_bytes(),
            {"bytes": None, "path": str(paths[2])},
            {"bytes": b"", "path": "none.wav"},
        ]
        made.append((number, rows))
    return made


def answers(chunks, **options) -> list[tuple]:
    listener = Listener(tiny_model(), MelCNNFeatureExtractor(), embeddings=True)
    return [
        (payload, [(one.problem, one.duration, one.probabilities, one.embedding) for one in heard])
        for payload, heard in listen(chunks, listener, **options)
    ]


def test_answers_are_the_same_wherever_they_are_made(chunks):
    torch.set_num_threads(1)
    expected = answers(chunks, n_workers=0)
    assert [payload for payload, _ in expected] == list(range(7))
    (*_, (problem, duration, _, _)) = expected[0][1]
    assert "none.wav" in problem and duration is None
    assert [one[1] for one in expected[0][1][:3]] == pytest.approx([0.1, 0.2, 0.3])
    for options in (
        {"n_workers": 2},
        {"n_workers": 2, "hear_in_workers": False},
        {"n_workers": 0, "hear_in_workers": False},
    ):
        for (payload, found), (number, wanted) in zip(answers(chunks, **options), expected, strict=True):
            assert payload == number
            for one, other in zip(found, wanted, strict=True):
                assert one[:2] == other[:2]
                np.testing.assert_array_equal(one[2], other[2])
                np.testing.assert_array_equal(one[3], other[3])


def test_chunks_are_read_as_they_are_needed(chunks):
    read = []

    def watched():
        for chunk in chunks:
            read.append(chunk[0])
            yield chunk

    listener = Listener(tiny_model(), MelCNNFeatureExtractor())
    next(listen(watched(), listener, n_workers=1))
    assert len(read) <= 1 + engine.AHEAD + 1


def test_a_timeline_is_that_of_the_model(chunks):
    model = tiny_model()
    listener = Listener(model, MelCNNFeatureExtractor(), window=0.2, hop=0.1)
    ((_, (heard, *_)),) = listen([(None, [chunks[6][1][0]])], listener, n_workers=1)
    spans, probabilities = model.timeline(soundfile.read(chunks[6][1][0], dtype="float32")[0], 0.2, 0.1)
    np.testing.assert_allclose(heard.spans, spans)
    np.testing.assert_allclose(heard.probabilities, probabilities, atol=1e-6)


def test_what_bfloat16_leaves_open_is_heard_again(monkeypatch, chunks):
    model, extractor = tiny_model(), MelCNNFeatureExtractor()
    precise = Listener(model, extractor).hear([voice(0.5)])[0].probabilities
    assert (
        np.abs(Listener(model, extractor, dtype=torch.bfloat16).hear([voice(0.5)])[0].probabilities - precise).max()
        < 0.02
    )
    monkeypatch.setattr(engine, "ROUNDING", 1.0)  # everything is open
    again = Listener(model, extractor, dtype=torch.bfloat16).hear([voice(0.5)])[0].probabilities
    np.testing.assert_array_equal(again, precise)


def test_processes_of_a_launcher_share_the_cores(monkeypatch):
    monkeypatch.setattr(engine.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert n_processors() == 8
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "3")
    assert n_processors() == 2
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "16")
    assert n_processors() == 1


def test_how_unlike_a_clip_is_where_the_model_knows():
    model, clip = tiny_model(), voice(0.5)
    assert Listener(model, MelCNNFeatureExtractor()).hear([clip])[0].unlikeness is None
    size = len(model.mel_cnn.unlikeness.mean)
    model.mel_cnn.unlikeness.fit(torch.zeros(size), torch.eye(size))
    expected = model(torch.from_numpy(clip)[None]).unlikeness.item()
    assert Listener(model, MelCNNFeatureExtractor()).hear([clip])[0].unlikeness == pytest.approx(expected) != 0


def test_a_problem_names_the_recording_and_never_shows_its_content(tmp_path):
    path = tmp_path / "silent.wav"
    soundfile.write(path, np.zeros(8_000), 16_000)
    content = path.read_bytes()
    sources = [str(path), content, {"bytes": content, "path": "a/b.wav"}, {"bytes": content, "path": None}]
    found = list(Listener(None, MelCNNFeatureExtractor()).decode(sources))
    names = [str(path), "the recording", "b.wav", "the recording"]
    assert [problem.split(" holds only silence")[0] for problem in found] == names
