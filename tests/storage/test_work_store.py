from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from archatlas.spaces.chain_parameters import ChainParameters
from archatlas.storage.work_store import WorkStore, fingerprint

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=8,
)


def test_fingerprints_do_not_change_between_versions():
    assert fingerprint("train", 3, {"a": 1.5, "b": [True, None]}) == "3cdd911205654e8f"


@given(part=values)
def test_a_fingerprint_is_reproducible(part):
    assert fingerprint(part) == fingerprint(part)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((1,), (1.0,)),
        ((1,), (True,)),
        (("ab",), ("a", "b")),
        (("1",), (1,)),
        (([1, 2],), ([2, 1],)),
        (([[1], 2],), ([[1, 2]],)),
        (({"a": 1},), ({"a": 2},)),
        ((np.zeros(2),), (np.zeros((2, 1)),)),
        ((np.zeros(2, dtype=np.float32),), (np.zeros(2),)),
        ((torch.tensor([1, 2]),), (torch.tensor([2, 1]),)),
        ((ChainParameters(),), (ChainParameters(stem_width=7),)),
    ],
)
def test_what_differs_has_different_fingerprints(one, other):
    assert fingerprint(*one) != fingerprint(*other)


@pytest.mark.parametrize("dtype", ["u1", "?", "f8", "U3"])
def test_an_array_counts_by_its_values_not_by_its_layout(dtype):
    array = np.arange(12).reshape(3, 4).astype(dtype)
    assert fingerprint(array[:, ::2]) == fingerprint(array[:, ::2].copy())
    assert fingerprint(np.asfortranarray(array)) == fingerprint(array) != fingerprint(array[::-1])
    assert fingerprint(np.float64(3)) == fingerprint(np.array(3.0)) != fingerprint(np.array([3.0]))


def test_the_order_of_a_mapping_does_not_count():
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})


def test_a_tensor_and_its_array_are_one():
    assert fingerprint(torch.arange(3)) == fingerprint(np.arange(3))


def test_what_cannot_be_fingerprinted_is_refused():
    with pytest.raises(TypeError, match="cannot fingerprint a object"):
        fingerprint(object())


