"""The graph convolutional predictor: a small ensemble, fitted at once, that has to earn its place beside ridges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.encodings.node_classes import node_classes
from archatlas.encodings.one_hot import one_hot
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
        kinds: node kinds that are counted, ``[t]``
        additive: per set of features one ridge per member
        mixture: float64 ``[additive + 2]``, intercept, weights of the additive models, weight of the GCN
        target: the scores' transform
        residual_variance: squared score units
    """

    network: State
    slots: int
    kinds: Labels
    additive: dict[str, tuple[LinearModel, ...]]
    mixture: Floats
    target: TargetTransform
    residual_variance: float


class GCNPredictor:
    """Bidirectional GCNs on architecture graphs, with ridges on counts of node kinds and on one-hot choices.

    Every member of the ensemble is fitted without its share of the rows. The out-of-fold outputs so obtained give the
    weights with which the GCN and the additive models enter the prediction (non-negative least squares, which also
    brings the outputs of a rank loss back to the target's unit, and leaves out a GCN that has learned nothing), and the
    error that remains. ``std^2 = spread of the members^2 + what out-of-fold errors have beyond it``.
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
        columns = self._columns(batch, kinds)
        additive = {name: _fit_members(of_name, values, weights) for name, of_name in columns.items()}
        parts = [_member_outputs(models, columns[name]) for name, models in additive.items()]
        offset = np.mean(parts, axis=0) if settings.additive == "residual" else np.zeros_like(weights)
        network, outputs = train_ensemble(batch.graphs, values, weights, offset, settings, self._seed)
        parts.append(outputs)
        own = (np.arange(count), left_out)
        mixture = _mixture([part[own] for part in parts], values, weights.sum(axis=1))
        mixed = _mixed(mixture, parts)
        spread = target.inverse_std(mixed.mean(axis=1), mixed.std(axis=1))
        variance = residual_variance(evaluations.score, target.inverse(mixed[own]), spread)
        slots = batch.graphs.mask.shape[1]
        self._fitted = _Fitted(network, slots, kinds, additive, mixture, target, variance)

    def _columns(self, batch: ArchitectureBatch, kinds: Labels) -> dict[str, Floats]:
        """What the additive models read."""
        columns: dict[str, Floats] = {}
        if self._settings.additive == "none":
            return columns
        if self._settings.additive_features != "one_hot":
            columns["stage_counts"] = stage_counts(batch.graphs, kinds)
        if self._settings.additive_features != "stage_counts":
            columns["one_hot"] = one_hot(batch.choices, batch.space.num_choices)
        return columns

    def predict(self, batch: ArchitectureBatch) -> Prediction:
        from archatlas.predictors.gcn_training import ensemble_from_state, ensemble_outputs

        if self._fitted is None:
            raise RuntimeError("predict was called before fit or load_state")
        fitted = self._fitted
        network = ensemble_from_state(fitted.network, self._settings, fitted.slots)
        means, stds = [np.zeros(0)], [np.zeros(0)]
        for start in range(0, len(batch), _PREDICTED_AT_ONCE):
            rows = batch[start : start + _PREDICTED_AT_ONCE]
            columns = self._columns(rows, fitted.kinds)
            parts = [_member_outputs(models, columns[name]) for name, models in fitted.additive.items()]
            parts.append(ensemble_outputs(network, node_classes(rows.graphs, self._settings.depth)))
            mixed = _mixed(fitted.mixture, parts)
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
        for name, models in fitted.additive.items():
            for member, model in enumerate(models):
                state |= model.state(f"{name}_{member}")
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
        additive = {
            name: tuple(LinearModel.from_state(state, f"{name}_{member}") for member in range(self._settings.ensemble))
            for name in ("stage_counts", "one_hot")
            if f"{name}_0.centre" in state
        }
        self._fitted = _Fitted(
            network={name.removeprefix("network."): state[name] for name in state if name.startswith("network.")},
            slots=int(state["slots"][0]),
            kinds=np.asarray(state["kinds"], np.int64),
            additive=additive,
            mixture=np.asarray(state["mixture"], np.float64),
            target=TargetTransform.from_state(state),
            residual_variance=float(state["residual_variance"][0]),
        )


def _fit_members(columns: Floats, values: Floats, weights: Floats) -> tuple[LinearModel, ...]:
    """A ridge per member, each on the rows where its weight is not zero; ``weights [n, members]``."""
    return tuple(LinearModel.fit(columns[member > 0], values[member > 0], member[member > 0]) for member in weights.T)


def _member_outputs(models: tuple[LinearModel, ...], columns: Floats) -> Floats:
    """Outputs ``[n, members]`` by one product: centring and scaling go into the coefficients."""
    slopes = np.stack([model.coefficients / model.scale for model in models], axis=1)
    offsets = [model.offset - model.centre @ slope for model, slope in zip(models, slopes.T, strict=True)]
    return np.asarray(columns @ slopes + np.array(offsets), dtype=np.float64)


def _mixture(parts: list[Floats], values: Floats, weights: Floats) -> Floats:
    """Intercept and non-negative weights of the parts ``[n]`` by weighted least squares, ``[parts + 1]``."""
    from scipy.optimize import nnls

    root = np.sqrt(weights)
    ones = np.ones_like(values)
    columns = np.stack([ones, -ones, *parts], axis=1)
    solution, _ = nnls(columns * root[:, None], values * root)
    return np.concatenate([[solution[0] - solution[1]], solution[2:]])


def _mixed(mixture: Floats, parts: list[Floats]) -> Floats:
    """The mixture of parts ``[n, members]``."""
    return np.asarray(mixture[0] + np.einsum("p,pnm->nm", mixture[1:], np.stack(parts)), dtype=np.float64)
