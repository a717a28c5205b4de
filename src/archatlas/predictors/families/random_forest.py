"""A random forest (Breiman, Machine Learning 45, 2001) on one-hot choices and counts of node kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.encodings.node_kinds import kind_counts, node_kinds
from archatlas.encodings.one_hot import one_hot
from archatlas.encodings.weisfeiler_lehman import Labels
from archatlas.predictors.enough import require_enough
from archatlas.predictors.protocol import Evaluations, Prediction, State
from archatlas.predictors.targets import ErrorSpread, Floats, TargetTransform, noise_weights
from archatlas.predictors.threads import single_thread

if TYPE_CHECKING:
    from archatlas.predictors.parameters import RandomForestSettings

Integers = NDArray[np.int64]
_LEAF = -1


class RandomForestPredictor:
    """scikit-learn's forest, kept and walked as arrays, so that a later version reads it.

    scikit-learn itself keeps forests by pickle alone, and does not promise that another version loads them.

    The standard deviation is that of ``ErrorSpread`` for out-of-bag errors, by trees that saw no twin. The state holds
    the nodes of all trees one after the other: ``feature`` (-1 in a leaf), ``threshold``, ``left`` and ``right``
    (numbers of nodes) and ``value``; and ``roots [trees]``.
    """

    def __init__(self, settings: RandomForestSettings, seed: int) -> None:
        self._settings = settings
        self._seed = seed
        self._state: dict[str, Any] | None = None

    @single_thread()
    def fit(self, batch: ArchitectureBatch, evaluations: Evaluations) -> None:
        from sklearn.ensemble import RandomForestRegressor

        require_enough("random_forest", self._settings, batch, evaluations)
        transform = TargetTransform.fit(evaluations.score, self._settings.transform)
        kinds = node_kinds(batch.graphs)
        columns = _columns(batch, kinds)
        forest = RandomForestRegressor(
            n_estimators=self._settings.trees,
            max_features=self._settings.max_features,
            min_samples_leaf=self._settings.min_leaf,
            bootstrap=True,
            n_jobs=1,
            random_state=self._seed,
        )
        target = transform.forward(evaluations.score)
        forest.fit(columns, target, sample_weight=noise_weights(evaluations))
        state: dict[str, Any] = {"kinds": kinds, **_nodes(forest), **transform.state()}
        drawn = np.array([np.bincount(rows, minlength=len(batch)) for rows in forest.estimators_samples_])
        outputs = _outputs(state, columns)
        out = (_by_network(drawn, batch.networks) == 0).T
        if not out.any():  # A few trees may all have drawn each of a few networks.
            out = ~out
        known = out.any(axis=1)
        out_of_bag = (outputs * out).sum(axis=1)[known] / out.sum(axis=1)[known]
        error = ErrorSpread.fit(target[known], out_of_bag, outputs[known].std(axis=1))
        self._state = {**state, **error.state()}

    @single_thread()
    def predict(self, batch: ArchitectureBatch) -> Prediction:
        if self._state is None:
            raise RuntimeError("predict was called before fit or load_state")
        transform = TargetTransform.from_state(self._state)
        outputs = _outputs(self._state, _columns(batch, self._state["kinds"]))
        value = outputs.mean(axis=1)
        error = ErrorSpread.from_state(self._state)
        return Prediction(transform.inverse(value), transform.inverse_std(value, error.std(outputs.std(axis=1))))

    def state(self) -> State:
        if self._state is None:
            raise RuntimeError("state was called before fit or load_state")
        return dict(self._state)

    def load_state(self, state: State) -> None:
        self._state = {name: np.asarray(array) for name, array in state.items()}


def _columns(batch: ArchitectureBatch, kinds: Labels) -> NDArray[np.float32]:
    """Columns ``[n, d]``, in the precision that scikit-learn's trees compare in."""
    columns = np.hstack([one_hot(batch.choices, batch.space.num_choices), kind_counts(batch.graphs, kinds)])
    return columns.astype(np.float32)


def _by_network(drawn: Integers, networks: Integers) -> Floats:
    """How often each tree drew the rows of each row's network, ``[trees, n]``."""
    of_network = np.stack([np.bincount(networks, weights=of_tree) for of_tree in drawn])
    return np.asarray(of_network[:, networks], dtype=np.float64)


def _nodes(forest: Any) -> dict[str, NDArray[Any]]:
    trees = [estimator.tree_ for estimator in forest.estimators_]
    roots = np.cumsum([0, *(tree.node_count for tree in trees[:-1])])
    leaf = [tree.children_left == _LEAF for tree in trees]
    return {
        "roots": roots.astype(np.int64),
        "feature": np.concatenate(
            [np.where(end, _LEAF, tree.feature) for end, tree in zip(leaf, trees, strict=True)]
        ).astype(np.int64),
        "threshold": np.concatenate([tree.threshold for tree in trees]),
        "left": np.concatenate([tree.children_left + root for tree, root in zip(trees, roots, strict=True)]),
        "right": np.concatenate([tree.children_right + root for tree, root in zip(trees, roots, strict=True)]),
        "value": np.concatenate([tree.value[:, 0, 0] for tree in trees]),
    }


def _outputs(state: dict[str, Any], columns: NDArray[np.float32]) -> Floats:
    """The value of each row's leaf in each tree, float64 ``[n, trees]``; equal rows are walked once."""
    distinct, place = np.unique(columns, axis=0, return_inverse=True)
    rows = np.arange(len(distinct))
    outputs = np.empty((len(distinct), len(state["roots"])))
    for tree, root in enumerate(state["roots"]):
        node: Integers = np.full(len(distinct), root, dtype=np.int64)
        while True:
            feature = state["feature"][node]
            inner = feature != _LEAF
            if not inner.any():
                break
            low = distinct[rows[inner], feature[inner]] <= state["threshold"][node[inner]]
            node[inner] = np.where(low, state["left"][node[inner]], state["right"][node[inner]])
        outputs[:, tree] = state["value"][node]
    return np.asarray(outputs[place.reshape(-1)], dtype=np.float64)
