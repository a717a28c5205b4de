"""What helps a network that is trained alone: more epochs, larger images, fewer channels, a teacher.

Every named network is trained by the finishing recipe of ``conf/image_folder``, from scratch, for each number of
epochs, and with each teacher after that; it is judged on the validation images. The test images are not read.

    python -m benchmarks.recipes --images DIR --networks r32_w1_NAME r48_w0.5_NAME --epochs 60 120

A name is a size of images, a width and a chain of the preset photographs, as ``space.image_sizes`` and ``space.widths``
write them. With ``--teacher largest`` the largest network of that size is trained first, for as many epochs; with
``contenders`` all that are named teach all, for three fifths of the epochs more. With ``--processes`` so many share the
images of each step, as where winners are trained on; batch norm is each one's own. Finished trainings are kept.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import yaml

from archatlas.images.parameters import ImagesParameters
from archatlas.images.preparing import PreparedImages, prepare
from archatlas.spaces.chain_parameters import ChainParameters
from archatlas.spaces.presets import make_space
from archatlas.storage.work_store import WorkStore
from archatlas.training.parameters import DeviceParameters
from archatlas.verification.members import member_of
from archatlas.verification.parameters import FinishingParameters
from archatlas.verification.teaching import Run, taught
from archatlas.verification.trainings import TrainingJob, Trainings

ROOT = Path(__file__).resolve().parent.parent
FURTHER = 0.6
"""Epochs with contenders as teachers for each one without."""


def main() -> None:
    options = read_options()
    sizes, widths = (sorted({_scale(name, place) for name in options.networks}) for place in (0, 1))
    configured = yaml.safe_load((ROOT / "conf/image_folder/parameters.yml").read_text())
    source = {key: configured["images"][key] for key in ("validation_fraction", "test_fraction")}
    images = ImagesParameters(source="folder", path=str(options.images), image_size=int(sizes[-1]), **source)
    prepared = prepare(images, 0)
    description = prepared.description
    parameters = ChainParameters(preset="photographs", image_sizes=tuple(map(int, sizes)), widths=tuple(widths))
    space = make_space(parameters, description.input_shape, description.num_classes)
    recipe = FinishingParameters.model_validate({**configured["finishing"], "processes": options.processes})
    print("| network | seed | epochs | teacher | validation accuracy | log loss | minutes |")
    print("|---|--:|--:|---|--:|--:|--:|")
    for epochs in options.epochs:
        trainings = trainings_of(prepared, recipe, epochs, flip=not options.without_flip)
        members = {name: member_of(space, name) for name in options.networks}
        jobs = {
            (name, number): TrainingJob(member.space, member.network, seed, name)
            for name, member in members.items()
            for number, seed in enumerate(options.seeds)
        }
        for teacher in options.teacher:
            begun = time.perf_counter()
            how = recipe.model_copy(
                update={
                    "teacher": teacher,
                    "taught_epochs": epochs if teacher == "largest" else round(FURTHER * epochs),
                }
            )
            run = None if teacher == "largest" else Run.of(trainings, jobs, "alone")
            if teacher != "none":
                run = taught(jobs, run, replace(trainings), space, how, 0)
            assert run is not None
            minutes = (time.perf_counter() - begun) / 60
            for row in run.table.itertuples():
                print(
                    f"| {row.network} | {row.seed} | {epochs} | {teacher} | {row.validation_accuracy:.1%} | "
                    f"{row.validation_log_loss:.3f} | {minutes:.1f} |",
                    flush=True,
                )


def trainings_of(prepared: PreparedImages, recipe: FinishingParameters, epochs: int, *, flip: bool) -> Trainings:
    """Trainings by the recipe, for so many epochs."""
    return Trainings(
        prepared.train, prepared.validation, prepared.description,
        recipe.training.model_copy(update={"epochs": epochs}), recipe.augmentation.model_copy(update={"flip": flip}),
        DeviceParameters(accelerator="cpu", precision="auto"), WorkStore(ROOT / "data/work/benchmark_recipes"),
        processes=recipe.processes,
    )  # fmt: skip


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="a folder of images")
    parser.add_argument("--networks", nargs="+", required=True, help="names: r<size>_w<width>_<chain>")
    parser.add_argument("--epochs", nargs="+", type=int, default=[60], help="epochs of each training (60)")
    parser.add_argument("--teacher", nargs="+", default=["none"], choices=["none", "largest", "contenders"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], help="seeds of the trainings (0)")
    parser.add_argument("--processes", type=int, default=1, help="that share the steps of each training (1)")
    parser.add_argument("--without-flip", action="store_true", help="a mirrored image is another class")
    return parser.parse_args()


def _scale(name: str, place: int) -> float:
    return float(name.split("_")[place][1:])


if __name__ == "__main__":
    main()
