"""The corpora by name, the configurations that they make up, and whether all of a corpus is there."""

import hashlib
from collections import Counter
from collections.abc import Collection, Sequence
from types import ModuleType

from data_scripts import crema_d, emospeech, nemo, ravdess, tess
from data_scripts.schema import Clip

CORPORA = {"ravdess": ravdess, "tess": tess, "crema_d": crema_d, "nemo": nemo, "emospeech": emospeech}
PROJECT = ("ravdess", "tess", "crema_d")  # the project's own: `all`, and what is downloaded unless more is asked for


def configurations(present: Collection[str]) -> dict[str, list[str]]:
    """Configuration -> its corpora, the default first; only those that hold something.

    ``all`` is the project's own corpora, ``extended`` the others with them, and each corpus is a configuration of its own.
    """
    found = {"all": sorted(set(present) & set(PROJECT))}
    if set(present) - set(PROJECT):
        found["extended"] = sorted(present)
    found |= {corpus: [corpus] for corpus in sorted(present)}
    return {name: corpora for name, corpora in found.items() if corpora}


def completeness(facts: ModuleType, clips: Sequence[Clip]) -> tuple[str, bool]:
    """What is there of a corpus against what it should have, in words, and whether that is all."""
    n_expected = facts.EXPECTED["clips"] - len(facts.EXCLUDED)
    open_ended = facts.EXPECTED.get("at_least", False)  # nobody has counted all that the publisher has
    actors = {clip.actor for clip in clips}
    missing = [actor for actor in facts.EXPECTED["speakers"] if actor not in actors]
    n_speakers = len(facts.EXPECTED["speakers"])
    of = "of at least" if open_ended else "of"
    count = f"{facts.NAME}: {len(clips):,} {of} {n_expected:,} clips, {len(actors)} {of} {n_speakers} speakers"
    if missing:
        return f"{count} (missing: {', '.join(missing)})", False
    if len(clips) < n_expected or (len(clips) > n_expected and not open_ended):
        per_emotion = Counter(clip.emotion for clip in clips)
        counts = [f"{emotion} {per_emotion[emotion]:,} of {n:,}" for emotion, n in facts.EXPECTED["emotions"].items()]
        return f"{count} ({', '.join(counts)})", False
    names = facts.SOURCE.get("names_fingerprint")
    if names and len(clips) == n_expected and names_fingerprint(clips) != names:
        return f"{count} (their names are not the corpus's own)", False
    return count, True


def names_fingerprint(clips: Sequence[Clip]) -> str:
    """The sha256 of the clips' names, one a line in their order: the same for every copy, whatever its format."""
    return hashlib.sha256("".join(f"{stem}\n" for stem in sorted(clip.stem for clip in clips)).encode()).hexdigest()
