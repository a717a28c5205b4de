"""Ways to compute the logits of many paths of a super-network."""

from __future__ import annotations

from archatlas.registry import Registry

JUDGES = Registry(
    "way to judge subnets",
    {
        "one_by_one": "archatlas.supernet.one_by_one:one_by_one_logits",
        "prefix_shared": "archatlas.supernet.prefix_shared:prefix_shared_logits",
    },
)
"""Each gives logits ``[n, classes]`` (float32) of every (sorted) row on the validation batches, in the rows' order.

Batch-norm statistics are estimated anew for each row from the calibration batches, in a copy of the super-network.
What is worth keeping from one call to the next, with the same copy and batches, goes into a ``kept.Kept``.
"""
