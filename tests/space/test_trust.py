"""The line beside an answer: out of the checkpoint's own files, and nothing where they do not say."""

from checkpoint import Record
from hearing import Answer
from trust import calibration, worth

from tests.space.made_up import evaluation, study


def said(probability: float, unlikeness: float | None = None, **known) -> str:
    record = Record(**({"evaluation": evaluation(), "study": study()} | known))
    return worth(record, Answer({"sad": probability, "happy": 1 - probability}, 0.7, unlikeness=unlikeness))


def test_it_says_how_often_such_an_answer_is_right_and_what_to_expect_elsewhere():
    assert "Of 500 clips with answers as sure as this one" in said(0.9) and "93 in 100" in said(0.9)
    assert "Of 60 clips" in said(0.55) and "41 in 100" in said(0.55)
    assert "named 44 to 55 in 100 right where it was sure." in said(0.9)
    assert "named 24 to 35 in 100 right." in said(0.55)


def test_it_says_what_was_measured_on_sounds_like_this_one():
    assert "93 in 100" in said(0.9, unlikeness=0.8) and "elsewhere" in said(0.9, unlikeness=0.8)
    assert "93 in 100" not in said(0.9, unlikeness=1.2) and "elsewhere" in said(0.9, unlikeness=1.2)


def test_it_says_nothing_that_nobody_measured():
    assert said(0.9, evaluation=None, study={}) == ""
    assert "answers as sure" not in said(0.9, evaluation=evaluation() | {"synthetic": True})
    assert "answers as sure" not in said(0.9, evaluation=evaluation() | {"unseen_speakers": False})
    assert "elsewhere" not in said(0.9, study={})


def test_calibration_is_of_clips_that_did_not_choose_the_temperature():
    assert calibration(study()) == 0.08
    assert calibration({"protocols": study()["protocols"]}) == 0.08
    assert calibration({}) is None
