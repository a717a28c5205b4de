from __future__ import annotations

import copy
import weakref
from collections import Counter

import numpy as np
import pytest
import torch
from torch import nn

from archatlas.networks.batch_norm import norm_layers
from archatlas.networks.blocks import is_identity
from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.protocol import Choices
from archatlas.supernet.chain import ChainSupernet
from archatlas.supernet.kept import Kept
from archatlas.supernet.make import make_supernet
from archatlas.supernet.one_by_one import one_by_one_logits
from archatlas.supernet.prefix_shared import prefix_shared_logits


@pytest.fixture
def supernet(space: ChainSpace) -> ChainSupernet:
    supernet = make_supernet(space, torch.Generator().manual_seed(0))
    for layer in norm_layers(supernet):
        # Statistics, scales and shifts as after a training: nothing may depend on the super-network's own statistics.
        nn.init.uniform_(layer.weight, 0.5, 1.5, generator=torch.Generator().manual_seed(1))
        nn.init.uniform_(layer.bias, -0.5, 0.5, generator=torch.Generator().manual_seed(2))
        layer.running_mean.fill_(7.0)
    return supernet


def batches(count: int, size: int, seed: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(size, 1, 8, 8, generator=generator) for _ in range(count)]


def every_row(space: ChainSpace) -> Choices:
    return np.array(list(np.ndindex(*space.num_choices)), dtype=np.int8)


@pytest.mark.parametrize("head_width", [8, 0])
def test_equals_the_one_by_one_reference_on_the_whole_space(space: ChainSpace, head_width: int) -> None:
    space = ChainSpace("tiny", (1, 8, 8), 3, 4, space.stages, space.operations, head_width=head_width)
    supernet = make_supernet(space, torch.Generator().manual_seed(0))
    rows, calibration, validation = every_row(space), batches(3, 10, 0), batches(2, 7, 1)
    shared = prefix_shared_logits(copy.deepcopy(supernet), rows, calibration, validation)
    reference = one_by_one_logits(copy.deepcopy(supernet), rows, calibration, validation)
    seen = set()
    for ours, theirs in zip(shared, reference, strict=True):
        assert ours.shape == (14, 3)
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
        seen.add(tuple(ours[0].tolist()))
    assert len(seen) == space.size  # even twins, which are one network, have other weights where they stand


def test_equals_a_subnet_extracted_and_recalibrated_by_hand(supernet: ChainSupernet) -> None:
    row, calibration, validation = np.array([1, 2, 0, 1], dtype=np.int8), batches(2, 10, 0), batches(1, 7, 1)
    alone = supernet.extract(row)
    for layer in norm_layers(alone):
        layer.reset_running_stats()
        layer.momentum = None
    alone.train()
    with torch.no_grad():
        for batch in calibration:
            alone(batch)
        expected = alone.eval()(validation[0])
    (logits,) = prefix_shared_logits(supernet, row[None], calibration, validation)
    torch.testing.assert_close(logits, expected, atol=1e-5, rtol=1e-5)


def test_every_prefix_is_computed_once(space: ChainSpace, supernet: ChainSupernet) -> None:
    rows, calibration, validation = every_row(space), batches(2, 6, 0), batches(1, 5, 1)
    calls: Counter[tuple[int, int]] = Counter()
    for position, choices in enumerate(supernet.blocks):
        for choice, block in enumerate(choices):
            block.register_forward_hook(lambda *_, key=(position, choice): calls.update([key]))
    list(prefix_shared_logits(supernet, rows, calibration, validation))
    for position, choices in enumerate(supernet.blocks):
        prefixes = int(np.prod(space.num_choices[:position]))
        for choice, block in enumerate(choices):
            # Three batches for every prefix that ends here; identities cost nothing.
            assert calls[position, choice] == (0 if is_identity(block) else 3 * prefixes)


def test_no_more_activations_are_alive_than_the_tree_is_deep(space: ChainSpace, supernet: ChainSupernet) -> None:
    alive: weakref.WeakSet[torch.Tensor] = weakref.WeakSet()
    for choices in supernet.blocks:
        for block in choices:
            if not is_identity(block):
                block.register_forward_hook(lambda module, inputs, output: alive.add(output))
    most = 0
    for _ in prefix_shared_logits(supernet, every_row(space), batches(2, 6, 0), batches(1, 5, 1)):
        most = max(most, len(alive))
    assert most <= 3 * len(space.num_choices)


def test_what_is_kept_gives_the_same_logits_in_whatever_order_rows_come(
    space: ChainSpace, supernet: ChainSupernet
) -> None:
    rows, calibration, validation = every_row(space), batches(2, 6, 0), batches(1, 5, 1)
    sorted_logits = list(prefix_shared_logits(supernet, rows, calibration, validation))
    for kept in (Kept(), Kept(3_000), Kept(10**9)):
        for place in np.random.default_rng(0).permutation(len(rows)):
            (logits,) = prefix_shared_logits(supernet, rows[place][None], calibration, validation, kept)
            assert torch.equal(logits, sorted_logits[place])


def test_kept_results_are_bounded_and_the_shortest_prefixes_stay_longest() -> None:
    kept, row = Kept(35), np.array([1, 2, 3], dtype=np.int8)
    for depth in range(3):
        kept.keep(row[:depth], f"first {depth}", 10)
    assert kept.longest_prefix(row) == (2, "first 2")
    assert kept.longest_prefix(np.array([1, 9, 9], dtype=np.int8)) == (1, "first 1")
    kept.keep(np.array([1, 9], dtype=np.int8), "other", 10)
    assert len(kept) == 3
    assert kept.longest_prefix(row) == (1, "first 1"), "the longest that was used least recently is gone"
    nothing_more = Kept()
    for depth in range(3):
        nothing_more.keep(row[:depth], depth, 10)
    assert nothing_more.longest_prefix(row) == (2, 2), "what the path at hand needs stays"
    assert nothing_more.longest_prefix(np.array([7, 7, 7], dtype=np.int8)) == (0, 0)
    assert len(nothing_more) == 1
