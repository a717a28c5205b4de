"""Scores of many networks, each built alone and never trained."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd

from archatlas.costs.table import costs_of
from archatlas.images.dataset import ImageSplit
from archatlas.images.description import ImageDescription
from archatlas.scores.batch import draw_batch
from archatlas.scores.parameters import ScoreParameters
from archatlas.scores.parts import Setting, scored
from archatlas.scores.table import DEFINITION, defined, names_of, not_finite
from archatlas.spaces.identity import identity_of
from archatlas.spaces.protocol import Choices, SearchSpace
from archatlas.storage.work_store import WorkStore
from archatlas.training.checkpoint import package_version
from archatlas.training.parameters import DeviceParameters
from archatlas.training.seeds import mixed_seed

_WEIGHTS = 3
_log = logging.getLogger(__name__)


def score_networks(
    space: SearchSpace,
    choices: Choices,
    *,
    train: ImageSplit | None,
    description: ImageDescription,
    parameters: ScoreParameters,
    device: DeviceParameters,
    seed: int,
    cost_table: pd.DataFrame | None = None,
    work: WorkStore | None = None,
    progress: str | None = None,
) -> pd.DataFrame:
    """Scores of networks at initialisation, at the true depth of ``space``.

    All networks draw their weights by the same seed and see the same batch, so a score depends on neither the order nor
    the company of the rows, nor on the number of workers.

    Returns:
        A row per network, in the order of their first rows: network (canonical name), a float64 column per score,
        macs, params, ``DEFINITION``. A score that is not finite is kept as it is and warned of.

    Raises:
        ArchatlasError: there is no batch to score on, or no weights where a score needs them.
    """
    rows = _distinct(space.canonicalise(space.validate(choices)))
    images, labels = draw_batch(train, description, parameters, seed)
    setting = Setting(space, parameters.names, parameters.initialisation, mixed_seed(seed, _WEIGHTS), device)
    store = None
    if work is not None:
        made_by = (identity_of(space), space.num_classes, setting.initialisation, setting.seed, device.accelerator)
        store = work.task("untrained_scores", package_version(), *made_by, images, labels)
    size = parameters.part_size
    scores = scored(setting, rows, images, labels, part_size=size, store=store, progress=progress)
    named = pd.DataFrame({"network": space.names(rows)})
    table = pd.concat([named, scores, costs_of(space, rows, cost_table)], axis=1)
    for name, networks in not_finite(table, parameters.names).items():
        _log.warning(
            "%s is not finite for %d of %d networks (%s%s): they have no rank by it",
            name, len(networks), len(table), ", ".join(networks[:3]), ", ..." * (len(networks) > 3),
        )  # fmt: skip
    return defined(table, parameters, description, seed)


def scored_alike(
    table: pd.DataFrame,
    space: SearchSpace,
    choices: Choices,
    *,
    train: ImageSplit | None,
    description: ImageDescription,
    device: DeviceParameters,
    cost_table: pd.DataFrame | None = None,
    progress: str | None = None,
) -> pd.DataFrame:
    """Other networks by the scores of a ``table`` that ``score_networks`` has made of the same images: such a table."""
    made_by = {str(name): value for name, value in table.iloc[0].items() if name in DEFINITION}
    seed = int(made_by.pop("score_seed"))
    parameters = ScoreParameters.model_validate({"names": names_of(table), **made_by})
    return score_networks(
        space, choices, train=train, description=description, parameters=parameters, device=device, seed=seed,
        cost_table=cost_table, progress=progress,
    )  # fmt: skip


def _distinct(rows: Choices) -> Choices:
    """Each row once, in the order of first appearance."""
    _, first = np.unique(rows, axis=0, return_index=True)
    return rows[np.sort(first)]
