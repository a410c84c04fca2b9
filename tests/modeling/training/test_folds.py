"""Which clips are trained on, which choose, and which are reported on, by every protocol."""

import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

from modeling.training.data import DataArguments
from modeling.training.evaluation import hears_new_voices
from modeling.training.folds import make_folds


def dataset(n_speakers=10, corpora=("a", "b"), splits=("train", "validation")) -> DatasetDict:
    """Undecoded clips: four labels and eight clips a speaker; corpus b has no label 3."""
    features = Features(
        {name: Value("string") for name in ("audio", "speaker_id", "corpus")}
        | {"emotion": ClassLabel(names=["neutral", "happy", "sad", "calm"])}
    )
    rows = {split: [] for split in splits}
    for number in range(n_speakers):
        corpus = corpora[number % len(corpora)]
        split = splits[-1] if number >= n_speakers - 2 else splits[0]
        for clip in range(8):
            label = clip % (4 if corpus == "a" else 3)
            row = {"audio": f"{number}-{clip}", "speaker_id": f"speaker_{number}", "corpus": corpus, "emotion": label}
            rows[split].append(row)
    return DatasetDict({split: Dataset.from_list(found, features=features) for split, found in rows.items()})


def arguments(**options) -> DataArguments:
    return DataArguments(**{"dataset_name": "made up", "speaker_column_name": "speaker_id"} | options)


def speakers(split) -> set:
    return set(split["speaker_id"])


def test_official_splits_are_taken_as_they_are():
    splits = dataset()
    (fold,) = make_folds(splits, arguments(), seed=0)
    assert (len(fold.train), len(fold.validation)) == (64, 16)
    assert fold.evaluation is fold.validation


def test_clips_with_conflicting_labels_are_reported_on_but_not_trained_on():
    splits = dataset()
    for name, split in splits.items():
        splits[name] = split.add_column("label_conflict", [True, None, *[False] * (len(split) - 2)])
    for options in ({}, {"leave_out": "b"}, {"split_by": "file"}):
        (fold,) = make_folds(splits, arguments(**options), seed=0)
        assert not any(fold.train["label_conflict"]) and None in fold.train["label_conflict"]
        assert any([*fold.validation["label_conflict"], *fold.evaluation["label_conflict"]])


def test_missing_split_is_an_error_that_names_those_there_are():
    with pytest.raises(ValueError, match=r"no split 'test'.*train, validation"):
        make_folds(dataset(), arguments(eval_split_name="test"), seed=0)


def test_folds_by_speaker_hold_every_speaker_out_once_and_never_choose_on_the_reported_voice():
    folds = make_folds(dataset(), arguments(split_by="speaker", folds=5), seed=0)
    held_out = [speaker for fold in folds for speaker in speakers(fold.evaluation)]
    assert sorted(held_out) == sorted(f"speaker_{number}" for number in range(10))
    for fold in folds:
        parts = [speakers(part) for part in (fold.train, fold.validation, fold.evaluation)]
        assert sum(len(part) for part in parts) == len(set.union(*parts)) == 10


def test_a_speaker_of_many_clips_takes_no_other_corpus_place_in_a_fold():
    splits = dataset(n_speakers=22)
    rows = [row | {"audio": f"{copy} {row['audio']}"} for row in splits["validation"] for copy in range(10)]
    talkative = [row | {"corpus": "c", "speaker_id": "talkative"} for row in rows]
    splits["train"] = Dataset.from_list([*splits["train"], *talkative], features=splits["train"].features)
    for fold in make_folds(splits, arguments(split_by="speaker", folds=5), seed=0):
        assert 4 <= len(speakers(fold.evaluation) - {"talkative"}) <= 5


def test_test_speakers_stay_out_of_other_protocols():
    splits = dataset(splits=("train", "test"))
    for protocol in ("speaker", "file"):
        (fold,) = make_folds(splits, arguments(split_by=protocol), seed=0)
        used = speakers(fold.train) | speakers(fold.validation) | speakers(fold.evaluation)
        assert used == speakers(splits["train"])


