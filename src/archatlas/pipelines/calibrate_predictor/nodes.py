"""The nodes that tell a predictor of super-networks' scores what a few networks reach alone."""

from pathlib import Path
from typing import Any

import pandas as pd

from archatlas.kedro_ext.dependencies import depends_on
from archatlas.pipelines.space import trained_by_others, true_table
from archatlas.pipelines.work import trainings_in
from archatlas.schedule.overlay import scheduled
from archatlas.training.parameters import DeviceParameters
from archatlas.verification.parameters import CalibrationParameters, VerificationParameters
from archatlas.verification.truth.parameters import TruthParameters


def choose_networks(
    tuned_predictor: dict[str, Any],
    tuned_predictor_state: dict[str, Any],
    cost_table: pd.DataFrame,
    search_space: dict[str, Any],
    seed: int,
    calibration: CalibrationParameters | None = None,
) -> pd.DataFrame:
    """Networks of all levels of predicted score; none where nothing is calibrated."""
    from archatlas.verification import calibration as domain

    if calibration is None:
        return domain.no_networks()
    import numpy as np

    from archatlas.predictors.make import load_predictor
    from archatlas.spaces.search_space import read_space
    from archatlas.training.seeds import mixed_seed
    from archatlas.verification.roles import DRAW_CALIBRATION

    made = read_space(search_space)
    return domain.choose_networks(
        made,
        load_predictor(tuned_predictor, tuned_predictor_state, made),
        calibration.networks,
        cost_table,
        np.random.default_rng(mixed_seed(seed, DRAW_CALIBRATION)),
    )


@depends_on(files=(true_table,))
def train_networks(
    calibration_networks: pd.DataFrame,
    train_images: dict[str, Any],
    validation_images: dict[str, Any],
    image_description: dict[str, Any],
    search_space: dict[str, Any],
    verification: VerificationParameters,
    device: DeviceParameters,
    seed: int,
    work_folder: Path,
    truth: TruthParameters | None = None,
    calibration: CalibrationParameters | None = None,
    verification_schedule: dict[str, Any] | None = None,
) -> pd.DataFrame:
    """Train them alone, as finalists are, ``calibration.seeds`` times each; or read as many trainings of a table."""
    verification = scheduled(verification, verification_schedule)
    from archatlas.verification.roles import no_trainings

    if calibration is None:
        return no_trainings()
    known = trained_by_others(search_space, None, truth)
    if known is not None:
        from archatlas.verification.lookup import looked_up

        found = looked_up(known, calibration_networks)
        return found[found.groupby("network").cumcount() < calibration.seeds].reset_index(drop=True)
    from archatlas.spaces.search_space import read_space
    from archatlas.verification.alone import alone, train_roles

    work = trainings_in(work_folder)
    trainings = alone(train_images, validation_images, image_description, verification, device, work)
    return train_roles(
        trainings, calibration_networks, read_space(search_space), calibration.seeds, seed, "calibration"
    )


@depends_on(optional=("untrained_scores",))
def calibrate(
    calibration_trainings: pd.DataFrame,
    tuned_predictor: dict[str, Any],
    tuned_predictor_state: dict[str, Any],
    architecture_graphs: dict[str, Any],
    evaluations: pd.DataFrame,
    cost_table: pd.DataFrame,
    search_space: dict[str, Any],
    seed: int,
    untrained_scores: pd.DataFrame | None = None,
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """The predictor that maps the space, its state, and what calibration has brought.

    Without trainings it is the tuned predictor as it is.
    """
    if calibration_trainings.empty:
        return tuned_predictor, tuned_predictor_state, {}
    from archatlas.predictors.make import load_predictor, state_tensors
    from archatlas.predictors.sample import evaluated_sample
    from archatlas.scores.table import proxies_of
    from archatlas.spaces.search_space import read_space
    from archatlas.verification import calibration as domain

    made = read_space(search_space)
    batch, scores = evaluated_sample(
        made,
        architecture_graphs,
        evaluations,
        cost_table,
        tuned_predictor["target"],
        fewest=2,
        proxies=None if untrained_scores is None else proxies_of(untrained_scores),
    )
    tuned = load_predictor(tuned_predictor, tuned_predictor_state, made)
    calibrated, document, summary = domain.calibrate(batch, scores, calibration_trainings, tuned, tuned_predictor, seed)
    return document, state_tensors(calibrated.state()), summary
