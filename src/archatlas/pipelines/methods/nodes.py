"""The nodes that compare search methods."""

import logging
from pathlib import Path
from typing import Any

import pandas as pd

from archatlas.pipelines.work import trainings_in
from archatlas.schedule.overlay import scheduled
from archatlas.spaces.parameters import SpaceParameters
from archatlas.training.parameters import DeviceParameters
from archatlas.verification.parameters import VerificationParameters


def train_best(
    candidates: pd.DataFrame,
    sampled_architectures: pd.DataFrame,
    train_images: dict[str, Any],
    validation_images: dict[str, Any],
    image_description: dict[str, Any],
    space: SpaceParameters,
    verification: VerificationParameters,
    device: DeviceParameters,
    seed: int,
    work_folder: Path,
    verification_schedule: dict[str, Any] | None = None,
    **visited: pd.DataFrame,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The network that each search would choose, and the trainings alone of all of these, as finalists are trained.

    Among the searches is the main job's, whose best candidate of each budget stands for the atlas.
    """
    verification = scheduled(verification, verification_schedule)
    from archatlas.systems.comparison import ATLAS, BEST_COLUMNS, best_of
    from archatlas.verification.stage import alone, train_roles

    first = candidates[candidates["rank"] == 1].rename(columns={"predicted_score": "score"})
    scored = sampled_architectures["network"].nunique()
    atlas = first.assign(method=ATLAS, seed=0, evaluations=float(scored), forward_macs=float("nan"))[BEST_COLUMNS]
    best = pd.concat([atlas, *(best_of(table, name) for name, table in visited.items())], ignore_index=True)
    networks = best[["network", "macs", "params"]].drop_duplicates("network").assign(role="candidate", budget="")
    trainings = alone(
        train_images, validation_images, image_description, verification, device, trainings_in(work_folder)
    )
    done = train_roles(trainings, networks, space, verification.seeds, seed, "networks of all methods")
    return best, done


def compare(method_networks: pd.DataFrame, method_trainings: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Methods side by side: what their networks come to alone, and how far they are ahead of random search."""
    from archatlas.systems.comparison import compared, lines_of

    means = method_trainings.groupby("network")["validation_accuracy"].mean()
    accuracies = {str(network): float(mean) for network, mean in means.items()}
    comparison = compared(method_networks, accuracies, seed)
    for line in lines_of(comparison):
        logging.getLogger("archatlas").info(line)
    return comparison
