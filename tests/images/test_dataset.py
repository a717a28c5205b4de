from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import pytest
import torch
from safetensors import SafetensorError

from archatlas.errors import ArchatlasError
from archatlas.images import dataset
from archatlas.images.dataset import ImageSplit
from archatlas.images.description import ImageDescription


def split() -> ImageSplit:
    return ImageSplit(torch.arange(12, dtype=torch.uint8).view(3, 1, 2, 2), torch.tensor([0, 1, 0]))


def test_tensors_and_back():
    back = ImageSplit.from_tensors(split().to_tensors())
    assert torch.equal(back.images, split().images)
    assert torch.equal(back.labels, split().labels)


def test_subset_by_index_and_by_mask():
    assert split().subset(torch.tensor([2, 0])).images[:, 0, 0, 0].tolist() == [8, 0]
    assert len(split().subset(split().labels == 0)) == 2


def test_wrong_tensors_are_refused():
    with pytest.raises(ArchatlasError, match="labels not found"):
        ImageSplit.from_tensors({"images": split().images})
    with pytest.raises(ValueError, match="uint8"):
        ImageSplit(split().images.float(), split().labels)
    with pytest.raises(ValueError, match="int64"):
        ImageSplit(split().images, split().labels[:2])


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    said = "Error while serializing: I/O error: No space left on device (os error 28)"
    monkeypatch.setattr(dataset, "save_file", Mock(side_effect=SafetensorError(said)))
    with pytest.raises(ArchatlasError, match=r"in `.*` \(No space left on device\): free some, or set TMPDIR"):
        split().in_file(tmp_path / "x")
    monkeypatch.setattr(dataset, "save_file", Mock(side_effect=SafetensorError("another")))
    with pytest.raises(SafetensorError, match="another"):
        split().in_file(tmp_path / "x")


def test_description_goes_through_json():
    description = ImageDescription(
        class_names=("cat", "dog"),
        channels=3,
        image_size=32,
        mean=(0.1, 0.2, 1 / 3),
        std=(0.1, 0.2, 0.3),
        splits={"train": 5, "validation": 2, "test": 2},
        source="folder pets",
    )
    assert ImageDescription.model_validate(description.model_dump(mode="json")) == description
    assert ImageDescription.model_validate_json(description.model_dump_json()) == description
    assert description.input_shape == (3, 32, 32)
    assert description.num_classes == 2
