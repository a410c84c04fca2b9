"""The terms of a result, which several processes settle at the same moment."""

import json

import pytest

from modeling.annotation.output import Folder
from modeling.annotation.terms import FILE, agree

TERMS = {"source": {"name": "clips", "files": "3 files"}, "model": {"fingerprint": "a"}, "settings": {}, "command": "x"}


class Hurried(Folder):
    """A folder to which another process writes its terms right after one looks into it."""

    def names(self) -> set[str]:
        found = super().names()
        (self.path / FILE).write_text(json.dumps(TERMS))
        return found


def test_who_comes_second_by_a_moment_takes_the_terms_for_no_strangers(tmp_path):
    assert agree(Hurried(tmp_path), TERMS) == TERMS
    assert agree(Folder(tmp_path), TERMS | {"command": "another"}) == TERMS


def test_other_terms_and_other_files_are_refused(tmp_path):
    agree(Folder(tmp_path), TERMS)
    with pytest.raises(ValueError, match="model.fingerprint: a there, b here"):
        agree(Folder(tmp_path), TERMS | {"model": {"fingerprint": "b"}})
    (tmp_path / FILE).rename(tmp_path / "letter.txt")
    with pytest.raises(ValueError, match="something else than a result of this command .letter.txt."):
        agree(Folder(tmp_path), TERMS)
