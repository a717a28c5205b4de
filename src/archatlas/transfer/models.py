"""Models of simple features of computation graphs: a ridge, boosted trees and a Gaussian process.

All are fitted to normal quantiles within a source. Their settings were fixed before any figure of transfer was known
(docs/transfer.md), and nothing was changed after but how many of a kind are averaged; they are no defaults of other
predictors here, which know a space.
"""

from __future__ import annotations

import lzma
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archatlas.transfer.known import Features, Floats, KnownNetworks
from archatlas.transfer.settled_models import Process, Ridge, Scaled, Several, Trees

NAMES = ("ridge", "trees", "gp")
MOST_FOR_GP = 700
"""Networks that a Gaussian process is fitted to: its cost grows with their cube."""
_FORESTS, _PROCESSES = 4, 3
"""Of models that differ by chance alone so many are fitted: one ranks an unknown space by .05 better or worse than the
next."""
_BETWEEN = "\0"
_PENALTIES = np.logspace(0, 4, 9)
_TREES = 300
_BOOSTING: dict[str, Any] = {
    "objective": "regression", "learning_rate": 0.04, "num_leaves": 15, "min_data_in_leaf": 8, "bagging_fraction": 0.8,
    "bagging_freq": 1, "feature_fraction": 0.3, "num_threads": 1, "deterministic": True, "verbosity": -1,
}  # fmt: skip

State = dict[str, NDArray[Any]]
Kept = NDArray[Any] | None


@dataclass(frozen=True)
class FittedModels:
    """Models of one task by name, fitted.

    Far from all that is known a linear model runs away along a single feature, so features are clipped to the range of
    those that were learned from.
    """

    lowest: Features
    highest: Features
    by_name: Mapping[str, Any]

    def predict(self, features: Features) -> Floats:
        """Quantiles ``[n, m]`` of networks with features ``[n, f]``, a column for each model."""
        clipped = np.clip(features.astype(np.float32), self.lowest, self.highest).astype(np.float64)
        columns = [np.asarray(model.predict(clipped), dtype=np.float64) for model in self.by_name.values()]
        return np.stack(columns, axis=1)

    def state(self) -> State:
        """What ``fit`` needs beside the networks to make these again: the settings that were found, and the trees."""
        return {name: _KEEP[name](model) for name, model in self.by_name.items()}


def fit(
    known: KnownNetworks, names: Sequence[str] = NAMES, state: Mapping[str, NDArray[Any]] | None = None
) -> FittedModels:
    """Fit models, in seconds to a minute; with the ``state`` of models of the same networks in a moment.

    What takes time is then taken from there: settings that would be searched for, and the trees. The order of the
    networks does not count.
    """
    known = known[np.lexsort((np.array(known.names), known.sources))]
    features, quantiles = known.features.astype(np.float64), known.quantiles
    models = {name: _FIT[name](features, quantiles, None if state is None else state[name]) for name in names}
    return FittedModels(known.features.min(axis=0), known.features.max(axis=0), models)


def _fitted_ridge(features: Floats, quantiles: Floats, kept: Kept) -> Ridge:
    penalty = _penalty(features, quantiles) if kept is None else float(kept[0])
    return Ridge.fit(features, quantiles, penalty)


def _penalty(features: Floats, quantiles: Floats) -> float:
    from sklearn.linear_model import RidgeCV

    return float(RidgeCV(_PENALTIES).fit(Scaled.fit(features)(features), quantiles).alpha_)


def _fitted_trees(features: Floats, quantiles: Floats, kept: Kept) -> Several:
    if kept is not None:
        texts = lzma.decompress(kept.tobytes()).decode().split(_BETWEEN)
        return Several([Trees.read(text, features.shape[1]) for text in texts])
    import lightgbm

    made = []
    for seed in range(_FORESTS):
        data = lightgbm.Dataset(features, quantiles, params={"verbosity": -1})
        booster = lightgbm.train({**_BOOSTING, "seed": seed}, data, _TREES)
        made.append(Trees.read(booster.model_to_string(), features.shape[1]))
    return Several(made)


def _fitted_gp(features: Floats, quantiles: Floats, kept: Kept) -> Several:
    """Processes with one length for all standardised features; their three settings are found where none are given.

    Where there are more networks than one is fitted to, each sees others.
    """
    processes = []
    for number in range(_PROCESSES if len(features) > MOST_FOR_GP else 1):
        chosen = np.random.default_rng(number).permutation(len(features))[:MOST_FOR_GP]
        x, y = features[chosen], quantiles[chosen]
        theta = _theta(x, y) if kept is None else np.asarray(kept[number], dtype=np.float64)
        processes.append(Process.fit(x, y, theta))
    return Several(processes)


def _theta(features: Floats, quantiles: Floats) -> Floats:
    """The most likely settings of a process."""
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

    kernel = ConstantKernel(1.0) * RBF(10.0, (1.0, 1e3)) + WhiteKernel(0.3, (1e-3, 1e1))
    process = GaussianProcessRegressor(kernel, normalize_y=True, random_state=0)
    return np.asarray(process.fit(Scaled.fit(features)(features), quantiles).kernel_.theta, dtype=np.float64)


def _text_of(several: Any) -> bytes:
    return _BETWEEN.join(trees.text for trees in several.models).encode()


_FIT = {"ridge": _fitted_ridge, "trees": _fitted_trees, "gp": _fitted_gp}
_KEEP: dict[str, Callable[[Any], NDArray[Any]]] = {
    "ridge": lambda model: np.array([model.penalty], dtype=np.float64),
    "trees": lambda several: np.frombuffer(lzma.compress(_text_of(several), preset=9), dtype=np.uint8).copy(),
    "gp": lambda several: np.array([one.theta for one in several.models], dtype=np.float64),
}
