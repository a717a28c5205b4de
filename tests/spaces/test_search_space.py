"""The space of a run as a document."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from archatlas.errors import ArchatlasError
from archatlas.pipelines.space import searched_space, space_document
from archatlas.spaces.identity import identity_of
from archatlas.spaces.parameters import SpaceParameters
from archatlas.spaces.presets import make_space, preset
from archatlas.spaces.registry import SPACES
from archatlas.spaces.restricted import Restricted
from archatlas.spaces.search_space import read_space
from archatlas.spaces.tables.known import CIFAR10
from archatlas.spaces.tables.parameters import TableParameters

IMAGES = CIFAR10.model_dump(mode="json")


def described(table: TableParameters | None = None, **fields: Any) -> dict[str, Any]:
    return space_document(IMAGES, SpaceParameters.model_validate(fields), table)


@pytest.mark.parametrize("name", SPACES)
def test_what_is_read_is_the_space_that_was_asked_for(name: str) -> None:
    document = described(preset=name)
    assert json.loads(json.dumps(document)) == document
    made = preset(name, CIFAR10.input_shape, CIFAR10.num_classes)
    for read in (read_space(document), searched_space(document)):
        assert type(read) is type(made)
        assert (identity_of(read), read.name, read.num_classes) == (identity_of(made), name, 10)


def test_settings_are_kept_and_nulls_leave_no_trace() -> None:
    fields = {"preset": "photographs", "image_sizes": [24, 32], "widths": [0.5, 1.0], "head_width": 24}
    document = described(**fields)
    assert document["space"] == fields
    assert document["known"] is None
    assert described(**fields, choices=None, stages=None) == document
    assert read_space(document) == make_space(SpaceParameters.model_validate(fields), (3, 32, 32), 10)


def write_table(folder: Any, networks: int) -> TableParameters:
    """A NAS-Bench-Macro of the first networks alone."""
    space = preset("nas_bench_macro", (3, 32, 32), 10)
    names = space.names(space.enumerate_networks(0, networks))
    entries = {name: {"test_acc": [90, 91, 92], "params": 1, "flops": 2} for name in names.tolist()}
    file = folder / "nas-bench-macro_cifar10.json"
    file.write_text(json.dumps(entries))
    return TableParameters(name="nas_bench_macro", path=str(file), label="test")


def test_with_a_table_the_networks_that_it_knows_are_searched(tmp_path: Any) -> None:
    table = write_table(tmp_path, 12)
    document = described(table, preset="nas_bench_macro")
    assert document["known"]["table"] == table.model_dump()
    assert document["known"]["networks"] == 12
    searched: Any = searched_space(document)
    assert isinstance(searched, Restricted)
    assert searched.networks == 12
    assert not isinstance(read_space(document), Restricted)
    rows = searched.sample(12, np.random.default_rng(0))
    assert sorted(searched.names(rows)) == sorted(searched.names(searched.kept))


def test_a_table_that_has_changed_since_is_refused(tmp_path: Any) -> None:
    document = described(write_table(tmp_path, 12), preset="nas_bench_macro")
    again = described(write_table(tmp_path, 12), preset="nas_bench_macro")
    assert again == document
    write_table(tmp_path, 13)
    with pytest.raises(ArchatlasError, match=r"the table nas_bench_macro has changed: it knew 12 networks .* now 13"):
        searched_space(document)
