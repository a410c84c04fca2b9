"""The engine: the same answers in the same order, wherever decoding and hearing happen."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile
import torch

from modeling import engine
from modeling.engine import listen, n_processors
from modeling.feature_extraction_mel_cnn import MelCNNFeatureExtractor
from modeling.listener import Listener
from tests.modeling.tiny import tiny_model, voice

ROOT = Path(__file__).parents[2]


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


def test_a_timeline_is_decoded_by_who_hears_it(chunks):
    """Wherever the network computes: a recording of any length is not handed over."""
    listener = Listener(tiny_model(), MelCNNFeatureExtractor(), window=0.1)
    ((_, by_worker),) = listen(chunks[:1], listener, n_workers=1)
    ((_, here),) = listen(chunks[:1], listener, n_workers=1, hear_in_workers=False)
    for one, other in zip(by_worker, here, strict=True):
        assert one.problem == other.problem
        np.testing.assert_array_equal(one.probabilities, other.probabilities)


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


@pytest.mark.slow
def test_workers_end_with_a_process_that_is_killed():
    """Though nobody takes their answers, of which the pipe between them holds few."""
    code = """
import sys, time
from modeling.engine import listen
from modeling.listener import Listener
from modeling.feature_extraction_mel_cnn import MelCNNFeatureExtractor
from tests.modeling.tiny import tiny_model
chunks = ((None, [{"bytes": b"", "path": 99 * "x"}] * 4_000) for _ in range(9))
for _ in listen(chunks, Listener(tiny_model(), MelCNNFeatureExtractor()), n_workers=2):
    print(flush=True)
    time.sleep(99)
"""
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE)
    process.stdout.readline()
    time.sleep(1)  # they have more to say than is taken
    workers = psutil.Process(process.pid).children()
    process.kill()
    process.wait()
    process.stdout.close()
    _, alive = psutil.wait_procs(workers, timeout=60)
    for worker in alive:
        worker.kill()
    assert len(workers) == 2 and not alive
