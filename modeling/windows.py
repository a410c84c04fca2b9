"""Windows over a recording that is read as a stream, so that its length does not matter."""

from collections.abc import Iterable, Iterator

import numpy as np


def windows(pieces: Iterable[np.ndarray], length: int, hop: int) -> Iterator[tuple[int, np.ndarray]]:
    """The windows of `MelCNNForAudioClassification.timeline`, of which one is held at a time, with the piece that it ends in.

    Args:
        pieces: Consecutive samples, `(n_samples,)` each, of any number.
        length: Of a window, samples.
        hop: From the start of one window to the next, samples.

    Yields:
        The number of a window's first sample, and its samples. The last window ends with the recording; a recording that is
        shorter than a window is one window.
    """
    held, first = np.empty(0, np.float32), 0  # the samples from number `first` on
    start = 0
    for piece in pieces:
        held = np.concatenate([held, piece])
        end = first + len(held)
        while start + length <= end:
            yield start, held[start - first : start - first + length]
            start += hop
        # The last window may begin before the next one would.
        n_passed = max(min(start, end - length) - first, 0)
        held, first = held[n_passed:], first + n_passed
    end = first + len(held)
    if 0 < end < length:
        yield 0, held
    elif start - hop + length < end:
        yield end - length, held[-length:]
