"""What is the width of a network worth at equal MACs, how long must one train to see it, and what tells it before?

Random networks of the preset photographs, as many of each width, all with nearly as many MACs, and the MobileNet scaled
by hand, are trained alone by the finishing recipe of ``conf/image_folder``, from scratch, for each number of epochs,
and judged on the validation images. The test images are not read. Beside that: how scores without training, params and
MACs rank the same networks, and how shorter trainings do.

    python -m benchmarks.widths --images DIR --macs 5e6 6e6 --epochs 8 30

CIFAR-10 lies in Parquet files, of which a part is taken; many validation images make for little noise:

    python -m benchmarks.widths --images DIR --params images.source=hub,images.hub_name=cifar10,\
images.image_column=img,images.max_images=10000,images.validation_fraction=0.5,images.test_fraction=0.1

``--params space.squeeze_excitation=true,space.activation=hard_swish`` asks the same of other blocks,
``finishing.training.weight_decay=0.0005`` of another recipe; ``--count 0`` trains the MobileNet alone. With ``--widths
1 --supernet FILE`` the same networks are also trained from what they weigh on a super-network of the same images.
Finished trainings are kept under data/work and not made again.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from kedro.framework.cli.utils import _split_params
from safetensors.torch import load_file

from archatlas.costs.constraints import Constraint
from archatlas.costs.table import costs_of
from archatlas.images.parameters import ImagesParameters
from archatlas.images.preparing import PreparedImages, prepare
from archatlas.predictors.metrics import kendall_tau
from archatlas.scores.parameters import ScoreParameters
from archatlas.scores.score import score_networks
from archatlas.spaces.chain_parameters import ChainParameters
from archatlas.spaces.presets import make_space
from archatlas.spaces.protocol import SearchSpace, draw_at_most
from archatlas.storage.work_store import WorkStore
from archatlas.training.parameters import DeviceParameters
from archatlas.training.weights import arrays_of
from archatlas.verification.alone import job_of
from archatlas.verification.finishing import path_weights
from archatlas.verification.mobilenet import scaled_mobilenets
from archatlas.verification.parameters import FinishingParameters
from archatlas.verification.trainings import FurtherTraining, TrainingJob, Trainings

ROOT = Path(__file__).resolve().parent.parent
DEVICE = DeviceParameters(accelerator="cpu", precision="auto")
_DRAWN = 200_000
_RANK_MEAN = ("nwot", "jacov", "params")
_MOBILENET = "MobileNet"


def main() -> None:
    options = read_options()
    configured = yaml.safe_load((ROOT / "conf/image_folder/parameters.yml").read_text())
    prepared = prepare(images_of(options, configured["images"]), 0)
    shape, classes = prepared.description.input_shape, prepared.description.num_classes
    asked = ChainParameters(preset="photographs", widths=tuple(options.widths), **params_of(options).get("space", {}))
    space = make_space(asked, shape, classes)
    table = networks_of(space, options)
    table = table.merge(scored(space, table, prepared, options.seed), on="network", how="left")
    recipe = recipe_of(configured["finishing"], params_of(options).get("finishing", {}))
    epochs = sorted(options.epochs)
    for count in epochs:
        trainings = Trainings(
            prepared.train, prepared.validation, prepared.description,
            recipe.training.model_copy(update={"epochs": count}), recipe.augmentation, DEVICE,
            WorkStore(ROOT / "data/work/benchmark_widths"),
        )  # fmt: skip
        jobs = [job_of(space, name, 1 + options.seed) for name in table["network"]]
        if options.supernet is not None:
            own = zip(jobs, table["width"], strict=True)
            jobs += [from_supernet(job, options.supernet) for job, width in own if width != _MOBILENET]
        done = trainings.run(jobs, f"{count} epochs")
        alone, begun = done.iloc[: len(table)], done.iloc[len(table) :]
        table[f"accuracy_{count}"] = alone["validation_accuracy"].to_numpy()
        table[f"log_loss_{count}"] = alone["validation_log_loss"].to_numpy()
        if not begun.empty:
            print_starts(table, begun, count)
        print_networks(table, [one for one in epochs if one <= count], len(prepared.validation))
    if options.count > 1:
        print_ranks(table, epochs)


def params_of(options: argparse.Namespace) -> dict[str, Any]:
    """What was given as for ``kedro run``, by section."""
    given: dict[str, Any] = _split_params(None, None, options.params) if options.params else {}
    return given


def images_of(options: argparse.Namespace, configured: dict[str, Any]) -> ImagesParameters:
    """The images, split as ``conf/image_folder`` has it where nothing else is said."""
    source = {"source": "folder"} | {key: configured[key] for key in ("validation_fraction", "test_fraction")}
    size = {"path": str(options.images), "image_size": options.image_size}
    return ImagesParameters.model_validate(source | size | params_of(options).get("images", {}))


def recipe_of(configured: dict[str, Any], asked: dict[str, Any]) -> FinishingParameters:
    """The finishing recipe, but for what is asked of its schedule and augmentation."""
    changed = {name: configured[name] | asked.get(name, {}) for name in ("training", "augmentation")}
    return FinishingParameters.model_validate(configured | changed)


def from_supernet(job: TrainingJob, file: Path) -> FurtherTraining:
    """The same training, begun with what the network weighs on a super-network of its space."""
    weights = path_weights({"seed_0": partial(load_file, file)}, job.space, job.network, 0)
    return FurtherTraining(job.space, job.network, job.seed, f"{job.label} from the super-network", arrays_of(weights))


def print_starts(table: pd.DataFrame, begun: pd.DataFrame, epochs: int) -> None:
    """A line per network: from scratch, and from the super-network."""
    print(f"\n| {epochs} epochs | accuracy from scratch | from the super-network | log loss | log loss |")
    print("|---|--:|--:|--:|--:|")
    own = table[table["width"] != _MOBILENET]
    for row, other in zip(own.to_dict("records"), begun.to_dict("records"), strict=True):
        print(
            f"| {row['network']} | {row[f'accuracy_{epochs}']:.3f} | {other['validation_accuracy']:.3f} | "
            f"{row[f'log_loss_{epochs}']:.3f} | {other['validation_log_loss']:.3f} |",
            flush=True,
        )


def networks_of(space: SearchSpace, options: argparse.Namespace) -> pd.DataFrame:
    """``count`` random networks of each width within the MACs, and the MobileNet: network, width, macs, params."""
    least, most = options.macs
    choices = draw_at_most(space, _DRAWN, np.random.default_rng(options.seed))
    costs = costs_of(space, choices, None)
    rows = pd.DataFrame(
        {"network": space.names(choices), "width": [f"{options.widths[one]:g}" for one in choices[:, 1]]}
    )
    rows = rows.join(costs[["macs", "params"]])
    rows = rows[rows["macs"].between(least, most)].groupby("width").head(options.count)
    scaled = scaled_mobilenets(space, [Constraint("macs", "max", most)])
    beside = [] if options.without_mobilenet else [(one.label, _MOBILENET, one.macs, one.params) for one in scaled]
    return pd.concat([rows.sort_values("width"), pd.DataFrame(beside, columns=rows.columns)], ignore_index=True)


def scored(space: SearchSpace, table: pd.DataFrame, prepared: PreparedImages, seed: int) -> pd.DataFrame:
    """Scores without training of the networks of the space, and the mean rank of three: network and a column each."""
    own = table[table["width"] != _MOBILENET]
    parameters = ScoreParameters()
    scores = score_networks(
        space, space.parse(own["network"].to_numpy(dtype=str)), train=prepared.train,
        description=prepared.description, parameters=parameters, device=DEVICE, seed=seed,
    )  # fmt: skip
    scores["rank_mean"] = scores[list(_RANK_MEAN)].rank().mean(axis=1)
    return scores[["network", *parameters.names, "rank_mean"]]


def print_networks(table: pd.DataFrame, epochs: list[int], images: int) -> None:
    """A line per network, and the means of each width."""
    figures = [f"{what}_{count}" for count in epochs for what in ("accuracy", "log_loss")]
    print(f"\nJudged on {images} validation images.")
    print(f"| width | network | MACs | {' | '.join(figures)} |\n|---|---|--:|{'--:|' * len(figures)}")
    for _, row in table.iterrows():
        cells = " | ".join(f"{row[one]:.3f}" for one in figures)
        print(f"| {row['width']} | {row['network']} | {row['macs'] / 1e6:.2f} M | {cells} |")
    for width, rows in table.groupby("width"):
        cells = " | ".join(
            f"{rows[one].mean():.3f} ({rows[one].min():.3f} to {rows[one].max():.3f})" for one in figures
        )
        print(f"| {width} | mean of {len(rows)} | {rows['macs'].mean() / 1e6:.2f} M | {cells} |", flush=True)


def print_ranks(table: pd.DataFrame, epochs: list[int]) -> None:
    """How what is known before ranks the networks of the longest trainings, by accuracy and by log loss."""
    own, last = table[table["width"] != _MOBILENET], epochs[-1]
    known = {name: own[name] for name in [*ScoreParameters().names, "rank_mean", "params", "macs"]}
    known |= {f"accuracy after {count} epochs": own[f"accuracy_{count}"] for count in epochs}
    known |= {f"log loss after {count} epochs": -own[f"log_loss_{count}"] for count in epochs}
    print(f"\n| tau with {last} epochs | accuracy | log loss |\n|---|--:|--:|")
    for name, values in known.items():
        taus = [
            kendall_tau(values.to_numpy(), truth.to_numpy())
            for truth in (own[f"accuracy_{last}"], -own[f"log_loss_{last}"])
        ]
        print(f"| {name} | {taus[0]:.2f} | {taus[1]:.2f} |")


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="a folder of images")
    parser.add_argument(
        "--params", default="", help="further parameters of `images`, `space` and `finishing`, as for kedro run"
    )
    parser.add_argument("--image-size", type=int, default=32, help="side of the images, pixels (32)")
    parser.add_argument("--widths", nargs="+", type=float, default=[0.5, 0.75, 1.0], help="multipliers (0.5 0.75 1)")
    parser.add_argument("--macs", nargs=2, type=float, default=[5e6, 6e6], help="fewest and most MACs (5e6 6e6)")
    parser.add_argument("--count", type=int, default=3, help="networks of each width (3)")
    parser.add_argument("--epochs", nargs="+", type=int, default=[8, 30], help="epochs of each training (8 30)")
    parser.add_argument("--without-mobilenet", action="store_true", help="leave it out")
    parser.add_argument(
        "--supernet",
        type=Path,
        help="a file of weights of such a super-network: train from these, too, if of one width",
    )
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn, and of the trainings (0)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
