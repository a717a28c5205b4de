"""Does switching paths cost anything, and what do super-networks gain side by side?

Random images, the space `nas_bench_macro`, the training loop of the project, all in one process:

- a super-network that goes through some random networks of the space path by path, against the same networks built
  alone and trained alone: the same blocks, images, batches, optimiser and threads. Rounds of the two alternate, and the
  median of the rounds counts. The target is 90% of the speed.
- two super-networks one after the other on all threads, against two side by side with their share of the threads
  (processes that have started already).

    python -m benchmarks.train_supernet            # some minutes
    python -m benchmarks.train_supernet --quick    # a check that it works
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from archatlas.images.dataset import ImageSplit
from archatlas.images.description import ImageDescription
from archatlas.images.parameters import AugmentationParameters
from archatlas.networks.blocks import initialise
from archatlas.spaces.presets import preset
from archatlas.spaces.protocol import SearchSpace
from archatlas.supernet.make import make_supernet
from archatlas.supernet.parameters import SupernetParameters
from archatlas.supernet.train import train_supernets
from archatlas.training.loop import PathSampler, train
from archatlas.training.parameters import DeviceParameters, TrainingParameters

TARGET = 0.9


@dataclass(frozen=True)
class InTurn:
    """One path after the other, again and again."""

    paths: tuple[tuple[int, ...], ...]

    def __call__(self, step: int, generator: torch.Generator) -> list[tuple[int, ...]]:
        return [self.paths[step % len(self.paths)]]


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parse(arguments)
    space = preset("nas_bench_macro", (3, options.size, options.size), 10)
    paths = tuple(tuple(map(int, row)) for row in space.sample(options.networks, np.random.default_rng(0)))
    steps = options.steps * len(paths)
    of_supernet, of_networks = [], []
    supernet = make_supernet(space, torch.Generator().manual_seed(0))
    networks = [_built(space, path) for path in paths]
    for _ in range(options.rounds + 1):
        of_supernet.append(_seconds(supernet, steps, options, InTurn(paths)))
        of_networks.append(sum(_seconds(network, options.steps, options) for network in networks))
    # The first round makes the kernels.
    shared, alone = (float(np.median(times[1:])) for times in (of_supernet, of_networks))
    images = steps * options.batch
    print(f"{options.size} x {options.size}, batch {options.batch}, {torch.get_num_threads()} threads")
    print("| | images/s |\n|---|--:|")
    print(f"| super-network, {len(paths)} paths in turn | {images / shared:.0f} |")
    print(f"| the same networks, each alone | {images / alone:.0f} |")
    print(f"ratio {alone / shared:.2f} (target {TARGET}); of the rounds {_ratios(of_networks, of_supernet)}")
    _side_by_side(space, options)


def _side_by_side(space: SearchSpace, options: argparse.Namespace) -> None:
    """Two super-networks one after the other, and two at a time."""
    threads = torch.get_num_threads()
    count = options.steps * options.networks * options.batch
    parameters = SupernetParameters(seeds=2, training=_schedule(options), augmentation=AugmentationParameters(shift=2))
    seconds: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(options.rounds + 1):
        for workers, times in seconds.items():
            device = DeviceParameters(accelerator="cpu", threads=threads, workers=workers)
            began = time.perf_counter()
            train_supernets(
                space, _images(count, options.size), _description(options.size),
                parameters=parameters, device=device, seed=0, work=None, progress=False,
            )  # fmt: skip
            times.append(time.perf_counter() - began)
    one, two = (float(np.median(times[1:])) for times in seconds.values())
    print(f"\n| two super-networks, {threads} threads | images/s |\n|---|--:|")
    print(f"| one after the other | {2 * count / one:.0f} |\n| side by side | {2 * count / two:.0f} |")
    print(f"ratio {one / two:.2f}; of the rounds {_ratios(seconds[1], seconds[2])}")


def _seconds(network: nn.Module, steps: int, options: argparse.Namespace, paths: PathSampler | None = None) -> float:
    images = _images(steps * options.batch, options.size)
    began = time.perf_counter()
    train(
        network, images, _description(options.size),
        training=_schedule(options), augmentation=AugmentationParameters(shift=2),
        device=DeviceParameters(accelerator="cpu"), seed=0, paths=paths,
    )  # fmt: skip
    return time.perf_counter() - began


def _built(space: SearchSpace, path: tuple[int, ...]) -> nn.Module:
    network = space.build(np.array(path, dtype=np.int8))
    initialise(network, torch.Generator().manual_seed(0))
    return network


def _schedule(options: argparse.Namespace) -> TrainingParameters:
    return TrainingParameters(epochs=1, batch_size=options.batch, learning_rate=0.01, warmup_epochs=0)


def _images(count: int, size: int) -> ImageSplit:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, 3, size, size), generator=generator, dtype=torch.uint8)
    return ImageSplit(pixels, torch.arange(count) % 10)


def _description(size: int) -> ImageDescription:
    return ImageDescription(
        class_names=tuple("0123456789"), channels=3, image_size=size, mean=(0.5,) * 3, std=(0.3,) * 3, splits={},
        source="random pixels",
    )  # fmt: skip


def _ratios(slow: Sequence[float], fast: Sequence[float]) -> str:
    return ", ".join(f"{a / b:.2f}" for a, b in zip(slow[1:], fast[1:], strict=True))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=16, help="side of the square images, pixels")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--networks", type=int, default=6, help="random networks of the space")
    parser.add_argument("--steps", type=int, default=8, help="steps of each network in a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="2 networks, 1 round")
    options = parser.parse_args(arguments)
    if options.quick:
        options.networks, options.steps, options.rounds = 2, 2, 1
    return options


if __name__ == "__main__":
    main()