def test_parts_come_back_as_they_were(tmp_path):
    store = WorkStore(tmp_path).task("task", 1)
    table = pd.DataFrame({"name": ["a", "b"], "value": [1.5, 2.5]})
    store.save_table("part_0", table)
    store.save_json("document", {"a": [1, None, "x"]})
    store.save_tensors("tensors", {"weight": torch.arange(6.0).reshape(2, 3).T})
    pd.testing.assert_frame_equal(store.load_table("part_0"), table)
    assert store.load_json("document") == {"a": [1, None, "x"]}
    loaded = store.load_tensors("tensors")
    assert loaded["weight"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert (store.keys(".parquet"), store.keys(".json"), store.keys(".safetensors")) == (
        ["part_0"], ["document"], ["tensors"],
    )  # fmt: skip


def test_what_is_not_finished_is_none(tmp_path):
    store = WorkStore(tmp_path)
    assert store.load_table("part") is None
    assert store.load_json("part") is None
    assert store.load_tensors("part") is None
    (tmp_path / ".part.parquet.x.partial").write_bytes(b"half")
    (tmp_path / ".part.parquet").write_bytes(b"half")
    assert store.keys(".parquet") == []


def test_work_of_other_settings_is_not_found(tmp_path):
    store = WorkStore(tmp_path)
    store.task("task", {"epochs": 1}).save_json("part", 1)
    assert store.task("task", {"epochs": 1}).load_json("part") == 1
    assert store.task("task", {"epochs": 2}).load_json("part") is None
    assert store.task("other", {"epochs": 1}).load_json("part") is None


PARTS: dict[str, Any] = {
    "table": pd.DataFrame({"a": range(100)}),
    "json": {"accuracy": 0.5, "log_loss": 1.25},
    "tensors": {"a": torch.arange(100.0)},
}


def flip(bit: int) -> Callable[[bytes], bytes]:
    def flipped(content: bytes) -> bytes:
        changed = bytearray(content)
        changed[bit // 8 % len(content)] ^= 1 << bit % 8
        return bytes(changed)

    return flipped


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "shorter than a digest": lambda content: content[:20],
    "half": lambda content: content[: len(content) // 2],
    "one byte short": lambda content: content[:-1],
    "one byte long": lambda content: content + b"\0",
    "zeros": lambda content: bytes(len(content)),
    "another kind of file": lambda content: b"\x89PNG\r\n" + content[6:],
    "last bit": flip(-1),
    "first bit": flip(0),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("kind", PARTS)
def test_a_damaged_part_is_not_done_and_named(
    tmp_path: Path, kind: str, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = WorkStore(tmp_path)
    getattr(store, f"save_{kind}")("part", PARTS[kind])
    (file,) = tmp_path.iterdir()
    file.write_bytes(DAMAGE[damage](file.read_bytes()))
    with caplog.at_level(logging.WARNING):
        assert getattr(store, f"load_{kind}")("part") is None
    assert f"{file} is damaged (" in caplog.text
    getattr(store, f"save_{kind}")("part", PARTS[kind])
    caplog.clear()
    assert getattr(store, f"load_{kind}")("part") is not None
    assert not caplog.records


@pytest.mark.parametrize("kind", PARTS)
def test_no_flipped_bit_is_believed(tmp_path: Path, kind: str) -> None:
    store = WorkStore(tmp_path)
    getattr(store, f"save_{kind}")("part", PARTS[kind])
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    for bit in np.random.default_rng(0).choice(8 * len(whole), 100, replace=False).tolist():
        file.write_bytes(flip(bit)(whole))
        assert getattr(store, f"load_{kind}")("part") is None, bit
    file.write_bytes(whole)
    assert getattr(store, f"load_{kind}")("part") is not None


def test_a_document_changed_by_hand_is_not_believed(tmp_path: Path) -> None:
    store = WorkStore(tmp_path)
    store.save_json("part", {"accuracy": 0.5})
    file = tmp_path / "part.json"
    file.write_bytes(file.read_bytes().replace(b"0.5", b"0.9"))
    assert store.load_json("part") is None


def test_what_lies_in_the_place_of_a_part_is_refused_before_its_work(tmp_path: Path) -> None:
    (tmp_path / "part.json").mkdir()
    with pytest.raises(IsADirectoryError) as failed:
        WorkStore(tmp_path).load_json("part")
    assert failed.value.filename == str(tmp_path / "part.json")
    (tmp_path / "task").write_text("a file")
    with pytest.raises(NotADirectoryError):
        WorkStore(tmp_path / "task").load_json("part")


def test_a_part_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OSError) as failed:  # noqa: PT011 (which one depends on the system)
        WorkStore(tmp_path / "file").save_json("part", 1)
    assert failed.value.__notes__ == [f"while writing {tmp_path}/file/part.json"]


WRITE = """
import sys
from pathlib import Path
from archatlas.storage.work_store import WorkStore
number = 0
while True:
    WorkStore(Path(sys.argv[1])).save_json("part", {"number": number, "filling": "x" * 200_000})
    print(number, flush=True)
    number += 1
"""


def test_a_part_that_is_replaced_is_whole_whenever_its_writer_is_killed(
    tmp_path: Path, repository: Path, caplog: pytest.LogCaptureFixture
) -> None:
    environment = os.environ | {"PYTHONPATH": str(repository / "src")}
    for wait in (0.0, 0.013, 0.037):
        command = [sys.executable, "-c", WRITE, str(tmp_path)]
        writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert writer.stdout is not None
        assert writer.stdout.readline() == "0\n"
        time.sleep(wait)
        writer.kill()
        last = max(int(line) for line in ("0", *writer.stdout.read().split()))
        writer.wait()
        part = WorkStore(tmp_path).load_json("part")
        assert part is not None
        assert part["number"] in (last, last + 1)  # The last may have been written and not said.
    assert not caplog.records


def test_discarded_work_is_gone(tmp_path: Path) -> None:
    store = WorkStore(tmp_path).task("task", 1)
    store.save_json("part", 1)
    store.discard()
    assert store.load_json("part") is None
    assert list(tmp_path.iterdir()) == []
    store.discard()


def test_a_part_in_anothers_place_counts_as_not_done(tmp_path, caplog):
    one, other = WorkStore(tmp_path).task("task", 1), WorkStore(tmp_path).task("task", 2)
    for number, store in enumerate((one, other)):
        store.save_json("a", number)
    one.save_json("b", 7)
    files = [store.folder / "a.json" for store in (one, other)]
    contents = [file.read_bytes() for file in files]
    for file, content in zip(files, reversed(contents), strict=True):
        file.write_bytes(content)
    assert one.load_json("a") is other.load_json("a") is None
    assert "not those that were written there" in caplog.text
    (one.folder / "b.json").rename(one.folder / "c.json")
    assert one.load_json("c") is None
    # The whole store may move: what a part is does not depend on where the work lies.
    files[0].write_bytes(contents[0])
    tmp_path.rename(tmp_path.with_name("moved"))
    assert WorkStore(tmp_path.with_name("moved") / one.folder.name).load_json("a") == 0
