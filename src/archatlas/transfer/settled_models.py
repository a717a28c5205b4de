"""Models whose settings are found already, in NumPy: a ridge, a Gaussian process and boosted trees.

They say what scikit-learn's and LightGBM's say of the same settings (tested). Whoever only asks a predictor need not
load these libraries, which takes as long as PyTorch does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from archatlas.transfer.distance import squared_distances
from archatlas.transfer.known import Floats

_JITTER = 1e-10
"""What scikit-learn adds to the diagonal of a kernel."""
_AT_ONCE = 4096
"""Networks that go through all trees side by side."""


@dataclass(frozen=True)
class Scaled:
    """Features ``[n, f]`` less their mean, in their deviations; those that never differ are left as they are."""

    mean: Floats
    deviation: Floats

    @classmethod
    def fit(cls, features: Floats) -> Scaled:
        """The scale of these features."""
        differs = features.max(axis=0) > features.min(axis=0)
        return cls(features.mean(axis=0), np.where(differs, features.std(axis=0), 1.0))

    def __call__(self, features: Floats) -> Floats:
        return (features - self.mean) / self.deviation


@dataclass(frozen=True)
class Ridge:
    """Least squares of scaled features with a penalty on squared weights, and none on the intercept."""

    penalty: float
    scaled: Scaled
    weights: Floats
    intercept: float

    @classmethod
    def fit(cls, features: Floats, targets: Floats, penalty: float) -> Ridge:
        """Fit to features ``[n, f]`` and targets ``[n]``."""
        scaled, mean = Scaled.fit(features), float(targets.mean())
        x = scaled(features)
        gram = x.T @ x
        gram[np.diag_indices_from(gram)] += penalty
        weights = np.asarray(np.linalg.solve(gram, x.T @ (targets - mean)), dtype=np.float64)
        return cls(penalty, scaled, weights, mean)

    def predict(self, features: Floats) -> Floats:
        """``[n]`` of features ``[n, f]``."""
        return np.asarray(self.scaled(features) @ self.weights + self.intercept)


@dataclass(frozen=True)
class Process:
    """The mean of a Gaussian process: a constant times an RBF kernel of scaled features, plus white noise.

    Attributes:
        theta: logarithms of the constant, the length and the noise, for targets of mean 0 and deviation 1.
        scaled: scale of features.
        known: ``[n, f]``, scaled features that it was fitted to.
        weights: ``[n]`` of these.
        mean: of targets.
    """

    theta: Floats
    scaled: Scaled
    known: Floats
    weights: Floats
    mean: float

    @classmethod
    def fit(cls, features: Floats, targets: Floats, theta: Floats) -> Process:
        """Fit to features ``[n, f]`` and targets ``[n]``."""
        scaled, mean = Scaled.fit(features), float(targets.mean())
        x = scaled(features)
        kernel = _kernel(x, x, theta)
        kernel[np.diag_indices_from(kernel)] += np.exp(theta[2]) + _JITTER
        weights = np.asarray(np.linalg.solve(kernel, targets - mean), dtype=np.float64)
        return cls(theta, scaled, x, weights, mean)

    def predict(self, features: Floats) -> Floats:
        """``[n]`` of features ``[n, f]``."""
        return np.asarray(_kernel(self.scaled(features), self.known, self.theta) @ self.weights + self.mean)


def _kernel(a: Floats, b: Floats, theta: Floats) -> Floats:
    constant, length = np.exp(theta[:2])
    return np.asarray(constant * np.exp(-0.5 * squared_distances(a, b) / length**2))


@dataclass(frozen=True)
class Trees:
    """Boosted trees: the sum over trees of the leaf that a network's features lead to.

    Attributes:
        text: as LightGBM writes and reads them.
        feature: ``[t, s]``, which feature each split asks.
        threshold: ``[t, s]``; features of at most it go left.
        child: ``[t, s, 2]``, left and right: a split, or of leaf ``l`` the number ``-l - 1``.
        value: ``[t, l]`` of leaves.
    """

    text: str
    feature: NDArray[np.intp]
    threshold: Floats
    child: NDArray[np.intp]
    value: Floats

    @classmethod
    def read(cls, text: str, features: int) -> Trees:
        """Trees as LightGBM writes them, of so many features that are never missing.

        Raises:
            ValueError: it is something else.
        """
        trees = [_fields(part) for part in text.partition("\nend of trees")[0].split("\nTree=")[1:]]
        if not trees or any(int(tree["num_cat"]) for tree in trees):
            raise ValueError("there must be boosted trees that split by thresholds")
        splits = max(int(tree["num_leaves"]) for tree in trees) - 1 or 1
        feature, threshold, left, right = (
            _rows([tree.get(name, "") for tree in trees], splits, empty)
            for name, empty in (("split_feature", 0), ("threshold", np.inf), ("left_child", -1), ("right_child", -1))
        )
        child = np.stack([left, right], axis=2).astype(np.intp)
        # A split that led back to itself or to one before it would be followed for ever.
        if bool(((child >= 0) & (child <= np.arange(splits)[:, None])).any()) or child.max() >= splits:
            raise ValueError("splits of trees must lead on")
        if child.min() < -splits - 1 or feature.min() < 0 or feature.max() >= features:
            raise ValueError(f"splits of trees must lead to leaves, and ask one of {features} features")
        value = _rows([tree["leaf_value"] for tree in trees], splits + 1, 0.0)
        return cls(text, feature.astype(np.intp), threshold, child, value)

    def predict(self, features: Floats) -> Floats:
        """``[n]`` of features ``[n, f]``."""
        parts = np.array_split(features, len(features) // _AT_ONCE + 1)
        return np.concatenate([self._predict(part) for part in parts])

    def _predict(self, features: Floats) -> Floats:
        trees, rows = np.arange(len(self.value)), np.arange(len(features))[:, None]
        at = np.zeros((len(features), len(trees)), dtype=np.intp)
        while bool((at >= 0).any()):
            split = np.maximum(at, 0)
            right = features[rows, self.feature[trees, split]] > self.threshold[trees, split]
            at = np.where(at < 0, at, self.child[trees, split, right.astype(np.intp)])
        return np.asarray(self.value[trees, -at - 1].sum(axis=1))


def _fields(part: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in part.splitlines() if "=" in line)


def _rows(texts: Sequence[str], length: int, empty: float) -> Floats:
    """Numbers ``[t, length]`` of a text for each tree, filled up with ``empty``."""
    rows = np.full((len(texts), length), empty, dtype=np.float64)
    for row, text in zip(rows, texts, strict=True):
        numbers = text.split()
        row[: len(numbers)] = numbers
    return rows


@dataclass(frozen=True)
class Several:
    """Models of one kind that differ by chance alone; what they say on average."""

    models: Sequence[Trees] | Sequence[Process]

    def predict(self, features: Floats) -> Floats:
        """``[n]`` of features ``[n, f]``."""
        return np.asarray(np.mean([model.predict(features) for model in self.models], axis=0), dtype=np.float64)
