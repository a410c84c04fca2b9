"""The engine: the same answers in the same order, wherever decoding and hearing happen."""

import numpy as np
import pytest
import soundfile
import torch

from modeling import engine
from modeling.engine import listen, n_processors
from modeling.feature_extraction_mel_cnn import MelCNNFeatureExtractor
from modeling.listener import Listener
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


def test_processes_of_a_launcher_share_the_cores(monkeypatch):
    monkeypatch.setattr(engine.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert n_processors() == 8
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "3")
    assert n_processors() == 2
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "16")
    assert n_processors() == 1
