"""A Gaussian process on Weisfeiler-Lehman label histograms."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.encodings.weisfeiler_lehman import Labels, label_counts, vocabulary, wl_labels
from archatlas.predictors.parameters import GaussianProcessSettings
from archatlas.predictors.protocol import Evaluations, Prediction, State
from archatlas.predictors.targets import Floats, TargetTransform, noise_weights
from archatlas.predictors.threads import single_thread

_SEARCHED_ROWS = 300
_SEARCH_STEPS = 30


def _bounded_search(objective: Any, start: Floats, bounds: Floats) -> tuple[Floats, float]:
    """L-BFGS-B with a bound on its steps, in the form that scikit-learn asks of an optimiser."""
    from scipy.optimize import minimize

    found = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": _SEARCH_STEPS})
    return found.x, float(found.fun)


def _kernel() -> Any:
    """A linear part (what each label adds), a smooth part (their interplay), and noise."""
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, WhiteKernel

    linear = ConstantKernel(0.3, (1e-3, 1e3)) * DotProduct(sigma_0=0.1, sigma_0_bounds="fixed")
    smooth = ConstantKernel(0.5, (1e-3, 1e2)) * RBF(1.0, (0.1, 30.0))
    return linear + smooth + WhiteKernel(0.2, (1e-3, 3.0))


class GaussianProcessPredictor:
    """GP regression on principal components of label histograms, each round scaled to variance 1 in sum.

    Kernel parameters maximise the marginal likelihood of at most 300 rows; the posterior then takes all rows. Labels
    that occur once are left out. Row noise is the white noise of the kernel, larger where the weights of the rows are
    smaller. The standard deviation is that of a new evaluation.
    """

    def __init__(self, settings: GaussianProcessSettings, seed: int) -> None:
        self._settings = settings
        self._seed = seed
        self._state: dict[str, Any] | None = None

    @single_thread()
    def fit(self, batch: ArchitectureBatch, evaluations: Evaluations) -> None:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.gaussian_process import GaussianProcessRegressor

        transform = TargetTransform.fit(evaluations.score, self._settings.transform)
        target = transform.forward(evaluations.score)
        state: dict[str, Any] = transform.state()
        labels, mask = wl_labels(batch.graphs, self._settings.rounds), batch.graphs.mask
        for number, of_round in enumerate(labels):
            state[f"labels_{number}"] = vocabulary(of_round, mask, at_least=2)
        histograms = self._histograms(labels, mask, state)
        for number, counts in enumerate(histograms):
            state[f"centre_{number}"] = counts.mean(axis=0)
            state[f"scale_{number}"] = np.array([np.sqrt(counts.var(axis=0).sum()) or 1.0])
        columns = self._scaled(histograms, state)
        _, _, directions = np.linalg.svd(columns, full_matrices=False)
        state["directions"] = np.ascontiguousarray(directions[: self._settings.components].T)
        inside = columns @ state["directions"]
        chosen = np.random.default_rng(self._seed).permutation(len(batch))[:_SEARCHED_ROWS]
        search = GaussianProcessRegressor(_kernel(), optimizer=_bounded_search, normalize_y=False)
        centre = float(target.mean())
        with warnings.catch_warnings():
            # A parameter at its bound (no noise at all, say) is an answer like any other.
            warnings.simplefilter("ignore", ConvergenceWarning)
            theta = search.fit(inside[chosen], target[chosen] - centre).kernel_.theta
        kernel = _kernel().clone_with_theta(theta)
        white = float(np.exp(theta[-1]))
        extra = white * np.maximum(1 / noise_weights(evaluations) - 1, 0.0) + 1e-10
        posterior = GaussianProcessRegressor(kernel, alpha=extra, optimizer=None).fit(inside, target - centre)
        self._state = {
            **state,
            "theta": np.asarray(theta, np.float64),
            "centre": np.array([centre]),
            "rows": inside,
            "dual": np.asarray(posterior.alpha_, np.float64),
            "cholesky": np.asarray(posterior.L_, np.float64),
        }

    @staticmethod
    def _histograms(labels: Labels, mask: NDArray[np.bool_], state: dict[str, Any]) -> list[Floats]:
        known = (np.asarray(state[f"labels_{number}"], np.int64) for number in range(len(labels)))
        return [label_counts(of_round, mask, words) for of_round, words in zip(labels, known, strict=True)]

    @staticmethod
    def _scaled(histograms: list[Floats], state: dict[str, Any]) -> Floats:
        parts = [
            (counts - state[f"centre_{number}"]) / state[f"scale_{number}"] for number, counts in enumerate(histograms)
        ]
        return np.hstack(parts)

    @single_thread()
    def predict(self, batch: ArchitectureBatch) -> Prediction:
        from scipy.linalg import solve_triangular

        if self._state is None:
            raise RuntimeError("predict was called before fit or load_state")
        state = self._state
        labels, mask = wl_labels(batch.graphs, self._settings.rounds), batch.graphs.mask
        inside = self._scaled(self._histograms(labels, mask, state), state) @ state["directions"]
        kernel = _kernel().clone_with_theta(state["theta"])
        with_rows = kernel(inside, state["rows"])
        value = with_rows @ state["dual"] + state["centre"][0]
        explained = solve_triangular(state["cholesky"], with_rows.T, lower=True, check_finite=False)
        variance = kernel.diag(inside) - np.einsum("rn,rn->n", explained, explained)
        transform = TargetTransform.from_state(state)
        std = transform.inverse_std(value, np.sqrt(np.maximum(variance, 1e-12)))
        return Prediction(transform.inverse(value), std)

    def state(self) -> State:
        if self._state is None:
            raise RuntimeError("state was called before fit or load_state")
        return dict(self._state)

    def load_state(self, state: State) -> None:
        self._state = dict(state)
