from types import SimpleNamespace

import pytest

from data_scripts.corpora import CORPORA, completeness, configurations, names_fingerprint
from data_scripts.schema import EMOTIONS, Clip


@pytest.mark.parametrize("corpus", CORPORA)
def test_every_file_of_facts_has_the_same_names(corpus):
    facts = CORPORA[corpus]
    assert facts.NAME and facts.CITATION.startswith("@") and facts.__doc__
    assert {"landing_page", "license", "license_url", "n_bytes", "fingerprint"} <= set(facts.SOURCE)
    assert set(facts.EXPECTED["emotions"]) <= set(EMOTIONS)
    assert callable(facts.parse) and callable(facts.records)


@pytest.mark.parametrize("corpus", ["nemo", "emospeech"])
def test_the_archive_is_that_of_one_commit(corpus):
    (file,) = CORPORA[corpus].SOURCE["files"].values()
    owner, commit = file["url"].removeprefix("https://github.com/").removesuffix(".zip").split("/archive/")
    assert CORPORA[corpus].SOURCE["landing_page"] == f"https://github.com/{owner}"
    assert len(commit) == 40 and set(commit) <= set("0123456789abcdef")


def test_all_is_the_projects_three_and_extended_holds_the_others_too():
    five = configurations(CORPORA)
    assert list(five)[:2] == ["all", "extended"]
    assert five["all"] == ["crema_d", "ravdess", "tess"] and five["extended"] == sorted(CORPORA)
    assert configurations(["tess", "crema_d"]) == {
        "all": ["crema_d", "tess"],
        "crema_d": ["crema_d"],
        "tess": ["tess"],
    }
    assert configurations(["nemo"]) == {"extended": ["nemo"], "nemo": ["nemo"]}


def facts_of(names: list[str], **expected) -> SimpleNamespace:
    return SimpleNamespace(
        NAME="Corpus",
        EXCLUDED={},
        EXPECTED={"clips": len(names), "speakers": ("a",), "emotions": {"sad": len(names)}} | expected,
        SOURCE={"names_fingerprint": names_fingerprint(clips_of(names))},
    )


def clips_of(names: list[str]) -> list[Clip]:
    return [Clip("corpus", name, "a", "sad") for name in names]


@pytest.mark.parametrize(
    "names, at_least, complete, words",
    [
        (["x", "y"], False, True, "2 of 2 clips, 1 of 1 speakers"),
        (["y", "x"], False, True, "2 of 2 clips"),
        (["x"], False, False, "1 of 2 clips"),
        (["x", "y", "z"], False, False, "3 of 2 clips"),
        (["x", "z"], False, False, "names are not the corpus's own"),
        (["x", "y"], True, True, "2 of at least 2 clips, 1 of at least 1 speakers"),
        (["x", "y", "z"], True, True, "3 of at least 2 clips"),
        (["x"], True, False, "1 of at least 2 clips"),
        (["x", "z"], True, False, "names are not the corpus's own"),
    ],
)
def test_completeness(names, at_least, complete, words):
    facts = facts_of(["x", "y"], at_least=at_least)
    count, found = completeness(facts, clips_of(names))
    assert found == complete and words in count
