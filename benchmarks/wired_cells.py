"""Does free wiring cost speed? And how long do draws, canonical rows and Weisfeiler-Lehman labels take?

Networks of `wired_cells` train in turn with chains that have the same stem and head, the same number of convolutions of
each kind in each cell's place, one after the other, and a width by which the MACs are as near as can be: images a
second of a whole step (forward, backward, SGD), medians; one process, so that what else the machine does meets both.

    python -m benchmarks.wired_cells             # some minutes
    python -m benchmarks.wired_cells --quick     # a check that it works
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from archatlas.encodings.weisfeiler_lehman import wl_labels
from archatlas.networks.blocks import Chain, ConvNorm
from archatlas.networks.counting import count_module
from archatlas.networks.wired import SeparableConv
from archatlas.spaces.parameters import SpaceParameters
from archatlas.spaces.presets import make_space
from archatlas.spaces.protocol import Choices
from archatlas.spaces.wired_cells import WiredCells
from archatlas.training.memory import keep_freed_memory

DIGITS = {"vertices": 12}
CIFAR10 = {
    "vertices": 30,
    "min_used_vertices": 6,
    "cells": [
        {"width": 12, "out_width": 32},
        {"width": 16, "out_width": 48},
        {"width": 24, "out_width": 64, "pool": False},
    ],
}
"""As in conf/wired_cifar10."""

_CHUNK, _ROUNDS = 500, 3

_Layers = list[tuple[type, int, int]]
"""Kind and channels in and out of each layer."""


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parse(arguments)
    keep_freed_memory()
    torch.set_num_threads(options.threads)
    print(f"batch {options.batch}, {options.threads} threads, {options.steps} steps each in turn\n")
    print("| space | vertices | convolutions | MACs, million | of the chain | images a second | of the chain | ratio |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    for name, settings, shape in (("12 x 2, 8 x 8", DIGITS, (1, 8, 8)), ("30 x 3, 16 x 16", CIFAR10, (3, 16, 16))):
        space = wired_space(settings, shape)
        ratios = [_compare(name, space, row, options) for row in space.sample(options.networks, _generator())]
        print(f"| {name}, median | | | | | | | **{np.median(ratios):.2f}** |", flush=True)
    print(f"\n{options.graphs:,} networks of three cells of 30 vertices, seconds of one core\n")
    _time_graphs(wired_space(CIFAR10, (3, 16, 16)), options.graphs)


def wired_space(settings: dict[str, object], shape: tuple[int, int, int]) -> WiredCells:
    space = make_space(SpaceParameters.model_validate({"preset": "wired_cells", **settings}), shape, 10)
    assert isinstance(space, WiredCells)
    return space


def _generator() -> np.random.Generator:
    return np.random.default_rng(0)


def _compare(name: str, space: WiredCells, row: Choices, options: argparse.Namespace) -> float:
    """A line of the table, and how many times as many images a second the wired network takes."""
    wired, chain = space.build(row), chain_like(space, row)
    costs = [count_module(lambda made=made: made.to("meta"), space.input_shape) for made in (wired, chain)]
    steps = [_step(space.build(row), space, options.batch), _step(chain_like(space, row), space, options.batch)]
    times: list[list[float]] = [[], []]
    for _ in range(options.steps + 2):
        for step, taken in zip(steps, times, strict=True):
            began = time.perf_counter()
            step()
            taken.append(time.perf_counter() - began)
    speed = [options.batch / float(np.median(taken[2:])) for taken in times]
    convolutions = [sum(isinstance(module, nn.Conv2d) for module in made.modules()) for made in (wired, chain)]
    assert convolutions[0] == convolutions[1]
    macs = " | ".join(f"{cost.macs / 1e6:.2f}" for cost in costs)
    print(
        f"| {name} | {space.used(row[None]).sum()} | {convolutions[0]} | {macs} | {speed[0]:,.0f} | {speed[1]:,.0f} | "
        f"{speed[0] / speed[1]:.2f} |",
        flush=True,
    )
    return speed[0] / speed[1]


def chain_like(space: WiredCells, row: Choices) -> Chain:
    """A chain with the convolutions of a wired network, cell by cell, and as nearly as widths allow with its MACs."""
    wired = space.build(row)
    assert isinstance(wired, Chain)
    blocks: list[nn.Module] = []
    before, cell = space.stem_out_width, 0
    for block in wired.blocks:
        if not hasattr(block, "operations"):
            blocks.append(block)
            continue
        last, area = space.cells[cell].out_width, space.areas()[cell]
        kinds = [SeparableConv if isinstance(one, SeparableConv) else ConvNorm for one in block.operations]
        kinds += [ConvNorm, ConvNorm]
        wanted = count_module(lambda block=block: block.to("meta"), (before, *space.sizes()[cell])).macs

        def layers(width: int, kinds: Sequence[type] = kinds, ends: tuple[int, int] = (before, last)) -> _Layers:
            widths = [ends[0], *[width] * (len(kinds) - 1), ends[1]]
            return list(zip(kinds, widths, widths[1:], strict=False))

        def off(width: int, layers: Callable[[int], _Layers] = layers, area: int = area, wanted: int = wanted) -> int:
            weights = sum(a * b + (9 * a if kind is SeparableConv else 0) for kind, a, b in layers(width))
            return abs(weights * area - wanted)

        blocks.append(nn.Sequential(*(kind(a, b) for kind, a, b in layers(min(range(2, 257), key=off)))))
        before, cell = last, cell + 1
    return Chain(space.make_stem(), blocks, space.make_head())


def _step(network: nn.Module, space: WiredCells, batch: int) -> Callable[[], None]:
    torch.manual_seed(0)
    images, labels = torch.randn(batch, *space.input_shape), torch.randint(10, (batch,))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, nesterov=True)

    def step() -> None:
        loss: Tensor = functional.cross_entropy(network(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def _time_graphs(space: WiredCells, count: int) -> None:
    taken = []
    for _ in range(_ROUNDS):
        began = time.process_time()
        rows = space.sample(count, _generator())
        drawn = time.process_time()
        for start in range(0, count, _CHUNK):
            wl_labels(space.graphs(rows[start : start + _CHUNK], canonical=True), 3)
        taken.append((drawn - began, time.process_time() - drawn))
    sampling, labels = np.median(taken, axis=0)
    print(f"drawn, canonical and distinct: {sampling:.2f}; graphs and labels, 3 rounds: {labels:.2f}", flush=True)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--networks", type=int, default=6)
    parser.add_argument("--graphs", type=int, default=10_000)
    parser.add_argument("--quick", action="store_true", help="few steps and graphs")
    options = parser.parse_args(arguments)
    if options.quick:
        options.steps, options.networks, options.graphs = 2, 2, 200
    return options


if __name__ == "__main__":
    main()
