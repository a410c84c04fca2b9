"""Windows over a stream are those over the whole."""

import numpy as np
import pytest

from modeling.windows import windows


@pytest.mark.parametrize(("length", "hop"), [(10, 10), (10, 3), (10, 25), (1, 1), (7, 1)])
def test_windows_do_not_depend_on_the_pieces(length, hop):
    generator = np.random.default_rng(0)
    for n_samples in (1, 5, 9, 10, 11, 20, 34, 35, 36, 100):
        samples = np.arange(n_samples, dtype=np.float32)
        for _ in range(5):
            pieces = np.split(samples, sorted(generator.integers(0, n_samples + 1, generator.integers(0, 6))))
            found = [(start, window.tolist()) for start, window in windows(pieces, length, hop)]
            last = max(n_samples - length, 0)
            starts = [min(number * hop, last) for number in range(-(-last // hop) + 1)]
            assert found == [(start, samples[start : start + length].tolist()) for start in starts]


def test_no_samples_have_no_windows():
    assert list(windows([], 10, 10)) == list(windows([np.empty(0, np.float32)], 10, 10)) == []
