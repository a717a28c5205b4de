"""The nodes that compare search methods."""

import logging
from pathlib import Path
from typing import Any

import pandas as pd

from archatlas.kedro_ext.dependencies import depends_on
from archatlas.pipelines.space import public_table, trained_by_others, true_table
from archatlas.pipelines.work import trainings_in
from archatlas.schedule.overlay import scheduled
from archatlas.spaces.tables.parameters import TableParameters
from archatlas.training.parameters import DeviceParameters
from archatlas.verification.parameters import VerificationParameters
from archatlas.verification.truth.parameters import TruthParameters


@depends_on(files=(public_table, true_table))
def train_best(
    candidates: pd.DataFrame,
    sampled_architectures: pd.DataFrame,
    train_images: dict[str, Any],
    validation_images: dict[str, Any],
    image_description: dict[str, Any],
    search_space: dict[str, Any],
    verification: VerificationParameters,
    device: DeviceParameters,
    seed: int,
    work_folder: Path,
    table: TableParameters | None = None,
    truth: TruthParameters | None = None,
    verification_schedule: dict[str, Any] | None = None,
    **visited: pd.DataFrame,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The network that each search would choose, and what all of these come to: network, seed, accuracy.

    They are trained alone as finalists are, and judged on the validation images; with a public table, its true accuracy
    is looked up. Among the searches is the main job's, whose best candidate of each budget stands for the atlas.
    """
    verification = scheduled(verification, verification_schedule)
    from archatlas.spaces.search_space import read_space
    from archatlas.systems.comparison import ATLAS, BEST_COLUMNS, best_of
    from archatlas.verification.alone import alone, train_roles

    first = candidates[candidates["rank"] == 1].rename(columns={"predicted_score": "score"})
    scored = sampled_architectures["network"].nunique()
    atlas = first.assign(method=ATLAS, seed=0, evaluations=float(scored), forward_macs=float("nan"))[BEST_COLUMNS]
    best = pd.concat([atlas, *(best_of(table, name) for name, table in visited.items())], ignore_index=True)
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


def compare(method_networks: pd.DataFrame, method_trainings: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Methods side by side: what their networks come to alone, and how far they are ahead of random search."""
    from archatlas.systems.comparison import compared, lines_of

    means = method_trainings.groupby("network")["accuracy"].mean()
    accuracies = {str(network): float(mean) for network, mean in means.items()}
    comparison = compared(method_networks, accuracies, seed)
    for line in lines_of(comparison):
        logging.getLogger("archatlas").info(line)
    return comparison
