"""What the page claims of a checkpoint: no more than its evaluation and its card say."""

import copy
import json
import re
from dataclasses import replace

import about
import pytest
from hearing import Listener

from modeling.predict import CHECKPOINT
from tests.space.made_up import evaluation

CORPORA = ("CREMA-D", "RAVDESS", "TESS")


@pytest.fixture
def claims(listener):
    """The words of the page for a checkpoint of which other things are known."""

    def claims(**known) -> str:
        other = copy.copy(listener)
        other.record = replace(listener.record, **known)
        return words(about.page(other))

    return claims


def words(page: str) -> str:
    return " ".join(re.sub("<[^>]+>", " ", page).split())


def trained_on(*corpora: str) -> dict:
    return evaluation() | {"trained_on": {corpus: {"n_clips": 1400, "n_speakers": 1} for corpus in corpora}}


@pytest.mark.parametrize("corpora", [["crema_d"], ["ravdess", "crema_d"], ["ravdess", "tess"]])
def test_the_corpora_that_it_was_trained_on_are_named(claims, corpora):
    page = claims(evaluation=trained_on(*corpora))
    origin = page.split("How good it is")[0]
    assert {name for name in CORPORA if name in origin} == {about.CORPORA[corpus][0] for corpus in corpora}
    assert "trained on acted speech in English" in origin and origin.count("(1,400 clips of 1 speaker)") == len(corpora)


def test_own_data_are_not_said_to_be_acted(claims):
    for own in (evaluation(), trained_on(""), trained_on("calls"), trained_on("calls", "ravdess"), None):
        assert "acted speech" not in claims(evaluation=own)


def test_what_the_figures_are_of_is_said(claims):
    page = claims(evaluation=evaluation() | {"dataset": "you/voices", "protocol": "trained without tess, tested on it"})
    assert "measured on you/voices, trained without tess, tested on it: 760 clips" in page
    assert "synthetic voices : a demonstration" in claims(evaluation=evaluation() | {"synthetic": True})


def test_what_to_expect_comes_before_what_flatters(claims):
    page = claims()
    order = [
        page.index(words)
        for words in ("Whole corpora unheard", "Speakers unheard, by folds", "Test speakers", "Among the emotions of")
    ]
    assert order == sorted(order)
    assert "35.0% [30%, 40%]" in page and "24.0% [19%, 29%]" in page and "57.0%" in page
    assert "chose the temperature and the threshold, so they flatter" in page
    assert "off by 8.0% on average, measured on clips that chose nothing" in page
    assert "which chose the temperature, which flatters" not in page
    assert "chose the temperature, which flatters" in claims(study={})
    assert "off by 4.3% on average, measured on clips that chose nothing" in claims(
        evaluation=evaluation() | {"split": "test", "protocol": "test split"}
    )


def test_behind_each_bar_stand_its_clips_and_nothing_is_said_of_the_trainers_folders(claims):
    page = claims()
    assert "angry (100 clips)" in page
    assert "build/corpus" not in page and "its validation split: 760 clips" in page


def test_what_its_card_says_of_training_and_licence_is_passed_on_by_name(claims):
    page = claims(
        datasets=["alice/voices", "bob/calls"], licences=["odbl"], terms="Ask <Alice> first; cc-by-nc-sa-4.0."
    )
    assert "By its card it was trained on alice/voices , bob/calls ." in page
    assert "This checkpoint: ODbL 1.0 . Ask &lt;Alice&gt; first; CC BY-NC-SA 4.0 . The code of this page" in page


def test_the_page_of_the_checkpoint_of_this_repository():
    listener = Listener(str(CHECKPOINT))
    page, figures = words(about.page(listener)), json.loads((CHECKPOINT / "evaluation.json").read_text())
    assert f"{figures['all']['own_labels']['accuracy']:.1%}" in page
    assert all(about.CORPORA[corpus][0] in page for corpus in figures["trained_on"])
    assert "trained on acted speech in English" in page
    assert "build/" not in page
    html = about.page(listener)
    assert "https://creativecommons.org/licenses/by-nc-sa/4.0/" in html and "cc-by-nc" not in words(html)
