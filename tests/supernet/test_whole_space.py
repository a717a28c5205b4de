from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from archatlas.errors import ArchatlasError
from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.chain_parts import Stage
from archatlas.supernet.whole_space import MOST_EVALUATED, joined_rows, rows_of, whole_space, whole_space_size


def test_networks_once_each_and_all_their_spellings(space: ChainSpace) -> None:
    networks, spelled = whole_space(space, twins=False), whole_space(space, twins=True)
    assert len(np.unique(networks, axis=0)) == len(networks) == space.networks == 7 * 6
    assert len(np.unique(spelled, axis=0)) == len(spelled) == space.size == 9 * 6
    assert set(space.names(space.canonicalise(spelled))) == set(space.names(networks))


def test_a_space_that_is_too_large_is_refused(space: ChainSpace) -> None:
    large = replace(space, stages=(Stage(4, 20, 1), Stage(6, 2, 2)))
    assert large.networks > MOST_EVALUATED
    with pytest.raises(ArchatlasError, match=r"`evaluation\.whole_space` asks for all"):
        whole_space(large, twins=False)


def test_spellings_count_where_all_are_asked_for(space: ChainSpace) -> None:
    deep = replace(space, operations=space.operations[::2], stages=(Stage(4, 18, 1),))
    assert deep.networks < MOST_EVALUATED < deep.size == 2**18
    assert whole_space_size(deep, twins=False) == deep.networks
    with pytest.raises(ArchatlasError, match=r"asks for all 262,144 architectures"):
        whole_space(deep, twins=True)


def test_rows_of_both_once_each() -> None:
    first, second = np.array([[0, 1], [1, 1]], dtype=np.int8), np.array([[1, 1], [2, 0]], dtype=np.int8)
    assert joined_rows(first, second).tolist() == [[0, 1], [1, 1], [2, 0]]
    assert joined_rows(first, first).tolist() == first.tolist()


def test_a_part_of_the_evaluations_in_its_own_order() -> None:
    table = pd.DataFrame(
        {"architecture": ["x", "x", "y", "y", "z", "z"], "half": ["a", "b"] * 3, "accuracy": np.arange(6.0)}
    )
    part = rows_of(table, np.array(["z", "x"]))
    assert part[["architecture", "half", "accuracy"]].to_numpy().tolist() == [
        ["z", "a", 4.0], ["z", "b", 5.0], ["x", "a", 0.0], ["x", "b", 1.0],
    ]  # fmt: skip
    assert part.index.tolist() == [0, 1, 2, 3]
    assert rows_of(table, np.array([], dtype=str)).empty
