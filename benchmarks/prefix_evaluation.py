"""How much faster subnets are evaluated when each prefix is computed once, and how much faster they could be.

All 6,561 names of the nas_bench_macro space are evaluated with random weights: batch-norm statistics estimated anew
from calibration images, then logits of validation images. Both ways use the same images, batches, threads and memory
layout.

- prefix-shared: the walk of `archatlas.supernet.prefix_shared` over all names.
- one by one: `archatlas.supernet.one_by_one` on N names drawn at random (all of them would take hours); its time per
  name is taken for all.
- bound: each part's time for both streams, measured alone, summed over all paths and divided by the sum over the prefix
  tree. It is the speed-up of a walk that costs nothing but the blocks. The target is 80% of it.
- memory: the resident set of this process after a tenth of the walk, and the largest from there on.

    python -m benchmarks.prefix_evaluation                 # long: all names at each size and precision
    python -m benchmarks.prefix_evaluation --quick         # some seconds, 243 names: a check that it works
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from torch import Tensor, nn

from archatlas.images.dataset import ImageSplit
from archatlas.images.description import ImageDescription
from archatlas.networks.batch_norm import norm_layers
from archatlas.networks.blocks import is_identity
from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.presets import preset
from archatlas.spaces.protocol import Choices
from archatlas.supernet.chain import ChainSupernet
from archatlas.supernet.evaluate import image_batches, working_copy
from archatlas.supernet.make import make_supernet
from archatlas.supernet.one_by_one import one_by_one_logits
from archatlas.supernet.parameters import EvaluationParameters
from archatlas.supernet.prefix_shared import Streams, head_logits, prefix_shared_logits
from archatlas.training.parameters import DeviceParameters

TARGET = 0.8


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parse(arguments)
    torch.set_num_threads(options.threads)
    device = DeviceParameters(
        accelerator=options.accelerator, threads=options.threads, channels_last=options.channels_last
    )
    precisions = options.precisions or (["32", "bf16"] if _has_bf16(options.accelerator) else ["32"])
    results = []
    for size in options.sizes:
        for precision in precisions:
            parameters = EvaluationParameters(
                calibration_images=options.calibration_images,
                calibration_batch=options.calibration_batch,
                validation_batch=options.validation_batch,
                precision=precision,
            )
            result = {"image_size": size, "precision": precision, **_measure(size, parameters, device, options)}
            _report(result, options)
            results.append(result)
    if options.json is not None:
        settings = {name: str(value) if isinstance(value, Path) else value for name, value in vars(options).items()}
        machine = {"processor": _processor(), "torch": torch.__version__}
        options.json.write_text(json.dumps({"settings": settings, "machine": machine, "results": results}, indent=2))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[16, 32], help="side of the square images, pixels")
    parser.add_argument("--precisions", nargs="+", choices=["32", "bf16"], help="default: 32, and bf16 where there is")
    parser.add_argument("--calibration-images", type=int, default=64)
    parser.add_argument("--calibration-batch", type=int, default=64)
    parser.add_argument("--validation-images", type=int, default=64)
    parser.add_argument("--validation-batch", type=int, default=64)
    parser.add_argument("--one-by-one", type=int, default=150, metavar="N", help="names evaluated one by one")
    parser.add_argument("--repeats", type=int, default=15, help="timings of each block, of which the median counts")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--accelerator", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--channels-last", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--quick", action="store_true", help="16 images, 16x16 pixels, 243 names")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    options = parser.parse_args(arguments)
    if options.quick:
        options.sizes, options.one_by_one, options.repeats = [16], 20, 5
        options.calibration_images = options.validation_images = 16
    return options


def _measure(
    size: int, parameters: EvaluationParameters, device: DeviceParameters, options: argparse.Namespace
) -> dict[str, Any]:
    space = preset("nas_bench_macro", (3, size, size), 10)
    supernet = make_supernet(space, torch.Generator().manual_seed(0))
    rows = np.array(list(np.ndindex(*space.num_choices)), dtype=np.int8)
    if options.quick:
        rows = rows[-(3**5) :]
    calibration, validation = _images(size, parameters, device, options)
    drawn = rows[np.sort(np.random.default_rng(0).choice(len(rows), min(options.one_by_one, len(rows)), replace=False))]

    def copied() -> ChainSupernet:
        copy = working_copy(supernet, parameters.precision == "bf16", device)
        assert isinstance(copy, ChainSupernet)
        return copy

    for _ in one_by_one_logits(copied(), rows[[0, len(rows) // 2, -1]], calibration, validation):
        pass  # Warm-up: the convolutions' kernels are made when first used.
    references: list[Tensor] = []
    # Half of the reference before and half after, so that a machine that changes its pace is seen.
    first = _timed(one_by_one_logits(copied(), drawn[::2], calibration, validation), references.append)
    shared: dict[bytes, Tensor] = {}
    wanted = {row.tobytes() for row in drawn}
    walk = prefix_shared_logits(copied(), rows, calibration, validation)
    order = enumerate(rows)
    every, resident = max(1, len(rows) // 200), []

    def keep(logits: Tensor) -> None:
        number, row = next(order)
        if (key := row.tobytes()) in wanted:
            shared[key] = logits
        if number % every == 0:
            resident.append(psutil.Process().memory_info().rss / 2**20)

    prefix_seconds = _timed(walk, keep)
    second = _timed(one_by_one_logits(copied(), drawn[1::2], calibration, validation), references.append)
    times = _part_times(space, copied(), calibration, validation, options.repeats)
    reference_rows = np.concatenate([drawn[::2], drawn[1::2]])
    differences = [
        float((shared[row.tobytes()] - logits).abs().max())
        for row, logits in zip(reference_rows, references, strict=True)
    ]
    one_by_one_seconds = (first + second) / len(drawn) * len(rows)
    tree, paths = _sums(rows, times)
    speed_up, bound = one_by_one_seconds / prefix_seconds, paths / tree
    return {
        "names": len(rows),
        "prefix_shared_seconds": prefix_seconds,
        "prefix_shared_names_per_second": len(rows) / prefix_seconds,
        "one_by_one_names_timed": len(drawn),
        "one_by_one_seconds_scaled": one_by_one_seconds,
        "one_by_one_names_per_second": len(rows) / one_by_one_seconds,
        "one_by_one_second_half_over_first": (second / max(1, len(drawn[1::2]))) / (first / len(drawn[::2])),
        "speed_up": speed_up,
        "bound": bound,
        "share_of_bound": speed_up / bound,
        "block_seconds_over_tree": tree,
        "block_seconds_over_paths": paths,
        "max_abs_logit_difference": max(differences),
        "largest_logit": max(float(logits.abs().max()) for logits in references),
        "resident_mib_after_a_tenth": resident[len(resident) // 10],
        "resident_mib_largest_after": max(resident[len(resident) // 10 :]),
    }


def _images(
    size: int, parameters: EvaluationParameters, device: DeviceParameters, options: argparse.Namespace
) -> tuple[list[Tensor], list[Tensor]]:
    generator = torch.Generator().manual_seed(0)

    def split(count: int) -> ImageSplit:
        pixels = torch.randint(0, 256, (count, 3, size, size), generator=generator, dtype=torch.uint8)
        return ImageSplit(pixels, torch.zeros(count, dtype=torch.int64))

    description = ImageDescription(
        class_names=tuple("0123456789"),
        channels=3,
        image_size=size,
        mean=(0.5, 0.5, 0.5),
        std=(0.3, 0.3, 0.3),
        splits={},
        source="random pixels",
    )
    splits = split(options.calibration_images), split(options.validation_images)
    return image_batches(*splits, description, parameters, device, 0, description.image_size)


def _timed(logits: Iterable[Tensor], keep: Any) -> float:
    """Seconds that the iterable takes to run out."""
    started = time.perf_counter()
    for part in logits:
        keep(part)
    _wait()
    return time.perf_counter() - started


def _part_times(
    space: ChainSpace,
    supernet: ChainSupernet,
    calibration: Sequence[Tensor],
    validation: Sequence[Tensor],
    repeats: int,
) -> dict[tuple[int, int], float]:
    """Median seconds of both streams through each part: key (position, choice); -1 the stem, P the head."""
    supernet.eval()
    times: dict[tuple[int, int], float] = {}
    with torch.inference_mode():
        streams = Streams(calibration, validation)
        stem_layers = norm_layers(supernet.stem)
        times[-1, 0] = _median(lambda: streams.through(supernet.stem, stem_layers), repeats)
        streams = streams.through(supernet.stem, stem_layers)
        for position, count in enumerate(space.num_choices):
            for choice in range(count):
                times[position, choice] = _block_time(supernet.block(position, choice), streams, repeats)
            # Any choice that changes the shape, or the last: its output has the shape that the next position takes.
            block = supernet.block(position, count - 1)
            streams = streams.through(block, norm_layers(block))
        head_layers = norm_layers(supernet.head)
        times[len(space.num_choices), 0] = _median(lambda: head_logits(supernet.head, head_layers, streams), repeats)
    return times


def _block_time(block: nn.Module, streams: Streams, repeats: int) -> float:
    layers = norm_layers(block)
    return 0.0 if is_identity(block) else _median(lambda: streams.through(block, layers), repeats)


def _median(call: Any, repeats: int) -> float:
    seconds = []
    for _ in range(repeats + 2):
        started = time.perf_counter()
        call()
        _wait()
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds[2:]))


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _sums(rows: Choices, times: dict[tuple[int, int], float]) -> tuple[float, float]:
    """Seconds of all parts, each prefix counted once, and counted for every row."""
    positions = rows.shape[1]
    tree = times[-1, 0] + len(rows) * times[positions, 0]
    paths = len(rows) * (times[-1, 0] + times[positions, 0])
    for position in range(positions):
        ends = np.unique(rows[:, : position + 1], axis=0)[:, -1]
        for choice in np.unique(ends):
            tree += int((ends == choice).sum()) * times[position, int(choice)]
            paths += int((rows[:, position] == choice).sum()) * times[position, int(choice)]
    return tree, paths


def _report(result: dict[str, Any], options: argparse.Namespace) -> None:
    print(
        f"\n{result['image_size']}x{result['image_size']} pixels, precision {result['precision']}, "
        f"{options.calibration_images} calibration images in batches of {options.calibration_batch}, "
        f"{options.validation_images} validation images in batches of {options.validation_batch}, "
        f"{options.threads} thread(s), {'channels-last' if options.channels_last else 'contiguous'}, "
        f"{options.accelerator}"
    )
    print(
        f"  prefix-shared   {result['prefix_shared_seconds']:10.1f} s   "
        f"{result['prefix_shared_names_per_second']:8.2f} names/s   (all {result['names']:,} names)"
    )
    print(
        f"  one by one      {result['one_by_one_seconds_scaled']:10.1f} s   "
        f"{result['one_by_one_names_per_second']:8.2f} names/s   (scaled from {result['one_by_one_names_timed']} "
        f"random names; second half / first half of them {result['one_by_one_second_half_over_first']:.2f})"
    )
    verdict = "met" if result["share_of_bound"] >= TARGET else "MISSED"
    print(
        f"  speed-up {result['speed_up']:.2f}, block times allow {result['bound']:.2f}: "
        f"{result['share_of_bound']:.0%} of it (target {TARGET:.0%}: {verdict})"
    )
    print(
        f"  largest difference of logits {result['max_abs_logit_difference']:.2g} "
        f"(logits up to {result['largest_logit']:.2g})\n"
        f"  memory          {result['resident_mib_after_a_tenth']:10.0f} MiB after a tenth of the walk, "
        f"at most {result['resident_mib_largest_after']:.0f} MiB from there on",
        flush=True,
    )


def _has_bf16(accelerator: str) -> bool:
    """Whether the device multiplies bf16 itself, rather than by way of float32."""
    if accelerator == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return any("bf16" in flag for flag in _cpu_flags())


def _cpu_flags() -> list[str]:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line.split(":", 1)[1].split() for line in lines if line.startswith(("flags", "Features"))), [])


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor()
    )


if __name__ == "__main__":
    main()