def test_split_by_file_shares_voices_but_no_clip():
    (fold,) = make_folds(dataset(), arguments(split_by="file"), seed=0)
    assert speakers(fold.evaluation) <= speakers(fold.train)
    assert not set(fold.train["audio"]) & set(fold.evaluation["audio"])


def test_left_out_corpus_is_neither_trained_on_nor_chosen_on():
    (fold,) = make_folds(dataset(), arguments(leave_out="b"), seed=0)
    assert set(fold.train["corpus"]) == set(fold.validation["corpus"]) == {"a"}
    assert set(fold.evaluation["corpus"]) == {"b"} and len(fold.evaluation) == 40
    with pytest.raises(ValueError, match="--leave_out c.*a, b"):
        make_folds(dataset(), arguments(leave_out="c"), seed=0)


def test_without_validation_split_speakers_are_held_out():
    splits = DatasetDict(train=dataset()["train"])
    (fold,) = make_folds(splits, arguments(), seed=0)
    assert speakers(fold.train).isdisjoint(speakers(fold.validation)) and len(fold.validation)


def test_without_speakers_the_shared_voices_are_said(capsys):
    splits = DatasetDict(train=dataset()["train"].remove_columns("speaker_id"))
    (fold,) = make_folds(splits, arguments(speaker_column_name=None), seed=0)
    assert "Voices are shared" in capsys.readouterr().out
    assert sorted(set(fold.validation["emotion"])) == [0, 1, 2, 3]  # stratified


def test_one_speaker_cannot_be_split_by_speaker():
    splits = DatasetDict(train=dataset(n_speakers=1, splits=("train",))["train"])
    with pytest.raises(ValueError, match="only speaker is speaker_0"):
        make_folds(splits, arguments(), seed=0)


def test_more_folds_than_speakers_are_an_error():
    with pytest.raises(ValueError, match="--folds 11: the speakers and clips make 10 parts"):
        make_folds(dataset(), arguments(split_by="speaker", folds=11), seed=0)
    with pytest.raises(ValueError, match="make 2 parts, but 3 are needed"):
        make_folds(dataset(n_speakers=2, splits=("train",)), arguments(split_by="speaker"), seed=0)


def own(labels: list[int], speakers: list[str | None]) -> DatasetDict:
    features = Features({"emotion": ClassLabel(names=["a", "b"]), "speaker_id": Value("string")})
    return DatasetDict(train=Dataset.from_dict({"emotion": labels, "speaker_id": speakers}, features=features))


def test_a_null_is_nobodys_voice():
    """With and without a validation split; and what is unknown is not called unheard."""
    splits = own([0, 1] * 10, (["anna", "ben", None, "cleo"] * 5))
    arguments = DataArguments(dataset_name="x", speaker_column_name="speaker_id")
    (fold,) = make_folds(splits, arguments, seed=0)
    known = [{name for name in part["speaker_id"] if name} for part in (fold.train, fold.validation)]
    assert not known[0] & known[1] and len(fold.train) + len(fold.validation) == 20
    assert not hears_new_voices(fold, "speaker_id")
    (fold,) = make_folds(
        DatasetDict(train=splits["train"], validation=splits["train"].select([0, 1])), arguments, seed=0
    )
    assert len(fold.validation) == 2


@pytest.mark.parametrize("speakers", [None, "speaker_id"])
def test_few_clips_of_a_class_are_enough_or_refused_in_words(speakers):
    arguments = DataArguments(dataset_name="x", speaker_column_name=speakers)
    (fold,) = make_folds(own([0, 0, 1, 1], ["anna", "ben", "anna", "ben"]), arguments, seed=0)
    assert set(fold.train["emotion"]) == set(fold.validation["emotion"]) == {0, 1}
    with pytest.raises(ValueError, match="The class b has 1 clip, but 2 are needed"):
        make_folds(own([0, 0, 0, 1], ["anna", "ben", "anna", "ben"]), arguments, seed=0)
