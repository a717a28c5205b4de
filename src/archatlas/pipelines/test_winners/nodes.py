"""The node that reads the test images, once, after everything is chosen."""

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

_LOGGER = logging.getLogger(__name__)


@depends_on(files=(public_table, true_table))
def judge(
    finished_winners: list[dict[str, Any]],
    networks: Path,
    candidate_trainings: pd.DataFrame,
    comparison_trainings: pd.DataFrame,
    audit_trainings: pd.DataFrame,
    train_images: dict[str, Any],
    validation_images: dict[str, Any],
    test_images: dict[str, Any],
    constraints: pd.DataFrame,
    cost_table: pd.DataFrame,
    latency_table: pd.DataFrame,
    image_description: dict[str, Any],
    class_counts: pd.DataFrame,
    search_space: dict[str, Any],
    verification: VerificationParameters,
    device: DeviceParameters,
    work_folder: Path,
    table: TableParameters | None = None,
    truth: TruthParameters | None = None,
    verification_schedule: dict[str, Any] | None = None,
) -> tuple[list[dict[str, Any]], pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """The winners with their test figures, all trainings, what each exported file says of each test image, mistakes.

    The headline is what the exported file gets right. Beside it stand the winner and what it is compared with, all
    trained alike. Bounds and costs serve a public table, which tells what a perfect search would have found.
    """
    verification = scheduled(verification, verification_schedule)
    from archatlas.images.dataset import ImageSplit
    from archatlas.images.description import ImageDescription
    from archatlas.signals.signal import log_signals
    from archatlas.signals.winners import winner_signals
    from archatlas.verification.test_figures import exported_figures

    done = pd.concat([candidate_trainings, comparison_trainings, audit_trainings], ignore_index=True)
    test, names = ImageSplit.from_tensors(test_images), ImageDescription.model_validate(image_description).class_names
    known = trained_by_others(search_space, table, truth)
    if known is not None:
        from archatlas.search.budgets import constraints_of
        from archatlas.verification.lookup import judged

        budgets = constraints_of(constraints)
        documents, trainings = judged(known, finished_winners, done, budgets, cost_table, latency_table)
    else:
        from archatlas.spaces.search_space import read_space
        from archatlas.verification.alone import alone
        from archatlas.verification.judged import judge_on_test_images

        alike = alone(
            train_images, validation_images, image_description, verification, device, trainings_in(work_folder)
        )
        documents, trainings = judge_on_test_images(alike, finished_winners, done, test, read_space(search_space))
    winners, predictions, mistakes = exported_figures(documents, networks, test, names)
    images, planned = None if known is not None else image_description, bool(verification_schedule)
    log_signals(_LOGGER, winner_signals(winners, images, class_counts, scheduled=planned))
    return winners, trainings, predictions, mistakes
