"""The public table of NAS-Bench-Macro (Su et al., CVPR 2021), row by row."""

from __future__ import annotations

import json

import numpy as np

from archatlas.costs.table import costs_of
from archatlas.spaces.presets import preset


def test_params_and_macs_equal_the_public_table(benchmark_data):
    rows = json.loads((benchmark_data / "nas_bench_macro" / "nas-bench-macro_cifar10.json").read_text())
    space = preset("nas_bench_macro", (3, 32, 32), 10)
    assert len(rows) == space.size == 6561
    choices = space.parse(list(rows))
    costs = costs_of(space, choices)
    # The table's column `flops` holds multiply-accumulates.
    assert costs["macs"].tolist() == [row["flops"] for row in rows.values()]
    assert costs["params"].tolist() == [row["params"] for row in rows.values()]
    assert len(np.unique(space.canonicalise(choices), axis=0)) == space.networks == 3969
