"""A small run through an engine: super-networks, their evaluation, trainings alone. What faults are tried on.

    python -m benchmarks.engine_job FOLDER --engine '{"name": "ray", "address": "auto"}'

Leaves digests of its tables and weights in FOLDER/tables.json; FOLDER/work holds what was finished, and a run that is
stopped goes on from there.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from archatlas.engines.make import working_on
from archatlas.engines.parameters import EngineParameters
from archatlas.errors import ArchatlasError
from archatlas.images.dataset import ImageSplit
from archatlas.images.description import ImageDescription
from archatlas.images.parameters import AugmentationParameters
from archatlas.kedro_ext.stop import RunStopped, stoppable
from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.chain_parts import Operation, Stage
from archatlas.storage.work_store import WorkStore, fingerprint
from archatlas.supernet.evaluate_all import evaluate_on_all
from archatlas.supernet.parameters import EvaluationParameters, SupernetParameters
from archatlas.supernet.train import train_supernets
from archatlas.training.parameters import DeviceParameters, TrainingParameters
from archatlas.verification.trainings import TrainingJob, Trainings

SPACE = ChainSpace(
    name="small",
    input_shape=(1, 8, 8),
    num_classes=3,
    stem_width=8,
    stages=(Stage(8, 2, 1), Stage(16, 2, 2)),
    operations=tuple(Operation.parse(name) for name in ("k3e1", "k5e3", "skip")),
    head_width=16,
)
DESCRIPTION = ImageDescription(
    class_names=("top", "middle", "bottom"),
    channels=1,
    image_size=8,
    mean=(0.3,),
    std=(0.3,),
    splits={"train": 480},
    source="made",
)
DEVICE = DeviceParameters(accelerator="cpu", threads=2, workers=2)


def images(count: int = 480) -> ImageSplit:
    """Three classes told apart by which third of the image is bright."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % 3
    pixels = torch.randint(0, 60, (count, 1, 8, 8), generator=generator, dtype=torch.uint8)
    for index, label in enumerate(labels.tolist()):
        pixels[index, :, 3 * label : 3 * label + 2] += 180
    return ImageSplit(pixels, labels)


class BrokenJob(TrainingJob):
    """A task that always fails: no network can be built."""

    def build(self) -> torch.nn.Module:
        raise ArchatlasError("`space`: this network cannot be built")


class HungryJob(TrainingJob):
    """A task that takes all memory: the first time that it is run, or (seed 1) every time."""

    def build(self) -> torch.nn.Module:
        tried = Path(self.label)
        if self.seed == 1 or not tried.exists():
            tried.touch()
            taken = []
            for _ in range(200):
                taken.append(np.ones(2**24, dtype=np.float64))
                time.sleep(0.02)
        return super().build()


def trainings(work: WorkStore, epochs: int = 6) -> Trainings:
    """Of the space, on the made images; each keeps every epoch."""
    training = TrainingParameters(epochs=epochs, batch_size=32)
    split = images()
    return Trainings(split, split, DESCRIPTION, training, AugmentationParameters(), DEVICE, work, checkpoint_seconds=0)


def jobs(count: int, kind: type[TrainingJob] = TrainingJob, **given: Any) -> list[TrainingJob]:
    """So many networks to be trained."""
    names = SPACE.names(SPACE.sample(count, np.random.default_rng(0))).tolist()
    return [kind(SPACE, name, **({"seed": number} | given)) for number, name in enumerate(names)]


def run(folder: Path, fault: str) -> Mapping[str, str]:
    """Digests of what is made."""
    work, split = WorkStore(folder / "work"), images()
    alone = trainings(work)
    if fault == "broken":
        alone.run(jobs(1, BrokenJob))
    if fault in ("hungry", "hungry_always"):
        alone.run(jobs(1, HungryJob, seed=int(fault == "hungry_always"), label=str(folder / "tried")))
    given = {"device": DEVICE, "work": work}
    parameters = SupernetParameters(seeds=2, training=TrainingParameters(epochs=4, batch_size=32))
    weights, curves = train_supernets(SPACE, split, DESCRIPTION, parameters=parameters, seed=0, **given)
    evaluations = evaluate_on_all(
        dict(enumerate(weights.values())),
        SPACE,
        SPACE.sample(30, np.random.default_rng(1)),
        train=split,
        validation=split,
        description=DESCRIPTION,
        parameters=EvaluationParameters(calibration_images=64, calibration_batch=64, part_size=6),
        images_seed=0,
        **given,
    )
    asked = jobs(10)
    table = alone.run(asked)
    return {
        "super-networks": fingerprint(weights),
        "curves": curves.to_csv(),
        "evaluations": fingerprint([run.table.to_csv() for run in evaluations]),
        "trainings": table.to_csv(),
        "weights": fingerprint([alone.weights(job) for job in asked]),
    }


def main() -> int:
    """0; 1 with one message where it cannot be done, and 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--engine", type=json.loads, default={})
    parser.add_argument("--fault", default="none")
    asked = parser.parse_args()
    logging.basicConfig(format="%(levelname)s %(message)s")
    try:
        with stoppable(), working_on(EngineParameters(**asked.engine)):
            tables = run(asked.folder, asked.fault)
    except (ArchatlasError, RunStopped) as error:
        print(f"told: {error}", file=sys.stderr)
        return getattr(error, "exit_code", 1)
    (asked.folder / "tables.json").write_text(json.dumps(tables, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
