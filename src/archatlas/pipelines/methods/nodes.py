"""The nodes that compare search methods."""

import logging
from pathlib import Path
from typing import Any

import pandas as pd

from archatlas.kedro_ext.dependencies import depends_on
from archatlas.pipelines.evidence import EVIDENCE
from archatlas.pipelines.space import public_table, trained_by_others, true_table
from archatlas.pipelines.work import trainings_in
from archatlas.schedule.overlay import scheduled
from archatlas.spaces.tables.parameters import TableParameters
from archatlas.supernet.parameters import EvaluationParameters
from archatlas.systems.at_initialisation import WITHOUT_TRAINING
from archatlas.systems.parameters import MethodsParameters
from archatlas.training.parameters import DeviceParameters
from archatlas.verification.parameters import VerificationParameters
from archatlas.verification.truth.parameters import TruthParameters

_IF_MADE = ("candidates_of_atlas", "candidates_of_segments", "calibration_trainings", "supernet_curves")
"""What the main job and the segments leave, beside the evidence."""


@depends_on(files=(public_table, true_table), optional=(*EVIDENCE, *_IF_MADE))
def train_best(
    train_images: dict[str, Any],
    validation_images: dict[str, Any],
    image_description: dict[str, Any],
    search_space: dict[str, Any],
    evaluation: EvaluationParameters,
    verification: VerificationParameters,
    methods: MethodsParameters,
    device: DeviceParameters,
    seed: int,
    work_folder: Path,
    table: TableParameters | None = None,
    truth: TruthParameters | None = None,
    verification_schedule: dict[str, Any] | None = None,
    supernet_curves: pd.DataFrame | None = None,
    candidates_of_atlas: pd.DataFrame | None = None,
    candidates_of_segments: pd.DataFrame | None = None,
    sampled_architectures: pd.DataFrame | None = None,
    sampled_architectures_of_segments: pd.DataFrame | None = None,
    calibration_networks: pd.DataFrame | None = None,
    calibration_trainings: pd.DataFrame | None = None,
    **visited: pd.DataFrame,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The network that each search would choose, and what all of these come to: network, seed, accuracy.

    They are trained alone as finalists are, and judged on the validation images; with a public table, its true accuracy
    is looked up. Among the searches is the main job's, whose best candidate of each budget stands for the atlas, and
    that of the segments; each is left out where it has not run.
    """
    verification = scheduled(verification, verification_schedule)
    from archatlas.images.description import ImageDescription
    from archatlas.spaces.search_space import read_space
    from archatlas.systems.comparison import best_of, first_of
    from archatlas.systems.ledger import Spending
    from archatlas.systems.spending import spent_on_sample, spent_on_trainings
    from archatlas.verification.alone import alone, train_roles

    description = ImageDescription.model_validate(image_description)
    supernets = 0 if supernet_curves is None else int(supernet_curves["seed"].nunique())
    epochs = 0.0 if supernet_curves is None else float(len(supernet_curves))
    shared = 0.0 if methods.score_by == "training" else epochs
    found = [best_of(one, name, 0.0 if name in WITHOUT_TRAINING else shared) for name, one in visited.items()]
    for name, candidates, sampled in (
        ("segments", candidates_of_segments, sampled_architectures_of_segments),
        ("atlas", candidates_of_atlas, sampled_architectures),
    ):
        if candidates is None or sampled is None:
            continue
        spent = Spending(epochs=epochs) + spent_on_sample(sampled, supernets, description, evaluation)
        if name == "atlas" and calibration_networks is not None and calibration_trainings is not None:
            spent += spent_on_trainings(
                calibration_trainings, calibration_networks, verification.training.epochs, description
            )
        found.insert(0, first_of(candidates, name, spent))
    best = pd.concat(found, ignore_index=True)
    networks = best[["network", "macs", "params"]].drop_duplicates("network").assign(role="candidate", budget="")
    known = trained_by_others(search_space, table, truth)
    if known is not None:
        done = known.trainings(networks["network"].tolist()).rename(columns={"true_accuracy": "accuracy"})
    else:
        images = train_images, validation_images, image_description
        trainings = alone(*images, verification, device, trainings_in(work_folder))
        done = train_roles(
            trainings, networks, read_space(search_space), verification.seeds, seed, "networks of all methods"
        )
        done = done.rename(columns={"validation_accuracy": "accuracy"})
    return best, done[["network", "seed", "accuracy"]]


def compare(
    method_networks: pd.DataFrame, method_trainings: pd.DataFrame, image_description: dict[str, Any]
) -> pd.DataFrame:
    """Methods side by side: what their networks come to alone, and how far they are ahead of random search."""
    from archatlas.images.description import ImageDescription
    from archatlas.systems.comparison import compared, lines_of, mean_accuracies

    classes = ImageDescription.model_validate(image_description).num_classes
    comparison = compared(method_networks, mean_accuracies(method_trainings, classes))
    for line in lines_of(comparison):
        logging.getLogger("archatlas").info(line)
    return comparison
