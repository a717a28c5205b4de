"""Models of simple features of computation graphs: a ridge, boosted trees and a Gaussian process, and their mean.

All are fitted to normal quantiles within a source. Their settings were fixed before any figure of transfer was known
(docs/transfer.md), and nothing was changed after; they are no defaults of other predictors here, which know a space.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from archatlas.transfer.known import Features, Floats, KnownNetworks

if TYPE_CHECKING:
    import lightgbm

NAMES = ("ridge", "trees", "gp")
MOST_FOR_GP = 700
"""Networks that the Gaussian process is fitted to: its cost grows with their cube."""
_PENALTIES = np.logspace(0, 4, 9)
_TREES = 300
_BOOSTING: dict[str, Any] = {
    "objective": "regression", "learning_rate": 0.04, "num_leaves": 15, "min_data_in_leaf": 8, "bagging_fraction": 0.8,
    "bagging_freq": 1, "feature_fraction": 0.3, "seed": 0, "num_threads": 1, "deterministic": True, "verbosity": -1,
}  # fmt: skip

State = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class FittedModels:
    """The three models of one task, fitted.

    Far from all that is known a linear model runs away along a single feature, so features are clipped to the range of
    those that were learned from.
    """

    lowest: Features
    highest: Features
    ridge: Any
    trees: lightgbm.Booster
    gp: Any

    def predict(self, features: Features) -> Floats:
        """Quantiles ``[n, 3]`` of networks with features ``[n, f]``, a column for each of ``NAMES``."""
        clipped = np.clip(features.astype(np.float32), self.lowest, self.highest).astype(np.float64)
        columns = (self.ridge.predict(clipped), self.trees.predict(clipped), self.gp.predict(clipped))
        return np.stack([np.asarray(column, dtype=np.float64) for column in columns], axis=1)

    def state(self) -> State:
        """What ``fit`` needs beside the networks to make these again: the settings that were found, and the trees."""
        trees = zlib.compress(self.trees.model_to_string().encode(), 9)
        return {
            "ridge_penalty": np.array([self.ridge[-1].alpha_], dtype=np.float64),
            "gp_kernel": np.asarray(self.gp[-1].kernel_.theta, dtype=np.float64),
            "trees": np.frombuffer(trees, dtype=np.uint8).copy(),
        }


def fit(known: KnownNetworks, state: State | None = None) -> FittedModels:
    """Fit the three models, in seconds to a minute; with the ``state`` of models of the same networks in a moment.

    What takes time is then taken from there: settings that would be searched for, and the trees.
    """
    import lightgbm

    features, quantiles = known.features.astype(np.float64), known.quantiles
    if state is None:
        penalties, kernel = _PENALTIES, None
        data = lightgbm.Dataset(features, quantiles, params={"verbosity": -1})
        trees = lightgbm.train(_BOOSTING, data, _TREES)
    else:
        penalties, kernel = (np.asarray(state[name], dtype=np.float64) for name in ("ridge_penalty", "gp_kernel"))
        trees = lightgbm.Booster(model_str=zlib.decompress(state["trees"].tobytes()).decode())
    return FittedModels(
        known.features.min(axis=0),
        known.features.max(axis=0),
        _fitted_ridge(features, quantiles, penalties),
        trees,
        _fitted_gp(features, quantiles, kernel),
    )


def _fitted_ridge(features: Floats, quantiles: Floats, penalties: Floats) -> Any:
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), RidgeCV(penalties)).fit(features, quantiles)


def _fitted_gp(features: Floats, quantiles: Floats, theta: Floats | None) -> Any:
    """A process with one length for all standardised features; its three settings are found where none are given."""
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    kernel = ConstantKernel(1.0) * RBF(10.0, (1.0, 1e3)) + WhiteKernel(0.3, (1e-3, 1e1))
    if theta is not None:
        kernel = kernel.clone_with_theta(theta)
    if len(features) > MOST_FOR_GP:
        chosen = np.random.default_rng(0).choice(len(features), MOST_FOR_GP, replace=False)
        features, quantiles = features[chosen], quantiles[chosen]
    optimizer = None if theta is not None else "fmin_l_bfgs_b"
    process = GaussianProcessRegressor(kernel, normalize_y=True, random_state=0, optimizer=optimizer)
    return make_pipeline(StandardScaler(), process).fit(features, quantiles)
