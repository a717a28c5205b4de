"""What models say of networks of families that they were not fitted to: how far knowledge carries, and how surely."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archatlas.transfer.distance import DistanceScale
from archatlas.transfer.known import Floats, KnownNetworks, recipe_columns, recipes_of
from archatlas.transfer.models import NAMES, fit

CONTROLS = {"params": "log_params", "macs": "log_macs", "depth": "log_depth"}
"""What a network is worth by a single number that needs no label, and the feature that holds it."""
FOLDS = 10

Split = tuple[NDArray[np.intp], NDArray[np.intp]]


def by_family(known: KnownNetworks, asked: NDArray[np.bool_], folds: int = FOLDS) -> Iterable[Split]:
    """Rows to fit to and rows to ask: each fold asks some families' networks, and is fitted to none of these families.

    Args:
        known: all networks.
        asked: ``[n]``, those that are asked at all; all others are fitted to in every fold.
        folds: as many as there are families, at most.
    """
    from sklearn.model_selection import GroupKFold

    rows, others = np.flatnonzero(asked), np.flatnonzero(~asked)
    families = known.families[rows]
    count = min(folds, len(np.unique(families)))
    for fitted, left in GroupKFold(count).split(rows, groups=families):
        yield np.concatenate([rows[fitted], others]), rows[left]


def at_random(known: KnownNetworks, asked: NDArray[np.bool_], folds: int = 5) -> Iterable[Split]:
    """As ``by_family``, but networks of the same families are fitted to."""
    from sklearn.model_selection import KFold

    rows, others = np.flatnonzero(asked), np.flatnonzero(~asked)
    for fitted, left in KFold(folds, shuffle=True, random_state=0).split(rows):
        yield np.concatenate([rows[fitted], others]), rows[left]


def leave_out(known: KnownNetworks, splits: Iterable[Split], left_out: str) -> pd.DataFrame:
    """A row for each network that is asked, predicted by models that were fitted without it.

    Columns: network, source, family, left_out (as given: what was left out), distance (to the nearest that was fitted
    to), predicted (the models' mean), a column for each model and each control, actual, and ``recipe_<number>`` for
    single trainings; all accuracies as normal quantiles of the source.
    """
    parts = []
    for fitted, left in splits:
        part, asked = known[fitted], known[left]
        models = fit(part).predict(asked.features)
        distance, _ = DistanceScale.find(part.features).nearest(asked.features, part.features, 1)
        parts.append(
            pd.DataFrame(
                {
                    "network": asked.names,
                    "source": asked.sources,
                    "family": asked.families,
                    "left_out": left_out,
                    "distance": distance[:, 0],
                    "predicted": models.mean(axis=1),
                    **dict(zip(NAMES, models.T, strict=True)),
                    **{name: asked.column(feature) for name, feature in CONTROLS.items()},
                    "actual": asked.quantiles,
                    **recipe_columns(asked.recipes),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def recipe_errors(rows: pd.DataFrame) -> Floats:
    """What single trainings are away from the prediction ``[n, r]``, in quantiles; NaN where there is none."""
    return np.asarray(recipes_of(rows) - rows["predicted"].to_numpy()[:, None])
