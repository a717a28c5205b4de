from __future__ import annotations

from torch import nn

from archatlas.networks.blocks import Chain, ConvNorm, Head, MBConv
from archatlas.networks.counting import ModuleCost, count_module


def test_a_convolution_by_hand() -> None:
    # 2 x 3 kernels of 3 x 3 at 4 x 4 places; weights and the norm's scale and shift.
    assert count_module(lambda: ConvNorm(2, 3, 3, 2), (2, 8, 8)) == ModuleCost(
        macs=2 * 3 * 9 * 16, params=2 * 3 * 9 + 6
    )


def test_an_inverted_residual_block_by_hand() -> None:
    cost = count_module(lambda: MBConv(4, 6, kernel=5, expansion=3, stride=2), (4, 8, 8))
    expand, depthwise, project = 4 * 12 * 64, 12 * 25 * 16, 12 * 6 * 16
    assert cost.macs == expand + depthwise + project
    assert cost.params == (4 * 12 + 2 * 12) + (12 * 25 + 2 * 12) + (12 * 6 + 2 * 6)


def test_a_linear_head_counts_its_bias_as_parameters_only() -> None:
    assert count_module(lambda: Head(5, 0, 3), (5, 2, 2)) == ModuleCost(macs=15, params=18)


def test_a_chain_is_the_sum_of_its_parts() -> None:
    stem, block, head = (
        (lambda: ConvNorm(1, 4, 3)),
        (lambda: MBConv(4, 4, kernel=3, expansion=2)),
        (lambda: Head(4, 8, 3)),
    )
    parts = [count_module(stem, (1, 6, 6)), count_module(block, (4, 6, 6)), count_module(head, (4, 6, 6))]
    whole = count_module(lambda: Chain(stem(), [block(), nn.Identity()], head()), (1, 6, 6))
    assert whole == ModuleCost(sum(part.macs for part in parts), sum(part.params for part in parts))
