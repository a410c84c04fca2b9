"""A dataset on the Hub as the place of a result: what is not there, and a network that breaks off."""

from unittest.mock import Mock

import pytest
from huggingface_hub.errors import HTTPError

from data_scripts import staging
from modeling.annotation.output import HubDataset, read_text


@pytest.fixture
def output(hub_with_cache, tmp_path, monkeypatch) -> HubDataset:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(staging.tempfile, "tempdir", str(tmp_path / "temporary"))
    return HubDataset("alice/emotions")


def test_what_is_written_can_be_read_after_the_commit(output):
    assert read_text(output, "annotation.json") is None
    with output.writing("annotation.json") as path:
        path.write_text("{}")
    assert output.folder in path.parents and output.folder.stat().st_mode & 0o077 == 0
    output.flush()
    assert "annotation.json" in output.names()
    assert read_text(output, "annotation.json") == "{}" and not list(output.folder.iterdir())


def test_a_network_that_breaks_off_is_said_in_a_line(output, monkeypatch):
    monkeypatch.setattr(output.files, "open", Mock(side_effect=HTTPError("no route to host")))
    with pytest.raises(ValueError, match=r"broke off \(HTTPError: no route to host\); check the network and run again"):
        read_text(output, "annotation.json")
