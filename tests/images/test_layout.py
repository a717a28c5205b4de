from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from archatlas.errors import ArchatlasError
from archatlas.images.folders import ImageFolder, list_folder
from archatlas.images.layout import role_of


def listed(root: Path, *folders: str) -> ImageFolder:
    """What is read of ``root``, with an image in each of these folders. Nothing opens it."""
    for folder in folders:
        (root / folder).mkdir(parents=True, exist_ok=True)
        (root / folder / "1.png").touch()
    return list_folder(root)


def classes(*places: str) -> list[str]:
    """Folders of two classes in each of these places."""
    return [f"{place}/{name}" for place in places for name in ("cats", "dogs")]


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("Train", "train"),
        ("training_set", "train"),
        ("trainingSet", "train"),
        ("trainset", "train"),
        ("seg-test 2", "test"),
        ("images.val", "validation"),
        ("evaluation", "validation or test"),
        ("seg_pred", "without labels"),
        ("train_test_split", None),
        ("trainee", None),
        ("contest", None),
        ("valide", None),
        ("ütest", None),
        ("cats", None),
    ],
)
def test_words_say_what_a_folder_is(name: str, role: str | None) -> None:
    assert role_of(name) == role


def test_a_folder_around_everything_is_entered_and_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        folder = listed(tmp_path, *classes("archive/pets/train", "archive/pets/test"))
    assert folder.class_folders == ("cats", "dogs")
    assert folder.layout.splits == {"archive/pets/test": "test", "archive/pets/train": "train"}
    assert folder.layout.class_of("archive/pets/test/dogs/1.png") == "dogs"
    assert caplog.messages == [f"everything in `{tmp_path}` lies in `archive/pets`: classes are looked for there"]


def test_a_folder_around_classes_is_entered_and_what_lies_beside_it_is_in_no_class(tmp_path: Path) -> None:
    (tmp_path / "preview.png").touch()
    folder = listed(tmp_path, *classes("test_data"))
    assert (folder.layout.inside, folder.class_folders) == ("test_data", ("cats", "dogs"))
    assert folder.layout.class_of("preview.png") is None
    assert folder.layout.class_of("test_data/cats/deeper/1.png") == "cats"


def test_a_class_alone_is_not_entered(tmp_path: Path) -> None:
    assert listed(tmp_path, "cats/deep/deeper").class_folders == ("cats",)
    (tmp_path / "dogs").mkdir()  # Empty, which is said of it.
    assert listed(tmp_path, "cats/indoors", "cats/outdoors").class_folders == ("cats", "dogs")


def test_of_a_class_alone_that_holds_folders_the_folder_to_give_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArchatlasError, match=r"only one class \(`archive`\).* classes \(`cats`, `dogs`\), give that"):
        listed(tmp_path, "archive", *classes("archive"))


@pytest.mark.parametrize(
    ("folders", "splits"),
    [
        (classes("training_set/training_set", "test_set/test_set"),
         {"test_set/test_set": "test", "training_set/training_set": "train"}),
        ([*classes("seg_train/seg_train", "seg_test/seg_test"), "seg_pred/seg_pred"],
         {"seg_test/seg_test": "test", "seg_train/seg_train": "train"}),
        (classes("train", "test_images"), {"test_images": "test", "train": "train"}),
        (classes("train", "test/test"), {"test/test": "test", "train": "train"}),
        (classes("training", "validation", "evaluation"),
         {"evaluation": "test", "training": "train", "validation": "validation"}),
        ([*classes("train"), "test/cats"], {"test": "test", "train": "train"}),
        ([*classes("train"), "test/unsorted"], {"train": "train"}),
        (classes("train/train"), {"train/train": "train"}),
        (classes("train"), {"train": "train"}),
        (classes("train", "test", "test_old"), {"test": "test", "train": "train"}),
    ],
)  # fmt: skip
def test_splits_by_other_names(tmp_path: Path, folders: list[str], splits: dict[str, str]) -> None:
    folder = listed(tmp_path, *folders)
    assert folder.layout.splits == splits
    assert folder.class_folders == ("cats", "dogs")
    read = {path.rpartition("/")[0] for path in folder.images}
    left_out = {one.file.rpartition("/")[0] for one in folder.left_out}
    assert read | left_out == set(folders)
    assert left_out == {name for name in folders if not name.startswith(tuple(f"{split}/" for split in splits))}


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        (["train_images", "test_images"], r"only the folders `test_images`, `train_images`, and no training folder"),
        (["train_images", "test_images", "masks"], r"called like splits .*`test_images`, `train_images`.* `masks`"),
        (classes("train", "val_a", "val_b"), r"each of `val_a`, `val_b` in .* may be the validation split: leave one"),
        (classes("trainingSet", "trainingSample", "testSet"), r"each of `trainingSample`, `trainingSet` .* call one"),
        (classes("train", "eval"), r"`eval` in .* may be for validation or for the test: rename it to `validation` or"),
        (classes("val", "test"), r"only the folders `test`, `val`, and no training folder"),
    ],
)  # fmt: skip
def test_what_may_be_splits_or_classes_is_refused(tmp_path: Path, folders: list[str], message: str) -> None:
    with pytest.raises(ArchatlasError, match=message):
        listed(tmp_path, *folders)


