"""Fixtures of the downloads."""

import pytest

from tests.miniature_corpora import write_corpora, write_more_corpora
from tests.publishers import serving


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    """Corpus -> its folder, as its publisher has it."""
    folder = tmp_path_factory.mktemp("raw")
    return write_corpora(folder) | write_more_corpora(folder)


@pytest.fixture
def publishers(published, monkeypatch):
    """Their servers."""
    with serving(published, monkeypatch) as publishers:
        yield publishers
