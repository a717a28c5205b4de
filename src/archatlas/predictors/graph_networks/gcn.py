"""Networks on graphs as predictors: a small ensemble, fitted at once, that has to earn its place beside ridges."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.encodings.feature_scaling import FeatureScaling
from archatlas.encodings.node_kinds import kind_counts, node_kinds
from archatlas.encodings.one_hot import one_hot
from archatlas.encodings.weisfeiler_lehman import Labels
from archatlas.predictors.enough import require_enough
from archatlas.predictors.families.mixture import mixture_weights
from archatlas.predictors.families.ridge import LinearModel
from archatlas.predictors.protocol import Evaluations, Prediction, State
from archatlas.predictors.targets import ErrorSpread, Floats, TargetTransform, leave_out, noise_weights
from archatlas.predictors.threads import single_thread

if TYPE_CHECKING:
    from archatlas.predictors.graph_networks.ensembles import Rows
    from archatlas.predictors.graph_networks.pretraining import Lesson
    from archatlas.predictors.parameters import GCNSettings

_PREDICTED_AT_ONCE = 8192


@dataclass(frozen=True)
class _Fitted:
    """All that a prediction needs.

    Attributes:
        network: the ensemble's parameters by name
        scaling: of what the read-out is given beside the graph; None: nothing
        slots: nodes of a graph before padding is taken away
        kinds: node kinds that are counted, ``[t]``
        additive: per set of features one ridge per member
        mixture: float64 ``[additive + 2]``, intercept, weights of the additive models, weight of the GCN
        target: the scores' transform
        error: of out-of-fold outputs
    """

    network: State
    scaling: FeatureScaling | None
    slots: int
    kinds: Labels
    additive: dict[str, tuple[LinearModel, ...]]
    mixture: Floats
    target: TargetTransform
    error: ErrorSpread


class GCNPredictor:
    """Networks on architecture graphs, with ridges on counts of node kinds and on one-hot choices.

    Every member of the ensemble is fitted without its share of the rows. The out-of-fold outputs so obtained give the
    weights with which the networks and the additive models enter the prediction (non-negative least squares, which also
    brings the outputs of a rank loss back to the target's unit, and leaves out networks that have learned nothing), and
    the error that remains (``ErrorSpread``).

    Out-of-fold scores cannot tell a network's merit from a bias that all scores of a super-network share, and most of
    such a bias is not additive. ``residual_share`` below 1 takes the network's part beyond the additive models for a
    mixture of both.

    With few labels the left-out rows are missed. Without ``leave_out`` the same is done to find the weights and the
    error, and then all members are fitted once more, to all rows. The error found is that of single members on fewer
    rows, so it is rather too large than too small.
    """

    def __init__(self, settings: GCNSettings, seed: int) -> None:
        self._settings = settings
        self._seed = seed
        self._fitted: _Fitted | None = None
        self._held_out: Prediction | None = None

    @single_thread()
    def fit(self, batch: ArchitectureBatch, evaluations: Evaluations) -> None:
        from archatlas.predictors.graph_networks.pretraining import lesson_of

        settings, count = self._settings, len(batch)
        require_enough(settings.family, settings, batch, evaluations)
        target = TargetTransform.fit(evaluations.score, settings.transform)
        values = target.forward(evaluations.score)
        left_out = leave_out(batch.networks, settings.ensemble, self._seed)
        everywhere = np.repeat(noise_weights(evaluations)[:, None], settings.ensemble, axis=1)
        weights = everywhere * (left_out[:, None] != np.arange(settings.ensemble))
        names, costs = settings.read_out_features, settings.costs
        scaling = FeatureScaling.find(batch, names, costs=costs) if names else None
        lesson = lesson_of(batch, settings, self._seed) if settings.pretraining_epochs else None
        kinds = node_kinds(batch.graphs)
        columns, rows = self._columns(batch, kinds), _rows(batch, scaling)
        additive, network, parts = self._fit_parts(rows, columns, values, weights, lesson)
        own = (np.arange(count), left_out)
        mixture = mixture_weights([part[own] for part in parts], values, weights.sum(axis=1))
        if settings.additive == "residual":
            mixture[-1] *= settings.residual_share
        mixed = _mixed(mixture, parts)
        error = ErrorSpread.fit(values, mixed[own], mixed.std(axis=1))
        std = target.inverse_std(mixed[own], error.std(mixed.std(axis=1)))
        self._held_out = Prediction(target.inverse(mixed[own]), std)
        slots = batch.graphs.mask.shape[1]
        self._fitted = _Fitted(network, scaling, slots, kinds, additive, mixture, target, error)
        if not settings.leave_out:
            additive, network, _ = self._fit_parts(rows, columns, values, everywhere, lesson)
            self._fitted = replace(self._fitted, network=network, additive=additive)

    def _fit_parts(
        self, rows: Rows, columns: dict[str, Floats], values: Floats, weights: Floats, lesson: Lesson | None
    ) -> tuple[dict[str, tuple[LinearModel, ...]], State, list[Floats]]:
        """Additive models, networks, and the outputs ``[n, members]`` of each; members see where weights are not 0."""
        from archatlas.predictors.graph_networks.gcn_training import train_ensemble

        settings = self._settings
        additive = {name: _fit_members(of_name, values, weights) for name, of_name in columns.items()}
        parts = [_member_outputs(models, columns[name]) for name, models in additive.items()]
        offset = np.mean(parts, axis=0) if settings.additive == "residual" else np.zeros_like(weights)
        network, outputs = train_ensemble(rows, values, weights, offset, settings, self._seed, lesson)
        return additive, network, [*parts, outputs]

    def _columns(self, batch: ArchitectureBatch, kinds: Labels) -> dict[str, Floats]:
        """What the additive models read."""
        columns: dict[str, Floats] = {}
        if self._settings.additive == "none":
            return columns
        if self._settings.additive_features != "one_hot":
            columns["kinds"] = kind_counts(batch.graphs, kinds)
        if self._settings.additive_features != "kinds":
            columns["one_hot"] = one_hot(batch.choices, batch.space.num_choices)
        return columns

    def predict(self, batch: ArchitectureBatch) -> Prediction:
        from archatlas.predictors.graph_networks.ensembles import ensemble_from_state, ensemble_outputs

        if self._fitted is None:
            raise RuntimeError("predict was called before fit or load_state")
        fitted = self._fitted
        network = ensemble_from_state(fitted.network, self._settings, batch.space.graph_features, fitted.slots)
        means, stds = [np.zeros(0)], [np.zeros(0)]
        for start in range(0, len(batch), _PREDICTED_AT_ONCE):
            rows = batch[start : start + _PREDICTED_AT_ONCE]
            columns = self._columns(rows, fitted.kinds)
            parts = [_member_outputs(models, columns[name]) for name, models in fitted.additive.items()]
            parts.append(ensemble_outputs(network, _rows(rows, fitted.scaling), self._settings))
            mixed = _mixed(fitted.mixture, parts)
            value = mixed.mean(axis=1)
            means.append(fitted.target.inverse(value))
            stds.append(fitted.target.inverse_std(value, fitted.error.std(mixed.std(axis=1))))
        return Prediction(np.concatenate(means), np.concatenate(stds))

    def held_out(self) -> Prediction:
        """Of the rows of the last fit, by the member that was fitted without each."""
        if self._held_out is None:
            raise RuntimeError("held_out was called before fit")
        return self._held_out

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
            | fitted.error.state()
            | (fitted.scaling.state() if fitted.scaling else {})
            | {
                "slots": np.array([fitted.slots]),
                "kinds": fitted.kinds,
                "mixture": fitted.mixture,
            }
        )

    def load_state(self, state: State) -> None:
        names = self._settings.read_out_features
        additive = {
            name: tuple(LinearModel.from_state(state, f"{name}_{member}") for member in range(self._settings.ensemble))
            for name in ("kinds", "one_hot")
            if f"{name}_0.centre" in state
        }
        self._fitted = _Fitted(
            network={name.removeprefix("network."): state[name] for name in state if name.startswith("network.")},
            scaling=FeatureScaling.from_state(state, names) if names else None,
            slots=int(state["slots"][0]),
            kinds=np.asarray(state["kinds"], np.int64),
            additive=additive,
            mixture=np.asarray(state["mixture"], np.float64),
            target=TargetTransform.from_state(state),
            error=ErrorSpread.from_state(state),
        )


def _rows(batch: ArchitectureBatch, scaling: FeatureScaling | None) -> Rows:
    """What the networks read."""
    from archatlas.predictors.graph_networks.ensembles import Rows

    features = np.zeros((len(batch), 0), np.float32) if scaling is None else scaling.matrix(batch)
    return Rows(batch.graphs, batch.space.graph_features, features)


def _fit_members(columns: Floats, values: Floats, weights: Floats) -> tuple[LinearModel, ...]:
    """A ridge per member, each on the rows where its weight is not zero; ``weights [n, members]``."""
    return tuple(LinearModel.fit(columns[member > 0], values[member > 0], member[member > 0]) for member in weights.T)


def _member_outputs(models: tuple[LinearModel, ...], columns: Floats) -> Floats:
    """Outputs ``[n, members]`` by one product: centring and scaling go into the coefficients."""
    slopes = np.stack([model.coefficients / model.scale for model in models], axis=1)
    offsets = [model.offset - model.centre @ slope for model, slope in zip(models, slopes.T, strict=True)]
    return np.asarray(columns @ slopes + np.array(offsets), dtype=np.float64)


def _mixed(mixture: Floats, parts: list[Floats]) -> Floats:
    """The mixture of parts ``[n, members]``."""
    return np.asarray(mixture[0] + np.einsum("p,pnm->nm", mixture[1:], np.stack(parts)), dtype=np.float64)