@pytest.mark.parametrize(
    "names", [["car", "plane", "train"], ["train", "car"], ["test_tube", "flask"], ["valid", "invalid"]]
)
def test_a_class_may_be_called_like_a_split(tmp_path: Path, caplog: pytest.LogCaptureFixture, names: list[str]) -> None:
    assert listed(tmp_path, *names).class_folders == tuple(sorted(names))
    assert not caplog.messages


def test_classes_that_are_all_called_like_one_split_are_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert listed(tmp_path, "test_positive", "test_negative").class_folders == ("test_negative", "test_positive")
    assert caplog.messages == [
        "`test_negative`, `test_positive` are taken for classes, though they are called like splits"
    ]


def test_splits_below_classes_are_not_kept_without_a_word(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folders = [f"{name}/{split}" for name in ("cats", "dogs") for split in ("train", "test")]
    assert listed(tmp_path, *folders).class_folders == ("cats", "dogs")
    (said,) = caplog.messages
    assert said.startswith("every class folder holds `test`, `train`, which are not taken for splits")


def test_classes_below_other_folders_are_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    listed(tmp_path, *classes("colour", "grey"), "colour/foxes")
    (said,) = caplog.messages
    assert said.startswith("every class folder holds `cats`, `dogs`, and all in a class folder is of that class")
    caplog.clear()
    listed(tmp_path, "plain")  # One without such folders: they are no classes.
    assert not caplog.messages


def test_metadata_files_say_what_classes_are_and_whole_names_which_folders_are_splits(tmp_path: Path) -> None:
    for split in ("train", "test", "train_more"):
        (tmp_path / "archive" / split).mkdir(parents=True)
        (tmp_path / "archive" / split / "metadata.csv").touch()
    folder = listed(tmp_path, "archive/train", "archive/test", "archive/train_more")
    assert folder.layout.splits == {"archive/test": "test", "archive/train": "train"}
    assert folder.metadata == ("archive/test/metadata.csv", "archive/train/metadata.csv")
    assert sorted(folder.metadata_files()) == ["test", "train"]
    (tmp_path / "metadata.csv").touch()  # It names what is in the archive.
    assert list_folder(tmp_path).layout.inside == ""


def test_hidden_folders_with_images_are_named_with_how_many(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(7):
        (tmp_path / "__other").mkdir(exist_ok=True)
        (tmp_path / "__other" / f"{number}.png").touch()
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "__MACOSX" / "._1.png").touch()
    folder = listed(tmp_path, "cats", "dogs", "dogs/.cache")
    assert folder.class_folders == ("cats", "dogs")
    passed_over: dict[str, Any] = {one.file: one.class_name for one in folder.left_out}
    assert passed_over == {**{f"__other/{number}.png": "" for number in range(7)}, "dogs/.cache/1.png": "dogs"}
    assert caplog.messages[0].startswith("7 image files left out: `__other/0.png`")
    assert caplog.messages[0].endswith("and 2 more (the folder `__other` is passed over for its name: rename it if it "
                                       "is to be read)")  # fmt: skip
