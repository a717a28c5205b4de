from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from archatlas.errors import ArchatlasError
from archatlas.spaces.parameters import SpaceParameters
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
        ((SpaceParameters(),), (SpaceParameters(stem_width=7),)),
    ],
)
def test_what_differs_has_different_fingerprints(one, other):
    assert fingerprint(*one) != fingerprint(*other)


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


@pytest.mark.parametrize("kind", ["table", "json", "tensors"])
def test_a_truncated_part_is_named(tmp_path, kind):
    store = WorkStore(tmp_path)
    part = {"table": pd.DataFrame({"a": range(100)}), "json": {"a": 1}, "tensors": {"a": torch.zeros(100)}}[kind]
    getattr(store, f"save_{kind}")("part", part)
    file = next(tmp_path.iterdir())
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(ArchatlasError, match=f"{file.name} is damaged .* Delete it and run again"):
        getattr(store, f"load_{kind}")("part")
