"""The graph convolutional predictor: a small ensemble, fitted at once, that has to earn its place beside a ridge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.encodings.node_classes import node_classes
from archatlas.encodings.stage_counts import node_kinds, stage_counts
from archatlas.encodings.weisfeiler_lehman import Labels
from archatlas.predictors.parameters import GCNSettings
from archatlas.predictors.protocol import Evaluations, Prediction, State
from archatlas.predictors.ridge import LinearModel
from archatlas.predictors.targets import Floats, TargetTransform, leave_out, noise_weights, residual_variance
from archatlas.predictors.threads import single_thread

_PREDICTED_AT_ONCE = 8192


@dataclass(frozen=True)
class _Fitted:
    """All that a prediction needs.

    Attributes:
        network: the GCN ensemble's parameters by name
        slots: nodes of a graph before padding is taken away
        kinds: node kinds of the additive path, ``[t]``
        additive: one ridge per member, empty without the path
        mixture: float64 ``[3]``, intercept, weight of the additive path, weight of the GCN
        target: the scores' transform
        residual_variance: squared score units
    """

    network: State
    slots: int
    kinds: Labels
    additive: tuple[LinearModel, ...]
    mixture: Floats
    target: TargetTransform
    residual_variance: float


class GCNPredictor:
    """Bidirectional GCNs on architecture graphs, beside a ridge on counts of node kinds.

    Every member of the ensemble is fitted without its share of the rows. The out-of-fold outputs so obtained give three
    things: the weights with which the GCN and the additive path enter the prediction (non-negative least squares, which
    also brings the outputs of a rank loss back to the target's unit), the weight zero for a GCN that has learned
    nothing, and the error that remains. ``std^2 = spread of the members^2 + what out-of-fold errors have beyond it``.
    """

    def __init__(self, settings: GCNSettings, seed: int) -> None:
        self._settings = settings
        self._seed = seed
        self._fitted: _Fitted | None = None

    @single_thread()
    def fit(self, batch: ArchitectureBatch, evaluations: Evaluations) -> None:
        from archatlas.predictors.gcn_training import train_ensemble

        settings, count = self._settings, len(batch)
        target = TargetTransform.fit(evaluations.score, settings.transform)
        values = target.forward(evaluations.score)
        left_out = leave_out(count, settings.ensemble, self._seed)
        weights = noise_weights(evaluations)[:, None] * (left_out[:, None] != np.arange(settings.ensemble))
        kinds = node_kinds(batch.graphs)
        additive = self._fit_additive(stage_counts(batch.graphs, kinds), values, weights)
        summed = self._additive_outputs(additive, stage_counts(batch.graphs, kinds))
        offset = summed if settings.additive == "residual" else np.zeros_like(summed)
        network, outputs = train_ensemble(batch.graphs, values, weights, offset, settings, self._seed)
        own = (np.arange(count), left_out)
        mixture = _mixture(summed[own], outputs[own], values, weights.sum(axis=1))
        mixed = mixture[0] + mixture[1] * summed + mixture[2] * outputs
        spread = target.inverse_std(mixed.mean(axis=1), mixed.std(axis=1))
        variance = residual_variance(evaluations.score, target.inverse(mixed[own]), spread)
        slots = batch.graphs.mask.shape[1]
        self._fitted = _Fitted(network, slots, kinds, additive, mixture, target, variance)

    def _fit_additive(self, counts: Floats, values: Floats, weights: Floats) -> tuple[LinearModel, ...]:
        if self._settings.additive == "none":
            return ()
        kept = [weights[:, member] > 0 for member in range(self._settings.ensemble)]
        return tuple(
            LinearModel.fit(counts[rows], values[rows], weights[rows, member]) for member, rows in enumerate(kept)
        )

    def _additive_outputs(self, additive: tuple[LinearModel, ...], counts: Floats) -> Floats:
        if not additive:
            return np.zeros((len(counts), self._settings.ensemble))
        return np.stack([((counts - m.centre) / m.scale) @ m.coefficients + m.offset for m in additive], axis=1)

    def predict(self, batch: ArchitectureBatch) -> Prediction:
        from archatlas.predictors.gcn_training import ensemble_from_state, ensemble_outputs

        if self._fitted is None:
            raise RuntimeError("predict was called before fit or load_state")
        fitted = self._fitted
        network = ensemble_from_state(fitted.network, self._settings, fitted.slots)
        means, stds = [np.zeros(0)], [np.zeros(0)]
        for start in range(0, len(batch), _PREDICTED_AT_ONCE):
            graphs = batch[start : start + _PREDICTED_AT_ONCE].graphs
            outputs = ensemble_outputs(network, node_classes(graphs, self._settings.depth))
            summed = self._additive_outputs(fitted.additive, stage_counts(graphs, fitted.kinds))
            mixed = fitted.mixture[0] + fitted.mixture[1] * summed + fitted.mixture[2] * outputs
            value = mixed.mean(axis=1)
            spread = fitted.target.inverse_std(value, mixed.std(axis=1))
            means.append(fitted.target.inverse(value))
            stds.append(np.sqrt(spread**2 + fitted.residual_variance))
        return Prediction(np.concatenate(means), np.concatenate(stds))

    def state(self) -> State:
        if self._fitted is None:
            raise RuntimeError("state was called before fit or load_state")
        fitted = self._fitted
        state: State = {f"network.{name}": array for name, array in fitted.network.items()}
        for member, model in enumerate(fitted.additive):
            state |= model.state(f"additive_{member}")
        return (
            state
            | fitted.target.state()
            | {
                "slots": np.array([fitted.slots]),
                "kinds": fitted.kinds,
                "mixture": fitted.mixture,
                "residual_variance": np.array([fitted.residual_variance]),
            }
        )

    def load_state(self, state: State) -> None:
        members = self._settings.ensemble if self._settings.additive != "none" else 0
        self._fitted = _Fitted(
            network={name.removeprefix("network."): state[name] for name in state if name.startswith("network.")},
            slots=int(state["slots"][0]),
            kinds=np.asarray(state["kinds"], np.int64),
            additive=tuple(LinearModel.from_state(state, f"additive_{member}") for member in range(members)),
            mixture=np.asarray(state["mixture"], np.float64),
            target=TargetTransform.from_state(state),
            residual_variance=float(state["residual_variance"][0]),
        )


def _mixture(summed: Floats, outputs: Floats, values: Floats, weights: Floats) -> NDArray[np.float64]:
    """Intercept and non-negative weights of the additive path and of the GCN, by weighted least squares, ``[3]``."""
    from scipy.optimize import nnls

    root = np.sqrt(weights)
    ones = np.ones_like(values)
    columns = np.stack([ones, -ones, summed, outputs], axis=1)
    solution, _ = nnls(columns * root[:, None], values * root)
    return np.array([solution[0] - solution[1], solution[2], solution[3]])
