from __future__ import annotations

import os

import pytest
import torch
from torch.distributed import TCPStore

from archatlas.errors import ArchatlasError
from archatlas.training.fabric import (
    make_fabric,
    meeting_place,
    prepare_process,
    threads_restored,
    torch_device,
    where_there_is_room,
)
from archatlas.training.parameters import DeviceParameters


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has what the test asks for in vain")
def test_a_missing_accelerator_is_told_plainly() -> None:
    with pytest.raises(ArchatlasError, match=r"`device\.accelerator` is cuda.*Set it to auto or cpu"):
        make_fabric(DeviceParameters(accelerator="cuda"))


def test_half_precision_training_needs_a_gpu() -> None:
    with pytest.raises(ArchatlasError, match="16-mixed needs a GPU"):
        torch_device(DeviceParameters(accelerator="cpu", precision="16-mixed"))


def test_threads_are_set() -> None:
    before = torch.get_num_threads()
    try:
        make_fabric(DeviceParameters(accelerator="cpu", threads=1))
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_threads_are_as_before_after_a_training_that_asked_for_others() -> None:
    before = torch.get_num_threads()
    with threads_restored():
        prepare_process(DeviceParameters(threads=before + 1))
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


def test_processes_meet_at_a_store_that_listens_before_they_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASTER_PORT", "1")
    with meeting_place():
        port = int(os.environ["MASTER_PORT"])
        TCPStore(os.environ["MASTER_ADDR"], port, is_master=False).set("met", "yes")
        with meeting_place():  # Another training at the same time.
            assert int(os.environ["MASTER_PORT"]) not in (1, port)
            assert not TCPStore("127.0.0.1", int(os.environ["MASTER_PORT"]), is_master=False).check(["met"])
        assert int(os.environ["MASTER_PORT"]) == port
    assert os.environ["MASTER_PORT"] == "1"
    assert "TORCHELASTIC_USE_AGENT_STORE" not in os.environ


def test_images_stay_where_they_are_if_they_would_fill_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    images = torch.zeros(51, dtype=torch.uint8)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (80, 1000))  # Bytes that are free, and all.
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: 50)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: 30)
    assert where_there_is_room(images, torch.device("cuda")) is images
    assert where_there_is_room(images, torch.device("cpu")) is images
    assert where_there_is_room(images, torch.device("meta")).device.type == "meta"
