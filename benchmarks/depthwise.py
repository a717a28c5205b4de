"""What do gradients of depthwise convolutions cost, by PyTorch's own kernels and by ours?

Layers as in `nas_bench_macro` at 16 x 16 and in `mobile`; channels-last, one process, the two ways in turn; medians. A
time is that of the gradients of input and weights together.

    python -m benchmarks.depthwise             # a minute or two
    python -m benchmarks.depthwise --quick     # a check that it works
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from archatlas.networks.depthwise import DepthwiseConv2d
from archatlas.training.memory import keep_freed_memory

# Width, kernel, stride, side.
LAYERS = (
    (96, 3, 2, 16), (192, 5, 2, 16), (192, 3, 1, 8), (384, 5, 1, 8), (384, 5, 2, 8), (768, 5, 1, 4), (768, 3, 1, 2),
    (1536, 5, 1, 2), (240, 7, 1, 4), (576, 7, 1, 2),
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parse(arguments)
    keep_freed_memory()
    torch.set_num_threads(options.threads)
    print(f"batch {options.batch}, {options.threads} threads; ms\n")
    print("| channels | kernel | stride | pixels | fp32: PyTorch | ours | ratio | bf16: PyTorch | ours | ratio |")
    print("|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    for layer in LAYERS:
        cells = [str(value) for value in layer]
        for dtype in (torch.float32, torch.bfloat16):
            theirs, ours = _times(*layer, dtype, options)
            cells += [f"{theirs:.2f}", f"{ours:.2f}", f"{theirs / ours:.1f}"]
        print("| " + " | ".join(cells) + " |", flush=True)


def _times(
    width: int, kernel: int, stride: int, side: int, dtype: torch.dtype, options: argparse.Namespace
) -> tuple[float, float]:
    """Milliseconds of PyTorch's gradients and of ours."""
    torch.manual_seed(0)
    shape = (options.batch, width, side, side)
    images = torch.randn(shape, dtype=dtype).contiguous(memory_format=torch.channels_last).requires_grad_()
    theirs = nn.Conv2d(width, width, kernel, stride, kernel // 2, groups=width, bias=False)
    ours = DepthwiseConv2d(width, kernel, stride)
    ways = [_gradients(module.to(dtype), images) for module in (theirs, ours)]
    times: list[list[float]] = [[], []]
    for _ in range(options.rounds + 2):
        for way, taken in zip(ways, times, strict=True):
            began = time.perf_counter()
            way()
            taken.append(1e3 * (time.perf_counter() - began))
    theirs_time, ours_time = (float(np.median(taken[2:])) for taken in times)
    return theirs_time, ours_time


def _gradients(module: nn.Module, images: Tensor) -> Callable[[], object]:
    output = module(images)
    after = torch.randn_like(output)
    return lambda: torch.autograd.grad(output, [images, *module.parameters()], after, retain_graph=True)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--quick", action="store_true", help="small batches, two rounds")
    options = parser.parse_args(arguments)
    if options.quick:
        options.batch, options.rounds = 8, 2
    return options


if __name__ == "__main__":
    main()
