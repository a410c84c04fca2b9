"""What a refusal must not hold: a library's words, a place in its source, an address, a traceback."""

import re

FOREIGN = re.compile(
    r"Traceback|site-packages|\b0x[0-9a-f]{6,}|object at|/src/|\.(c|cc|cpp|h):\d|https?://(127|localhost)|libsndfile|soundfile\."
    r"|torchcodec|pyarrow|\bArrow[A-Z]|Safetensor|StrictDataclass|n_splits|\btensor\(|\[Errno|dtype="
)


def assert_plain(message: str) -> None:
    """One fact and its remedy, in words of the user's, for each line."""
    assert message.strip() and not FOREIGN.search(message), message
