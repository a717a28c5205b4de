"""What a run of an evening is worth beside the plainest thing that one could do: train a MobileNet, scaled by hand.

For every folder of images and every time a run is made, and then a MobileNet of the winner's budget is trained alone,
with the run's own finishing recipe, for as long as the whole run took (300 epochs at the most): all workers share its
training, as they share a winner's, or train several, the best on the validation images kept; where the run has searched
several sizes of images, one MobileNet of each size. Both are judged on the same test images. Beside them stands what
the run says of the networks that it trained alike for a few epochs: how far the winner is ahead of random networks of
its budget, and of a MobileNet scaled to it.

    python -m benchmarks.own_images --images DIR --times 10min 30min --seeds 0 --params export.int8=true

CIFAR-10 lies in Parquet files, of which a run may take a part:

    python -m benchmarks.own_images --images DIR --params images.source=hub,images.hub_name=cifar10,\
images.image_column=img,images.label_column=label,images.max_images=10000

Results lie under data/ like those of any run, in experiments named own_images_<folder>_<time>_<seed>.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from archatlas.costs.constraints import Constraint
from archatlas.images.dataset import ImageSplit
from archatlas.images.description import ImageDescription
from archatlas.predictors.metrics import wilson_interval
from archatlas.schedule.facts import Facts
from archatlas.schedule.finishing import finishing_now, sharing_of
from archatlas.schedule.pace import Pace, training_seconds
from archatlas.signals.winners import comparisons
from archatlas.spaces.parameters import SpaceParameters
from archatlas.spaces.presets import make_space
from archatlas.storage.work_store import WorkStore
from archatlas.training.parameters import DeviceParameters
from archatlas.verification.mobilenet import scaled_mobilenets
from archatlas.verification.parameters import FinishingParameters
from archatlas.verification.trainings import TrainingJob, Trainings
from archatlas.verification.winners import best_first_of

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Row:
    """A line of the table: who, how large, and how good."""

    images: str
    time: str
    seed: int
    who: str
    macs: int
    test: float
    low: float
    high: float
    minutes: float | None = None

    def __str__(self) -> str:
        minutes = "" if self.minutes is None else f"{self.minutes:.1f}"
        return (
            f"| {self.images} | {self.time} | {self.seed} | {self.who} | {self.macs / 1e6:.1f} M | "
            f"{100 * self.test:.1f} ({100 * self.low:.1f} to {100 * self.high:.1f}) | {minutes} |"
        )


@dataclass(frozen=True)
class Ahead:
    """A line of the table: by how much a winner is ahead of others, trained alike, with a 95% interval if known."""

    images: str
    time: str
    seed: int
    others: str
    macs: int
    difference: float
    margin: float | None

    def __str__(self) -> str:
        margin = "noise not known" if self.margin is None else f"\u00b1 {100 * self.margin:.1f}"
        return (
            f"| {self.images} | {self.time} | {self.seed} | winner less {self.others}, trained alike | "
            f"{self.macs / 1e6:.1f} M | {100 * self.difference:+.1f} {margin} | |"
        )


def main() -> None:
    options = read_options()
    print(
        "| images | time | seed | | MACs | test accuracy (95%) | minutes |\n|---|---|--:|---|--:|--:|--:|", flush=True
    )
    for images in options.images:
        for given in options.times:
            for seed in options.seeds:
                for row in compared(images.resolve(), given, seed, options):
                    print(row, flush=True)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", nargs="+", type=Path, required=True, help="folders of images")
    parser.add_argument("--times", nargs="+", default=["30min"], help="time budgets (30min)")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], help="seeds of the project (0)")
    parser.add_argument("--budget", default="25%", help="most MACs, a number or a part of the space's range (25%%)")
    parser.add_argument("--env", default="image_folder", help="environment (image_folder), or a copy of it")
    parser.add_argument("--params", default="", help="further parameters, as for kedro run")
    parser.add_argument("--without-control", action="store_true", help="leave the MobileNet out")
    return parser.parse_args()


def compared(images: Path, given: str, seed: int, options: argparse.Namespace) -> list[Row | Ahead]:
    """The winner of a run, what it was compared with, and the MobileNet that was trained as long."""
    name = f"own_images_{images.name}_{given}_{seed}"
    minutes = run(name, images, given, seed, options) / 60
    current = ROOT / "data" / "current" / name
    (winner,) = json.loads((current / "winners.json").read_text())
    low, high = winner["exported_accuracy_ci"]
    who = f"winner ({winner['role']})"
    row = Row(images.name, given, seed, who, winner["macs"], winner["exported_accuracy"], low, high, minutes)
    rows: list[Row | Ahead] = [row, *in_eight_bits(current, row, winner), *trained_alike(current, row, winner)]
    if not options.without_control:
        rows.append(control(current, images.name, given, seed, minutes, options))
    return rows


def in_eight_bits(current: Path, row: Row, winner: dict[str, Any]) -> list[Row]:
    """The winner in eight bits, where the run has written it."""
    if winner["int8_accuracy"] is None:
        return []
    summary = json.loads((current / "export_summary.json").read_text())
    times = [summary["budgets"]["small"]["int8"]["latency_ms"][kind]["median_ms"] for kind in ("float", "int8")]
    images = json.loads((current / "image_description.json").read_text())["splits"]["test"]
    accuracy, who = winner["int8_accuracy"], f"the same in int8 ({times[0]:.3f} ms, {times[1]:.3f} in int8)"
    low, high = wilson_interval(accuracy, images)
    return [replace(row, who=who, test=accuracy, low=low, high=high, minutes=None)]


def trained_alike(current: Path, row: Row, winner: dict[str, Any]) -> list[Ahead]:
    """The winner beside random networks and the MobileNet of the run, trained alike, as the report compares them."""
    others = {
        "random": f"the mean of {winner['random_count']} random networks",
        "mobilenet": f"a MobileNet of {(winner['mobilenet_macs'] or 0) / 1e6:.1f} M MACs",
    }
    images = json.loads((current / "image_description.json").read_text())["splits"]["test"]
    return [
        Ahead(row.images, row.time, row.seed, others[one.role], row.macs, one.difference, one.margin)
        for one in comparisons(winner, images)
    ]


def run(name: str, images: Path, given: str, seed: int, options: argparse.Namespace) -> float:
    """Seconds of a run, as a user would make it."""
    parameters = {
        "experiment": name,
        "images.path": images,
        "time_budget": given,
        "seed": seed,
        "search.budgets.large": "null",
        "search.budgets.small.max_macs": options.budget,
    }
    asked = ",".join([*(f"{key}={value}" for key, value in parameters.items()), *filter(None, [options.params])])
    command = [sys.executable, "-m", "kedro", "run", "--env", options.env, "--params", asked]
    begun = time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True)
    return time.perf_counter() - begun


def control(current: Path, images: str, given: str, seed: int, minutes: float, options: argparse.Namespace) -> Row:
    """A MobileNet of the run's budget, trained for as long as the run has taken."""
    from safetensors.torch import load_file

    train, validation, test = (
        ImageSplit.from_tensors(load_file(current / f"{split}_images.safetensors"))
        for split in ("train", "validation", "test")
    )
    description = ImageDescription.model_validate_json((current / "image_description.json").read_text())
    settings = parameters_of(current.name)
    space = make_space(
        SpaceParameters.model_validate(settings["space"]), description.input_shape, description.num_classes
    )
    schedule = json.loads((current / "schedule.json").read_text())
    limit = schedule["facts"]["limits"]["small"]
    of_sizes = scaled_mobilenets(space, [Constraint("macs", "max", limit)])
    device = DeviceParameters.model_validate(settings["device"])
    pace, facts = Pace(**schedule["pace"]), Facts(**schedule["facts"])
    finishing = FinishingParameters.model_validate(settings["finishing"])
    # As the winner; but of several sizes the validation images choose one.
    with_validation = finishing.with_validation and len(of_sizes) == 1
    facts = replace(facts, with_validation=with_validation, one_is_largest=False)
    sharing = sharing_of(len(of_sizes), pace, facts)
    each = sharing.contenders
    seconds_of = training_seconds([(one.space, one.network) for one in of_sizes], device, sharing.share)
    epochs = finishing_now(minutes * 60, 1, seconds_of * each, sharing, pace, facts).epochs
    trainings = Trainings(
        train.joined(validation) if with_validation else train,
        validation,
        description,
        finishing.training.model_copy(
            update={"epochs": epochs, "images_per_epoch": facts.images_per_epoch, **sharing.batch}
        ),
        finishing.augmentation,
        device,
        WorkStore(ROOT / "data" / "work" / "benchmark_own_images"),
        processes=sharing.processes,
    )
    jobs = [
        TrainingJob(scaled.space, scaled.network, 1000 * seed + one, scaled.label)
        for scaled in of_sizes
        for one in range(each)
    ]
    begun = time.perf_counter()
    done = trainings.run(jobs, "MobileNet alone")
    taken = (time.perf_counter() - begun) / 60
    best = int(best_first_of(done).index[0])
    accuracy = float(trainings.test(jobs[best], test).mean())
    scaled = of_sizes[best // each]
    images_of = " of training and validation images" if with_validation else ""
    who = f"{scaled.label} alone, {epochs} epochs{images_of}, best of {len(jobs)}"
    return Row(images, given, seed, who, scaled.macs, accuracy, *wilson_interval(accuracy, len(test)), taken)


def parameters_of(experiment: str) -> dict[str, Any]:
    """The parameters of the experiment's newest run."""
    manifests = sorted((ROOT / "data" / "08_reporting" / experiment / "manifest.json").glob("*/manifest.json"))
    parameters: dict[str, Any] = json.loads(manifests[-1].read_text())["parameters"]
    return parameters


if __name__ == "__main__":
    main()
