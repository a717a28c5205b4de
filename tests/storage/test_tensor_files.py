from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from archatlas.storage import tensor_files
from archatlas.storage.tensor_files import read_tensors

TENSORS = {
    "images": torch.arange(24, dtype=torch.uint8).reshape(2, 3, 2, 2),
    "labels": torch.tensor([3, -1]),
    "rate": torch.tensor(0.5),
    "none": torch.empty(0, 3),
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    save_file(TENSORS, tmp_path / "tensors", metadata={"made": "here"})
    return tmp_path / "tensors"


@pytest.mark.parametrize("most", [2**30, 0])
def test_a_file_is_read_alike_however_large_it_is(file: Path, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensor_files, "MOST_ASKED_FOR", most)
    read = read_tensors(file)
    assert read.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert read[name].dtype == tensor.dtype
        assert torch.equal(read[name], tensor)


def test_a_damaged_file_is_no_answer(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensor_files, "MOST_ASKED_FOR", 0)
    whole = file.read_bytes()
    shape = whole.replace(b'"shape":[2,3,2,2]', b'"shape":[2,3,2,9]')
    assert shape != whole
    for damaged in (whole[:-20], whole[:5], b"\xff" * 8 + whole[8:], shape):
        file.write_bytes(damaged)
        with pytest.raises((ValueError, KeyError, OSError)):
            read_tensors(file)


def test_more_than_there_is_memory_for_can_be_read(tmp_path: Path) -> None:
    """A file with a hole: 2^42 bytes that nobody has written."""
    header = b'{"images":{"dtype":"U8","shape":[4194304,1048576],"data_offsets":[0,4398046511104]}}'
    file = tmp_path / "tensors"
    file.write_bytes(len(header).to_bytes(8, "little") + header)
    try:
        with file.open("r+b") as opened:
            opened.truncate(8 + len(header) + 2**42)
    except OSError:
        pytest.skip("this file system has no files of 4 TiB")
    images = read_tensors(file)["images"]
    assert images.shape == (4_194_304, 1_048_576)
    assert np.asarray(images[4_000_000, :3]).tolist() == [0, 0, 0]
