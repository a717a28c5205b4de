"""Images that do not fit in memory: prepared, read again, and trained on for an epoch, each by a process of its own.

    python -m benchmarks.many_images                                # 100,000 JPEG files of 224 x 224; 35 GB of disk
    python -m benchmarks.many_images --images 10000 --size 64

Files are made first (smooth noise, no two alike). Told are seconds, and the most memory of a process that is its own:
pages of files that the system reads as memory, and drops when others need it, do not count. What takes long for other
reasons is as small as it can be: the network is hardly one, and two subnets are judged. Large files lie in `--folder`
too (`TMPDIR`).
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from archatlas.images.dataset import ImageSplit
    from archatlas.images.description import ImageDescription

_CLASSES, _COARSE = 10, 8


def own_memory() -> float:
    """MiB of this process that lie in no file (Linux)."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return sum(float(fields[name].split()[0]) for name in ("RssAnon", "RssShmem")) / 1024


def measured(function: Callable[..., Any], *given: Any) -> tuple[float, float, Any]:
    """Seconds, most own memory in MiB, and what the function gives."""
    most, done = own_memory(), threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.wait(0.05):
            most = max(most, own_memory())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    begun = time.perf_counter()
    try:
        result = function(*given)
    finally:
        done.set()
        watcher.join()
    return time.perf_counter() - begun, most, result


def make_files(folder: Path, numbers: range, size: int) -> None:
    """A JPEG file for each number: coarse noise, made smooth."""
    for number in numbers:
        coarse = np.random.default_rng(number).integers(0, 256, (_COARSE, _COARSE, 3), dtype=np.uint8)
        place = folder / f"class_{number % _CLASSES}"
        Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC).save(place / f"{number}.jpg")


def prepare_them(folder: Path, files: dict[str, Path], size: int) -> None:
    """As the node `prepare_images` and the catalog do."""
    from archatlas.images.parameters import ImagesParameters
    from archatlas.images.preparing import prepare
    from archatlas.kedro_ext.datasets import TensorsDataset

    asked = {"source": "folder", "path": str(folder), "image_size": size}
    prepared = prepare(ImagesParameters.model_validate(asked), seed=0)
    for name, split in (("train", prepared.train), ("validation", prepared.validation), ("test", prepared.test)):
        TensorsDataset(filepath=str(files[name])).save(split.to_tensors())
    files["description"].write_text(prepared.description.model_dump_json())


def loaded(files: dict[str, Path], split: str) -> tuple[ImageSplit, ImageDescription]:
    from archatlas.images.dataset import ImageSplit
    from archatlas.images.description import ImageDescription
    from archatlas.kedro_ext.datasets import TensorsDataset

    images = ImageSplit.from_tensors(TensorsDataset(filepath=str(files[split])).load())
    return images, ImageDescription.model_validate_json(files["description"].read_text())


def judge(files: dict[str, Path]) -> None:
    """Two subnets of a super-network that has learned nothing."""
    import torch

    from archatlas.spaces.presets import preset
    from archatlas.supernet.evaluate import evaluate_subnets
    from archatlas.supernet.make import make_supernet
    from archatlas.supernet.parameters import EvaluationParameters
    from archatlas.training.parameters import DeviceParameters

    (train, description), (validation, _) = (loaded(files, split) for split in ("train", "validation"))
    space = preset("photographs", description.input_shape, description.num_classes)
    evaluate_subnets(
        make_supernet(space, torch.Generator().manual_seed(0)),
        space,
        space.sample(2, np.random.default_rng(0)),
        train=train,
        validation=validation,
        description=description,
        parameters=EvaluationParameters(),
        device=DeviceParameters(accelerator="cpu"),
        seed=0,
        work=None,
    )


def train_on(files: dict[str, Path]) -> float:
    """An epoch of a network that is hardly one: what takes the time is to fetch, normalise and augment images."""
    from torch import nn

    from archatlas.images.parameters import AugmentationParameters
    from archatlas.training.loop import train
    from archatlas.training.parameters import DeviceParameters, TrainingParameters

    images, description = loaded(files, "train")
    layers = nn.Conv2d(3, 8, 8, stride=8), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    curve = train(
        nn.Sequential(*layers, nn.Linear(8, _CLASSES)),
        images,
        description,
        training=TrainingParameters(epochs=1, batch_size=64, warmup_epochs=0),
        augmentation=AugmentationParameters(flip=True, shift=8),
        device=DeviceParameters(accelerator="cpu"),
        seed=0,
    )
    return curve[-1]["loss"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--folder", type=Path, help="where files are made (a temporary folder)")
    asked = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    if asked.folder:
        os.environ["TMPDIR"] = str(asked.folder)
    with tempfile.TemporaryDirectory(dir=asked.folder) as temporary:
        source, files = Path(temporary, "images"), {name: Path(temporary, name) for name in _FILES}
        for number in range(_CLASSES):
            (source / f"class_{number}").mkdir(parents=True)
        with ProcessPoolExecutor(mp_context=context) as pool:
            parts = [range(start, min(start + 1000, asked.images)) for start in range(0, asked.images, 1000)]
            list(pool.map(make_files, [source] * len(parts), parts, [asked.size] * len(parts)))
        gigabytes = asked.images * asked.size**2 * 3 / 2**30
        print(f"{asked.images:,} images of {asked.size} x {asked.size}: {gigabytes:.1f} GiB as pixels", flush=True)
        for what, function, given in (
            ("prepared and kept", prepare_them, (source, files, asked.size)),
            ("an epoch over those for training", train_on, (files,)),
            ("two subnets judged", judge, (files,)),
        ):
            with ProcessPoolExecutor(1, mp_context=context) as pool:
                seconds, memory, _ = pool.submit(measured, function, *given).result()
            print(f"{what}: {seconds:.0f} s, {memory:,.0f} MiB at the most", flush=True)


_FILES = ("train", "validation", "test", "description")


if __name__ == "__main__":
    main()
