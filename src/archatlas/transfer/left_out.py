"""What models say of networks of families that they were not fitted to: how far knowledge carries, and how surely."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from archatlas.transfer.distance import DistanceScale
from archatlas.transfer.known import Floats, KnownNetworks, recipe_columns, recipes_of
from archatlas.transfer.models import NAMES, fit

if TYPE_CHECKING:
    import pandas as pd

CONTROLS = {"params": "log_params", "macs": "log_macs", "depth": "log_depth"}
"""What a network is worth by a single number that needs no label, and the feature that holds it."""
FOLDS = 10

Split = tuple[NDArray[np.intp], NDArray[np.intp]]


def by_family(
    known: KnownNetworks, asked: NDArray[np.bool_], learned: NDArray[np.bool_], folds: int = FOLDS
) -> Iterable[Split]:
    """Rows to fit to and rows to ask: each fold asks some families' networks, and is fitted to none of these families.

    Families that have a network in common, which two modules may call by two names, are left out together.

    Args:
        known: all networks.
        asked: ``[n]``, those that are asked.
        learned: ``[n]``, those that are fitted to, as far as their families are not asked.
        folds: as many as there are families, at most.
    """
    from sklearn.model_selection import GroupKFold

    rows, families = np.flatnonzero(asked), _joined_families(known)
    count = len(np.unique(families[rows]))
    if count == 1:
        yield np.flatnonzero(learned & (families != families[rows[0]])), rows
        return
    for _, left in GroupKFold(min(folds, count)).split(rows, groups=families[rows]):
        yield np.flatnonzero(learned & ~np.isin(families, families[rows[left]])), rows[left]


def _joined_families(known: KnownNetworks) -> NDArray[np.intp]:
    """A number for each network's family, the same for families that hold the same graph."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    _, family = np.unique(known.families, return_inverse=True)
    _, graph = np.unique(known.features, axis=0, return_inverse=True)
    size = int(family.max()) + 1
    nodes = size + int(graph.max()) + 1
    held = coo_array((np.ones(len(known)), (family, size + graph.ravel())), shape=(nodes, nodes))
    _, number = connected_components(held, directed=False)
    joined: NDArray[np.intp] = number[family]
    return joined


def at_random(asked: NDArray[np.bool_], learned: NDArray[np.bool_], folds: int = 5) -> Iterable[Split]:
    """As ``by_family``, but networks of the same families are fitted to."""
    from sklearn.model_selection import KFold

    rows = np.flatnonzero(asked)
    for _, left in KFold(folds, shuffle=True, random_state=0).split(rows):
        fitted = learned.copy()
        fitted[rows[left]] = False
        yield np.flatnonzero(fitted), rows[left]


def leave_out(known: KnownNetworks, splits: Iterable[Split], left_out: str, said_by: Sequence[str]) -> pd.DataFrame:
    """A row for each network that is asked, predicted by models that were fitted without it.

    Columns: network, source, family, left_out (as given: what was left out), distance (to the nearest that was fitted
    to), predicted (the mean of the models ``said_by``), a column for each model and each control, actual, and
    ``recipe_<number>`` for single trainings; all accuracies as normal quantiles of the source.
    """
    import pandas as pd

    parts = []
    for fitted, left in splits:
        part, asked = known[fitted], known[left]
        models = dict(zip(NAMES, fit(part).predict(asked.features).T, strict=True))
        distance, _ = DistanceScale.find(part.features).nearest(asked.features, part.features, 1)
        parts.append(
            pd.DataFrame(
                {
                    "network": asked.names,
                    "source": asked.sources,
                    "family": asked.families,
                    "left_out": left_out,
                    "distance": distance[:, 0],
                    "predicted": np.mean([models[name] for name in said_by], axis=0),
                    **models,
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
