from __future__ import annotations

import io
import logging
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from archatlas.errors import ArchatlasError
from archatlas.images.parameters import ImagesParameters
from archatlas.images.preparing import PreparedImages, channel_statistics, prepare
from archatlas.storage import large_arrays

from ..deep_images import deep_png


def picture(number: int, *, size: tuple[int, int] = (6, 6), mode: str = "L") -> Image.Image:
    """An image of its own for every number."""
    values = np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(values).convert(mode)


def save(folder: Path, numbers: range, name: str = "{}.png", **options: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        picture(number, **options).save(folder / name.format(number))


def read(path: Path, seed: int = 0, **options: Any) -> PreparedImages:
    options = {"source": "folder", "path": str(path), "image_size": 6, **options}
    return prepare(ImagesParameters.model_validate(options), seed)


def sizes(prepared: PreparedImages) -> tuple[int, int, int]:
    return len(prepared.train), len(prepared.validation), len(prepared.test)


def numbers_of(split: Any, among: range) -> set[int]:
    """Which of the pictures are in a split."""
    known = {np.asarray(picture(number)).tobytes(): number for number in among}
    return {known[image.numpy().tobytes()] for image in split.images}


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Eight cats (0..7) and twelve dogs (8..19), grey, 6 x 6."""
    save(tmp_path / "pets" / "cat", range(8))
    save(tmp_path / "pets" / "dog", range(8, 20))
    return tmp_path / "pets"


# --- folders


def test_a_folder_per_class(pets: Path):
    (pets / "notes.txt").write_text("no image")
    (pets / "dog" / "Thumbs.db").write_text("no image")
    (pets / ".hidden").mkdir()
    (pets / ".hidden" / "x.png").write_text("no image")
    prepared = read(pets)
    assert prepared.description.class_names == ("cat", "dog")
    assert prepared.description.input_shape == (1, 6, 6)
    assert prepared.description.source == "folder pets"
    assert sizes(prepared) == (10, 5, 5)
    assert prepared.class_counts["images"].tolist() == [4, 6, 2, 3, 2, 3]
    everything = [numbers_of(split, range(20)) for split in (prepared.train, prepared.validation, prepared.test)]
    assert set.union(*everything) == set(range(20))
    for split in (prepared.train, prepared.validation, prepared.test):
        labels = [int(number >= 8) for number in range(20) if number in numbers_of(split, range(20))]
        assert sorted(split.labels.tolist()) == labels


def test_the_seed_alone_decides(pets: Path, tmp_path: Path):
    copied = tmp_path / "copied"
    for folder in ("dog", "cat"):  # laid down in another order
        (copied / folder).mkdir(parents=True)
        for file in sorted((pets / folder).iterdir(), reverse=True):
            shutil.copy(file, copied / folder)
    first, second, other = read(pets), read(copied), read(pets, seed=1)
    assert torch.equal(first.train.images, second.train.images)
    assert torch.equal(first.test.labels, second.test.labels)
    assert not torch.equal(first.train.images, other.train.images)


def test_given_folders_are_respected(tmp_path: Path):
    for start, split in enumerate(("train", "valid", "test")):
        save(tmp_path / split / "cat", range(10 * start, 10 * start + 4))
        save(tmp_path / split / "dog", range(10 * start + 5, 10 * start + 9))
    prepared = read(tmp_path)
    assert sizes(prepared) == (8, 8, 8)
    assert numbers_of(prepared.validation, range(30)) == {10, 11, 12, 13, 15, 16, 17, 18}
    assert numbers_of(prepared.test, range(30)) == {20, 21, 22, 23, 25, 26, 27, 28}


def test_splits_by_words_and_around_their_classes_are_respected(tmp_path: Path):
    for start, split in enumerate(("seg_train", "seg_test")):
        save(tmp_path / "archive" / split / split / "cat", range(20 * start, 20 * start + 8))
        save(tmp_path / "archive" / split / split / "dog", range(20 * start + 10, 20 * start + 18))
    save(tmp_path / "archive" / "seg_pred" / "seg_pred", range(40, 45))
    prepared = read(tmp_path)
    assert prepared.description.class_names == ("cat", "dog")
    assert sizes(prepared) == (12, 4, 16)
    assert numbers_of(prepared.test, range(45)) == {*range(20, 28), *range(30, 38)}
    left_out = prepared.split_files.query("split == 'left_out'")["file"].tolist()
    assert left_out == [f"archive/seg_pred/seg_pred/{number}.png" for number in range(40, 45)]


def test_without_validation_it_is_taken_from_training(tmp_path: Path):
    for start, split in enumerate(("train", "test")):
        save(tmp_path / split / "cat", range(20 * start, 20 * start + 8))
        save(tmp_path / split / "dog", range(20 * start + 10, 20 * start + 18))
    prepared = read(tmp_path)
    assert sizes(prepared) == (12, 4, 16)
    assert numbers_of(prepared.test, range(40)) == {*range(20, 28), *range(30, 38)}


def test_leaks_from_training_into_the_test_leave_training(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    save(tmp_path / "train" / "cat", range(8))
    save(tmp_path / "train" / "dog", range(10, 18))
    save(tmp_path / "test" / "cat", range(6, 12))  # 6 and 7 are also in train/cat, 10 and 11 in train/dog
    save(tmp_path / "test" / "dog", range(20, 24))
    prepared = read(tmp_path)
    assert sizes(prepared) == (9, 3, 10)
    assert prepared.description.leaking_images == 4
    seen = numbers_of(prepared.train, range(30)) | numbers_of(prepared.validation, range(30))
    assert seen == {*range(6), *range(12, 18)}
    assert "4 images are left out" in caplog.text
    assert "4 images have exact copies with another label" in caplog.text
    assert "train/dog/10.png has the same pixels as test/cat/10.png, whose class is cat" in caplog.text
    files = prepared.split_files.set_index("file")
    left_out = files[files["split"] == "left_out"]
    assert left_out["note"].to_dict() == {
        "train/cat/6.png": "copy of test/cat/6.png in test",
        "train/cat/7.png": "copy of test/cat/7.png in test",
        "train/dog/10.png": "copy of test/cat/10.png in test; the same pixels as test/cat/10.png, whose class is cat",
        "train/dog/11.png": "copy of test/cat/11.png in test; the same pixels as test/cat/11.png, whose class is cat",
    }
    assert (left_out["position"] == -1).all()
    assert left_out["class_name"].tolist() == ["cat", "cat", "dog", "dog"]
    assert files.loc["test/cat/10.png", "note"] == "the same pixels as train/dog/10.png, whose class is dog"


def test_a_class_called_train_is_a_class(tmp_path: Path):
    for start, name in enumerate(("car", "plane", "train")):
        save(tmp_path / name, range(10 * start, 10 * start + 4))
    assert read(tmp_path).description.class_names == ("car", "plane", "train")


def test_unlabelled_test_folder_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    save(tmp_path / "train" / "cat", range(8))
    save(tmp_path / "train" / "dog", range(8, 16))
    save(tmp_path / "test", range(16, 20))
    assert sizes(read(tmp_path)) == (8, 4, 4)
    assert "`test` is left out: it has no class folders" in caplog.text
    left_out = read(tmp_path).split_files.query("split == 'left_out'")
    assert left_out["file"].tolist() == [f"test/{number}.png" for number in range(16, 20)]
    assert set(left_out["note"]) == {"it lies outside the folders of splits"}
    assert set(left_out["class_name"]) == {""}


def test_folders_of_splits_without_classes_are_refused(tmp_path: Path):
    save(tmp_path / "train", range(4))
    save(tmp_path / "test", range(4, 8))
    with pytest.raises(ArchatlasError, match=r"only the folders `test`, `train`, and no training folder"):
        read(tmp_path)


def test_copies_stay_together(tmp_path: Path):
    for start in range(10):
        for copy in "abc":
            save(tmp_path / ("cat" if start < 5 else "dog"), range(start, start + 1), f"{{}}{copy}.png")
    for seed in range(5):
        prepared = read(tmp_path, seed=seed)
        found = [numbers_of(split, range(10)) for split in (prepared.train, prepared.validation, prepared.test)]
        assert sum(len(part) for part in found) == 10
        assert sum(sizes(prepared)) == 30


def test_groups_by_file_name(tmp_path: Path):
    for patient in range(12):
        folder = tmp_path / ("ill" if patient % 2 else "well")
        save(folder, range(10 * patient, 10 * patient + 3), f"p{patient}_{{}}.png")
    prepared = read(tmp_path, group_pattern=r"/p(\d+)_")
    found = [numbers_of(split, range(120)) for split in (prepared.train, prepared.validation, prepared.test)]
    patients = [{number // 10 for number in part} for part in found]
    assert [len(part) for part in patients] == [6, 3, 3]
    assert [len(part) for part in found] == [18, 9, 9]
    with pytest.raises(ArchatlasError, match=r"is not found in the file name `ill/p11_110.png`"):
        read(tmp_path, group_pattern=r"/p(\d)_")


def test_groups_and_labels_by_metadata(pets: Path):
    files = sorted(path.relative_to(pets).as_posix() for path in pets.rglob("*.png"))
    table = pd.DataFrame({"file_name": files, "litter": [i // 2 for i in range(20)]})
    table.to_csv(pets / "metadata.csv", index=False)
    assert read(pets, group_column="litter").description.class_names == ("cat", "dog")
    table.assign(label=["x", "y"] * 10).to_csv(pets / "metadata.csv", index=False)
    assert read(pets).description.class_names == ("x", "y")
    with pytest.raises(ArchatlasError, match=r"no column `liter`; did you mean `litter`\?"):
        read(pets, group_column="liter")
    table.iloc[1:].to_csv(pets / "metadata.csv", index=False)
    with pytest.raises(ArchatlasError, match=rf"1 images .* have no row in a metadata file, such as `{files[0]}`"):
        read(pets)


def test_a_label_column_that_was_asked_for_must_be_there(pets: Path):
    with pytest.raises(ArchatlasError, match=r"images.label_column is `breed`, but `.*pets` has no metadata file"):
        read(pets, label_column="breed")
    files = sorted(path.relative_to(pets).as_posix() for path in pets.rglob("*.png"))
    table = pd.DataFrame({"file_name": files, "breed": ["x", "y"] * 10})
    table.to_csv(pets / "metadata.csv", index=False)
    with pytest.raises(ArchatlasError, match=r"images.label_column is `bred`, .* did you mean `breed`\?"):
        read(pets, label_column="bred")
    assert read(pets, label_column="breed").description.class_names == ("x", "y")
    assert read(pets).description.class_names == ("cat", "dog")


def test_a_label_column_of_some_splits_only_is_refused(tmp_path: Path):
    for start, split in enumerate(("train", "test")):
        save(tmp_path / split / "cat", range(10 * start, 10 * start + 4))
        save(tmp_path / split / "dog", range(10 * start + 5, 10 * start + 9))
        files = sorted(path.relative_to(tmp_path / split).as_posix() for path in (tmp_path / split).rglob("*.png"))
        table = pd.DataFrame({"file_name": files, "label": ["x", "y"] * 4})
        table[["file_name", "label"][: 2 - start]].to_csv(tmp_path / split / "metadata.csv", index=False)
    with pytest.raises(ArchatlasError, match=r"Metadata files .* have different features"):
        read(tmp_path)


def test_names_of_classes_are_not_dropped_where_folders_are_the_classes(pets: Path):
    with pytest.raises(ArchatlasError, match=r"images.class_names is given, but the classes of .* are its folders"):
        read(pets, class_names=("kitten", "puppy"))


def test_a_group_column_needs_metadata(pets: Path):
    with pytest.raises(ArchatlasError, match=r"images.group_column is `litter`, but there is no metadata file"):
        read(pets, group_column="litter")


def test_mixed_sizes_and_colours(tmp_path: Path):
    save(tmp_path / "cat", range(4), size=(9, 5))
    save(tmp_path / "dog", range(4, 7), "{}.JPG", size=(40, 50), mode="RGB")
    save(tmp_path / "dog", range(7, 9), "{}.gif", size=(3, 2))
    prepared = read(tmp_path)
    assert prepared.description.input_shape == (3, 6, 6)
    assert sum(sizes(prepared)) == 9
    assert read(tmp_path, channels=1, aspect="pad").description.input_shape == (1, 6, 6)


def test_nested_and_linked_folders_belong_to_the_class(pets: Path, tmp_path: Path):
    save(tmp_path / "elsewhere", range(20, 25))
    os.symlink(tmp_path / "elsewhere", pets / "fox")
    os.symlink(pets, pets / "cat" / "back")
    save(pets / "dog" / "large", range(25, 27))
    counts = read(pets).class_counts.groupby("class_name")["images"].sum()
    assert counts.to_dict() == {"cat": 8, "dog": 14, "fox": 5}


@pytest.mark.parametrize("name", ["with space", "ünï", "a#1", "100%", "a=b,c", "pets [2024] *?", "$HOME", "~"])
def test_unusual_names(pets: Path, name: str):
    pets = pets.rename(pets.parent / name)
    (pets / "cat").rename(pets / f"{name} cat")
    assert read(pets).description.class_names == tuple(sorted((f"{name} cat", "dog")))


@pytest.mark.parametrize("with_metadata", [False, True])
def test_names_that_the_reader_of_metadata_would_take_for_addresses(pets: Path, with_metadata: bool):
    (pets / "cat" / "0.png").rename(pets / "cat" / "d::0.png")
    if with_metadata:
        files = sorted(path.relative_to(pets).as_posix() for path in pets.rglob("*.png"))
        pd.DataFrame({"file_name": files, "litter": range(20)}).to_csv(pets / "metadata.csv", index=False)
    assert sum(sizes(read(pets))) == 20


# --- which file went where


def test_every_file_is_named_with_its_split_and_position(pets: Path):
    save(pets / "dog", range(20, 23), "copy of 8 ({}).png")
    for copy in pets.glob("dog/copy*"):
        shutil.copy(pets / "dog" / "8.png", copy)
    prepared = read(pets, max_images=21)
    table = prepared.split_files
    assert list(table.columns) == ["split", "position", "file", "class_name", "note"]
    assert table["position"].dtype == "int64"
    for name in ("train", "validation", "test"):
        split, rows = getattr(prepared, name), table[table["split"] == name]
        assert rows["position"].tolist() == list(range(len(split)))
        for row, pixels, label in zip(rows.itertuples(), split.images, split.labels.tolist(), strict=True):
            assert np.array_equal(np.asarray(Image.open(pets / row.file)), pixels[0].numpy())
            assert row.class_name == prepared.description.class_names[label] == row.file.split("/")[0]
    left_out = table[table["split"] == "left_out"]
    assert set(left_out["note"]) == {"not drawn: images.max_images"}
    assert len(left_out) == 2
    assert sorted(table["file"]) == sorted(path.relative_to(pets).as_posix() for path in pets.rglob("*.png"))


def test_groups_that_leak_are_named(tmp_path: Path):
    for start, split in enumerate(("train", "test")):
        for offset, name in enumerate(("cat", "dog")):
            first = 20 * start + 10 * offset
            save(tmp_path / split / name, range(first, first + 8), f"p{start}{offset}{{}}.png")
    (tmp_path / "test/cat/p1020.png").rename(tmp_path / "test/cat/p001.png")  # of the group of train/cat/p001.png
    table = read(tmp_path, group_pattern=r"/(p\d+)\.png").split_files
    left_out = table[table["split"] == "left_out"].set_index("file")["note"]
    assert left_out.to_dict() == {"train/cat/p001.png": "must not be split from test/cat/p001.png in test"}


def test_the_table_of_files_is_the_same_on_another_machine(pets: Path, tmp_path: Path):
    (pets / "cat" / "bad.png").write_bytes(b"no image")
    shutil.copytree(pets, tmp_path / "elsewhere" / "pets")
    one, two = (read(path, skip_unreadable=True).split_files for path in (pets, tmp_path / "elsewhere" / "pets"))
    pd.testing.assert_frame_equal(one, two)


# --- what a user may get wrong


def test_no_such_folder(tmp_path: Path):
    with pytest.raises(ArchatlasError, match="which does not exist here"):
        read(tmp_path / "pet")


def test_a_file_is_not_a_folder(pets: Path):
    with pytest.raises(ArchatlasError, match="a file: give the folder"):
        read(pets / "cat" / "0.png")


def test_no_images(tmp_path: Path):
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "readme.txt").write_text("soon")
    with pytest.raises(ArchatlasError, match="no images in"):
        read(tmp_path)


def test_images_without_class_folder(pets: Path):
    for path in pets.rglob("*.png"):
        path.rename(pets / path.name)
    with pytest.raises(ArchatlasError, match=r"no image in .* lies in a class folder \(one is `0.png`\)"):
        read(pets)


@pytest.mark.parametrize("below", ["", "train/"])
def test_a_stray_file_beside_the_class_folders_is_left_out(pets: Path, caplog: pytest.LogCaptureFixture, below: str):
    if below:
        (pets / "train").mkdir()
        for name in ("cat", "dog"):
            (pets / name).rename(pets / "train" / name)
    save(pets / below, range(30, 31))
    prepared = read(pets, group_pattern=r"((cat|dog)/\d+)")
    assert sum(sizes(prepared)) == 20
    assert f"1 image file left out: `{below}30.png` (it lies in no class folder)" in caplog.text
    (row,) = prepared.split_files.query("split == 'left_out'").to_dict("records")
    assert row == {
        "split": "left_out",
        "position": -1,
        "file": f"{below}30.png",
        "class_name": "",
        "note": "it lies in no class folder",
    }


def test_kinds_of_images_without_a_reader_are_counted_and_named(pets: Path, caplog: pytest.LogCaptureFixture):
    for number in range(7):
        (pets / "cat" / f"{number}.HEIC").write_bytes(b"ftypheic")
    (pets / "dog" / "drawing.svg").write_text("<svg/>")
    prepared = read(pets)
    assert sum(sizes(prepared)) == 20
    named = ", ".join(f"`cat/{number}.HEIC`" for number in range(5))
    heic = "there is no reader for .heic files: install pillow-heif to read it"
    assert f"7 image files left out: {named} and 2 more ({heic})" in caplog.text
    assert "1 image file left out: `dog/drawing.svg` (there is no reader for .svg files: convert it" in caplog.text
    left_out = prepared.split_files.query("split == 'left_out'")
    assert left_out["class_name"].tolist() == ["cat"] * 7 + ["dog"]
    assert left_out["note"].iloc[0] == heic
    for path in pets.rglob("*.png"):
        path.unlink()
    with pytest.raises(ArchatlasError, match=r"no images in .* 8 image files are not read: .*install pillow-heif"):
        read(pets)


def test_avif_is_read_where_pillow_can(pets: Path):
    from PIL import features

    if not features.check("avif"):
        pytest.skip("this Pillow was built without AVIF")
    save(pets / "cat", range(30, 34), "{}.avif", mode="RGB")
    assert sum(sizes(read(pets, channels=1))) == 24


def test_heic_is_read_where_a_plugin_says_that_it_can(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    from archatlas.images.kinds import suffixes_not_read, suffixes_read

    assert ".heic" in suffixes_not_read(suffixes_read())
    (tmp_path / "pillow_heif.py").write_text(
        "from PIL import Image\ndef register_heif_opener(): Image.register_extension('PNG', '.heic')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    Image.init()
    monkeypatch.setattr(Image, "EXTENSION", dict(Image.EXTENSION))
    assert ".heic" in suffixes_read()
    assert ".heic" not in suffixes_not_read(suffixes_read())
    monkeypatch.delitem(sys.modules, "pillow_heif")


def test_classes_whose_names_differ_in_case_alone(pets: Path, caplog: pytest.LogCaptureFixture):
    save(pets / "Cat", range(30, 34))
    assert read(pets).description.class_names == ("Cat", "cat", "dog")
    assert "`Cat` and `cat` are taken for different classes" in caplog.text


def test_links_that_lead_nowhere_and_empty_files_are_unreadable_like_others(pets: Path):
    (pets / "cat" / "dead.png").symlink_to(pets / "gone.png")
    (pets / "dog" / "zero.png").touch()
    with pytest.raises(
        ArchatlasError,
        match=r"cat/dead.png \(a link to nothing\); dog/zero.png \(empty file\)\. Repair",
    ):
        read(pets)
    prepared = read(pets, skip_unreadable=True)
    assert sum(sizes(prepared)) == 20
    left_out = prepared.split_files.query("split == 'left_out'")
    assert left_out["file"].tolist() == ["cat/dead.png", "dog/zero.png"]
    assert left_out["note"].tolist() == ["unreadable: a link to nothing", "unreadable: empty file"]


def test_a_named_pipe_is_no_image(pets: Path, caplog: pytest.LogCaptureFixture):
    os.mkfifo(pets / "cat" / "x.png")
    prepared = read(pets)
    assert sum(sizes(prepared)) == 20
    assert "1 image file left out: `cat/x.png` (it is not a regular file)" in caplog.text
    assert prepared.split_files.query("split == 'left_out'")["file"].tolist() == ["cat/x.png"]


def test_one_class(tmp_path: Path):
    save(tmp_path / "cat", range(5))
    with pytest.raises(ArchatlasError, match="only one class"):
        read(tmp_path)


def test_too_few_images(pets: Path):
    save(pets / "fox", range(30, 32))
    (pets / "empty").mkdir()
    with pytest.raises(ArchatlasError, match=r"too few images in class `empty` \(0\), `fox` \(2\): each class needs 3"):
        read(pets)
    with pytest.raises(ArchatlasError, match=r"`cat` \(8\), `empty` \(0\), `fox` \(2\): each class needs 9"):
        read(pets, min_images_per_class=9)


def test_unreadable_images_are_named_and_left_out_only_if_asked(pets: Path, caplog: pytest.LogCaptureFixture):
    content = (pets / "dog" / "8.png").read_bytes()
    (pets / "dog" / "8.png").write_bytes(content[: len(content) // 2])
    (pets / "cat" / "bad.png").write_bytes(b"no image")
    with pytest.raises(ArchatlasError, match=r"2 of 21 images of the folder pets .*: cat/bad.png .*; dog/8.png"):
        read(pets)
    prepared = read(pets, skip_unreadable=True)
    assert prepared.description.unreadable_images == 2
    assert sum(sizes(prepared)) == 19
    assert "They are left out" in caplog.text


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_images_of_sixteen_bits_are_scaled_by_the_bits_that_all_of_them_use(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, bits: int
):
    """What comes out is what the same pictures of eight bits give, however many of the sixteen a camera has filled."""
    for kind in ("cat", "dog"):
        (tmp_path / kind).mkdir()
    numbers = range(1, 9)
    for number in numbers:
        values = np.asarray(picture(number)).astype(np.uint16) << (bits - 8)
        # The brightest pixel is that of one image alone.
        values[0, 0] = 2**bits - 1 if number == 8 else 0
        Image.fromarray(values).save(tmp_path / ("cat" if number < 5 else "dog") / f"{number}.png")
    save(tmp_path / "dog", range(9, 10))
    prepared = read(tmp_path)
    assert prepared.description.bits == bits
    wanted = {number: np.array(picture(number)) for number in [*numbers, 9]}
    for number in numbers:
        wanted[number][0, 0] = 255 if number == 8 else 0
    found = {image.numpy().tobytes() for split in (prepared.train, prepared.validation, prepared.test)
             for image in split.images}  # fmt: skip
    assert found == {values.tobytes() for values in wanted.values()}
    told = f"8 images have 16 bits, but no value above {2**bits - 1}: read as images of {bits} bits"
    assert (told in caplog.text) is (bits < 16)


def save_deep(folder: Path, number: int, bits: int) -> np.ndarray:
    """A file of colours of 16 bits, of which so many are in use; the same of 8 bits."""
    values = np.stack([np.asarray(picture(at)) for at in (number, number + 1, number + 2)], axis=-1)
    values[0, 0] = 255
    file = deep_png((values.astype(np.uint16) << (bits - 8)) | ((1 << (bits - 8)) - 1))
    folder.mkdir(exist_ok=True)
    (folder / f"{number}.png").write_bytes(file)
    return values.transpose(2, 0, 1)


def test_colours_of_sixteen_and_of_eight_bits_are_read_alike(tmp_path: Path):
    deep = [save_deep(tmp_path / ("cat" if number < 5 else "dog"), number, 16) for number in range(9)]
    save(tmp_path / "dog", range(20, 23))
    shallow = [np.repeat(np.asarray(picture(number))[None], 3, axis=0) for number in range(20, 23)]
    prepared = read(tmp_path)
    assert (prepared.description.bits, prepared.description.channels) == (16, 3)
    found = {image.numpy().tobytes() for split in (prepared.train, prepared.validation, prepared.test)
             for image in split.images}  # fmt: skip
    assert found == {values.tobytes() for values in (*deep, *shallow)}


def test_colours_that_miss_a_bit_or_two_stay_as_they_are_read(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    for number in range(12):
        save_deep(tmp_path / ("cat" if number < 6 else "dog"), number, 14)
    prepared = read(tmp_path)
    assert (prepared.description.bits, int(prepared.train.images.max())) == (16, 63)
    assert "16 bits" not in caplog.text


def test_of_images_of_sixteen_bits_those_are_counted_that_are_read_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    for number in range(3):
        save_deep(tmp_path / "cat", number, 12)
    save(tmp_path / "cat", range(10, 20))
    save(tmp_path / "dog", range(30, 40))
    Image.fromarray(np.asarray(picture(50)).astype(np.uint16) << 4).save(tmp_path / "dog" / "50.png")
    read(tmp_path, skip_unreadable=True)
    assert "1 images have 16 bits, but no value above 4095: read as images of 12 bits" in caplog.text


def test_colours_that_use_a_part_of_sixteen_bits_are_refused_by_name(tmp_path: Path):
    for number in range(3):
        save_deep(tmp_path / "cat", number, 12)
    save(tmp_path / "cat", range(10, 20))
    save(tmp_path / "dog", range(30, 40))
    told = "colours of 16 bits, of which 12 are in use .*: save it with 8 bits a channel"
    with pytest.raises(ArchatlasError, match=rf"3 of 23 images of the folder .*: cat/0.png \({told}\); cat/1.png"):
        read(tmp_path)
    assert sum(sizes(read(tmp_path, skip_unreadable=True))) == 20


@pytest.mark.parametrize("hidden", ["dog/8.png", "bird"])
def test_what_may_not_be_read_is_named_like_what_is_damaged(open_folder: Path, unprivileged: Any, hidden: str):
    save(open_folder / "cat", range(8))
    save(open_folder / "dog", range(8, 20))
    save(open_folder / "bird", range(20, 23))
    assert sum(sizes(read(open_folder))) == 23
    (open_folder / hidden).chmod(0o644 if hidden == "bird" else 0)  # Of a folder, names can be read and no more.
    named = "bird/20.png" if hidden == "bird" else "dog/8.png"
    with unprivileged(), pytest.raises(ArchatlasError, match=rf"{named} \(PermissionError: Permission denied\)"):
        read(open_folder)
    if hidden != "bird":
        with unprivileged():
            assert sum(sizes(read(open_folder, skip_unreadable=True))) == 22


@pytest.mark.parametrize("hidden", ["bird", "dog/inner", "."])
def test_a_folder_that_cannot_be_listed_is_an_error_whatever_may_be_left_out(
    open_folder: Path, unprivileged: Any, hidden: str
):
    save(open_folder / "cat", range(8))
    save(open_folder / "dog" / "inner", range(8, 20))
    save(open_folder / "dog", range(20, 30))
    save(open_folder / "bird", range(30, 40))
    write_parquet(open_folder / "dog" / "inner" / "train.parquet", range(20))
    (open_folder / hidden).chmod(0o311)
    told = rf"the folder `{open_folder / hidden}` cannot be listed \(Permission denied\), .*: give it rights to be read"
    for how in (read, read_parquet):
        with unprivileged(), pytest.raises(ArchatlasError, match=told):
            how(open_folder, skip_unreadable=True)


def test_folders_that_are_nobodys_images_need_not_be_listed(open_folder: Path, unprivileged: Any):
    save(open_folder / "cat", range(10))
    save(open_folder / "dog", range(10, 20))
    write_parquet(open_folder / "train.parquet", range(20))
    for name in ("lost+found", ".Trash-0"):
        write_parquet(open_folder / name / "train.parquet", range(20, 30))
        (open_folder / name).chmod(0)
    with unprivileged():
        assert sum(sizes(read(open_folder))) == sum(sizes(read_parquet(open_folder))) == 20


def test_imbalance_is_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    save(tmp_path / "cat", range(5))
    save(tmp_path / "dog", range(5, 21))
    with caplog.at_level(logging.INFO):
        read(tmp_path)
    assert "`dog` has 16 images, `cat` only 5" in caplog.text
    assert "11 train, 5 validation, 5 test images of 2 classes, 6 x 6 grey" in caplog.text


def test_most_images(pets: Path):
    assert sum(sizes(read(pets, max_images=12))) == 12
    with pytest.raises(ArchatlasError, match=r"images.max_images is 5"):
        read(pets, max_images=5)


# --- Parquet


def png(number: int) -> bytes:
    file = io.BytesIO()
    picture(number).save(file, "PNG")
    return file.getvalue()


def write_parquet(path: Path, numbers: range, **columns: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    images = [{"bytes": png(number), "path": f"p{number // 3}_{number}.png"} for number in numbers]
    columns = {"img": images, "label": [number % 2 for number in numbers], **columns}
    pd.DataFrame(columns).to_parquet(path)


def read_parquet(path: Path, **options: Any) -> PreparedImages:
    return read(path, **{"source": "parquet", "image_column": "img", **options})


@pytest.mark.parametrize("layout", ["{}-00000-of-00001.parquet", "data/{}-0.parquet", "plain_text/{}/0000.parquet"])
def test_parquet_as_on_the_hub(tmp_path: Path, layout: str):
    write_parquet(tmp_path / layout.format("train"), range(20))
    write_parquet(tmp_path / layout.format("test"), range(20, 30))
    prepared = read_parquet(tmp_path)
    assert sizes(prepared) == (15, 5, 10)
    assert numbers_of(prepared.test, range(30)) == set(range(20, 30))
    assert prepared.description.class_names == ("0", "1")
    assert read_parquet(tmp_path, class_names=("even", "odd")).description.class_names == ("even", "odd")
    same = read_parquet(tmp_path, source="hub", hub_name="anything")  # a local copy instead of the network
    assert torch.equal(same.train.images, prepared.train.images)


def test_one_parquet_file_is_divided(tmp_path: Path):
    write_parquet(tmp_path / "test.parquet", range(20), label=["no", "yes"] * 10)
    prepared = read_parquet(tmp_path / "test.parquet")
    assert sizes(prepared) == (10, 5, 5)
    assert prepared.description.class_names == ("no", "yes")
    assert sizes(read_parquet(tmp_path)) == (10, 5, 5)


def test_parquet_with_the_types_of_datasets_and_plain_bytes(tmp_path: Path):
    from datasets import ClassLabel, Dataset, Features
    from datasets import Image as ImageFeature

    rows = {"img": [{"bytes": png(n), "path": None} for n in range(20)], "label": [n % 2 for n in range(20)]}
    features = Features({"img": ImageFeature(), "label": ClassLabel(names=["even", "odd"])})
    Dataset.from_dict(rows, features=features).to_parquet(tmp_path / "typed.parquet")
    typed = read_parquet(tmp_path / "typed.parquet")
    assert typed.description.class_names == ("even", "odd")
    pd.DataFrame({"img": [png(n) for n in range(20)], "label": rows["label"]}).to_parquet(tmp_path / "bytes.parquet")
    assert torch.equal(read_parquet(tmp_path / "bytes.parquet").train.images, typed.train.images)


def test_groups_in_parquet(tmp_path: Path):
    numbers = range(36)
    write_parquet(tmp_path / "all.parquet", numbers, patient=[f"p{n // 3}" for n in numbers])
    by_column = read_parquet(tmp_path, group_column="patient")
    by_name = read_parquet(tmp_path, group_pattern=r"p(\d+)_")
    for prepared in (by_column, by_name):
        parts = [{n // 3 for n in numbers_of(s, numbers)} for s in (prepared.train, prepared.validation, prepared.test)]
        assert sum(len(part) for part in parts) == 12
        assert len(set.union(*parts)) == 12


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ({}, {"image_column": "image"}, r"no column `image`; did you mean `img`\?"),
        ({}, {"label_column": "labels"}, r"no column `labels`; did you mean `label`\?"),
        ({}, {"image_column": "label"}, "column `label` holds no encoded images"),
        ({"label": [None, *[1] * 19]}, {}, "1 rows have no label"),
        ({"label": [-1, *[1] * 19]}, {}, "1 rows have no label"),
        ({"label": [0.5] * 20}, {}, "must hold whole numbers or strings"),
        ({"label": [0, 1, 2, 2] * 5}, {"class_names": ("a", "b")}, "the label 2, but there are only 2 class names"),
        (
            {"label": ["a", "b"] * 10},
            {"class_names": ("x", "y")},
            "column `label` holds the names of the classes itself",
        ),
    ],
)
def test_columns_that_are_not_there_or_not_right(tmp_path: Path, columns: dict, options: dict, message: str):
    write_parquet(tmp_path / "train.parquet", range(20), **columns)
    with pytest.raises(ArchatlasError, match=message):
        read_parquet(tmp_path, **options)


def test_unreadable_rows_are_named(tmp_path: Path):
    images = [{"bytes": png(n), "path": f"{n}.png"} for n in range(20)]
    images[3] = {"bytes": b"no image", "path": "three.png"}
    write_parquet(tmp_path / "train.parquet", range(20), img=images)
    write_parquet(tmp_path / "test.parquet", range(20, 30))
    with pytest.raises(ArchatlasError, match=r"three.png \(row 3 of split train\)"):
        read_parquet(tmp_path)


def test_a_truncated_parquet_file(tmp_path: Path):
    write_parquet(tmp_path / "train.parquet", range(20))
    content = (tmp_path / "train.parquet").read_bytes()
    (tmp_path / "train.parquet").write_bytes(content[:-20])
    with pytest.raises(ArchatlasError, match=r"cannot be read .*: replace what is damaged"):
        read_parquet(tmp_path)
    (tmp_path / "train.parquet").unlink()
    with pytest.raises(ArchatlasError, match="no Parquet files"):
        read_parquet(tmp_path)


def test_no_training_split(tmp_path: Path):
    write_parquet(tmp_path / "validation.parquet", range(20))
    write_parquet(tmp_path / "test.parquet", range(20, 30))
    with pytest.raises(ArchatlasError, match="has the splits test, validation; one must be called `train`"):
        read_parquet(tmp_path)


def test_the_hub_out_of_reach_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    options = {"source": "hub", "hub_name": "no-such-owner/no-such-images"}
    with pytest.raises(
        ArchatlasError, match=r"`no-such-owner/no-such-images` cannot be had .* --params images.path=DIR"
    ):
        prepare(ImagesParameters.model_validate(options), 0)


@pytest.mark.parametrize("name", ["pets [2024] *?", "$HOME", "a#1", "d::x"])
def test_unusual_names_of_folders_of_parquet_files(tmp_path: Path, name: str):
    write_parquet(tmp_path / name / "train.parquet", range(20))
    assert sum(sizes(read_parquet(tmp_path / name))) == 20
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "part").symlink_to(tmp_path / name)
    assert sum(sizes(read_parquet(tmp_path / "linked"))) == 20


def test_reading_leaves_no_cache_and_no_settings_behind(pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import tempfile

    import datasets

    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    before = datasets.are_progress_bars_disabled(), datasets.config.HF_UPDATE_DOWNLOAD_COUNTS
    read(pets)
    assert (datasets.are_progress_bars_disabled(), datasets.config.HF_UPDATE_DOWNLOAD_COUNTS) == before
    assert not list((tmp_path / "tmp").iterdir())


# --- statistics, real data


def test_statistics_by_hand():
    images = torch.tensor([[[[0, 255]], [[51, 51]]], [[[0, 255]], [[51, 51]]]], dtype=torch.uint8)
    mean, std = channel_statistics(images)
    assert mean == pytest.approx((0.5, 0.2), abs=1e-15)
    assert std == pytest.approx((0.5, 1 / 255), abs=1e-15)


def test_cifar10_from_parquet(benchmark_data: Path):
    folder = benchmark_data / "cifar10"
    if not folder.exists():
        pytest.skip(f"no CIFAR-10 copy in {folder}")
    prepared = read_parquet(folder, image_size=32, max_images=600, validation_fraction=0.1)
    assert prepared.description.input_shape == (3, 32, 32)
    assert sizes(prepared) == (450, 50, 100)
    assert set(prepared.class_counts.query("split == 'test'")["images"]) == {10}


@pytest.mark.nightly
def test_the_whole_of_cifar10_has_the_published_statistics(benchmark_data: Path):
    folder = benchmark_data / "cifar10"
    if not folder.exists():
        pytest.skip(f"no CIFAR-10 copy in {folder}")
    prepared = read_parquet(folder, image_size=32, validation_fraction=0.1)
    # The copies of an image within CIFAR-10's own test split and training split are left out of training.
    assert len(prepared.test) == 10_000
    assert 49_900 <= len(prepared.train) + len(prepared.validation) <= 50_000
    assert prepared.description.mean == pytest.approx((0.4914, 0.4822, 0.4465), abs=2e-3)


def test_a_validation_split_of_one_image_stops_the_run_before_anything_is_trained(tmp_path: Path):
    for name, offset in (("cat", 0), ("dog", 50)):
        save(tmp_path / "train" / name, range(offset, offset + 6))
        save(tmp_path / "test" / name, range(offset + 20, offset + 22))
    save(tmp_path / "validation" / "cat", range(30, 31))
    with pytest.raises(ArchatlasError, match=r"the validation split has 1 image, but 2 at least are needed to judge"):
        read(tmp_path)


def test_images_that_would_fill_the_memory_are_prepared_alike(pets: Path, monkeypatch: pytest.MonkeyPatch):
    (pets / "cat" / "broken.png").write_bytes(b"no image")
    expected = read(pets, skip_unreadable=True)
    monkeypatch.setattr(large_arrays, "MOST_IN_MEMORY", 0)
    found = read(pets, skip_unreadable=True)
    assert found.description == expected.description
    for one, other in ((found.train, expected.train), (found.validation, expected.validation)):
        assert torch.equal(one.images, other.images)
        assert torch.equal(one.labels, other.labels)
    both = found.train.joined(found.validation)
    assert torch.equal(both.images, torch.cat([expected.train.images, expected.validation.images]))
    assert torch.equal(both.labels, torch.cat([expected.train.labels, expected.validation.labels]))
    assert torch.equal(found.train.at(3).images, expected.train.at(3).images)
