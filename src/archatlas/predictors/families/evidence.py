"""Few labels beside opinions that were there before them: a prior mean that fades."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from pydantic import Field, NonNegativeFloat

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.encodings.opinions import OpinionScale, opinions_of
from archatlas.errors import ArchatlasError, nearest
from archatlas.predictors.families.gaussian_process import GaussianProcessPredictor
from archatlas.predictors.make import make_predictor
from archatlas.predictors.parameters import GaussianProcessSettings, PredictorSettings, TargetTransformName, Tuned
from archatlas.predictors.protocol import Evaluations, Prediction, Predictor, State, part_of_state
from archatlas.predictors.targets import Floats, TargetTransform, interval_width

_LOGGER = logging.getLogger(__name__)
SUPERNET = "supernet"
"""The source of scores that are an opinion where there are labels of another source too, and that opinion's name."""
_DEFAULT_PRIOR = {"jacov": 1.0, "macs": 1.0, SUPERNET: 1.0}
_PARTS = ("line", "alone", "informed", "beyond")
"""What a prediction is mixed of: the prior mean on a line, and the processes f, g and h of ``EvidencePredictor``."""
_FEWEST = 4
"""Labels from which on processes are fitted."""
_SLOPE, _SLOPE_SPREAD, _LINE_VARIANCE = 0.75, 0.6, 0.5
"""Of the target on the prior mean, before any label: slope, how sure it is, and variance of what it leaves."""
_LEAST_SLOPE = 0.1
"""While the line speaks alone: labels that contradict the prior mean leave its order, since there is no other."""
_GATE = 2
"""Power of the ratio of errors by which a prior mean that errs is believed less."""
_STANDARD = TargetTransform(np.array([0.0, 1.0]), np.array([0.0, 1.0]), 1.0)


class EvidenceSettings(PredictorSettings):
    """A prior mean of opinions that need no label, and Gaussian processes for what labels say beyond it."""

    fewest: ClassVar[int] = 0
    tuned: ClassVar[Mapping[str, Tuned]] = {"worth": [5.0, 15.0, 45.0], "transform": ["quantile", "raw"]}

    prior: dict[str, NonNegativeFloat] = Field(
        default=_DEFAULT_PRIOR,
        description="weights of opinions in the prior mean, of those that there are; the higher, the better a network",
    )
    worth: float = Field(
        default=15.0, ge=0, le=1e6, description="how many labels the prior mean is worth: its share is half at so many"
    )
    cheap: str = Field(
        default="gcn", description="the family that predicts scores of super-networks where they are an opinion"
    )
    cheap_settings: dict[str, Any] = Field(default={}, description="its settings that are not the family's defaults")
    gp: GaussianProcessSettings = Field(default=GaussianProcessSettings(), description="the Gaussian processes")
    transform: TargetTransformName = Field(default="quantile", description="what is learned, as of gp")

    @property
    def members(self) -> dict[str, dict[str, Any]]:
        return {self.cheap: self.cheap_settings}

    @property
    def reads_proxies(self) -> bool:
        return True


@dataclass(frozen=True)
class _PriorMean:
    """A weighted mean of opinions, standardised where it was found; ``width`` 0: it tells no network from another."""

    scale: OpinionScale
    weights: Floats
    centre: float
    width: float

    @classmethod
    def find(cls, opinions: pd.DataFrame, weights: Mapping[str, float]) -> _PriorMean:
        heard = [name for name, weight in weights.items() if weight]
        _tell_lacking(heard, list(map(str, opinions)))
        scale = OpinionScale.find(opinions, heard)
        asked = np.array([weights.get(name, 0.0) for name in scale.names], dtype=np.float64)
        mean = scale.quantiles(opinions) @ asked
        width = float(mean.std()) if len(mean) else 0.0
        return cls(scale, asked, float(mean.mean()) if width else 0.0, width)

    def level(self, quantiles: Floats) -> Floats:
        """The prior mean ``[n]`` of opinions on the scale, ``[n, names]``."""
        above = quantiles @ self.weights - self.centre
        return np.asarray(above / self.width if self.width else np.zeros(len(above)), dtype=np.float64)


def _tell_lacking(heard: Sequence[str], there: Sequence[str]) -> None:
    """Warn of names in a prior that no opinion has; those of the default are there or not, as the data have them.

    Raises:
        ArchatlasError: there are opinions, and the prior names none of them, nor one of the default.
    """
    lacking = [name for name in heard if name not in there]
    silent = bool(lacking) and len(lacking) == len(heard)
    told = lacking if silent else [name for name in lacking if name not in _DEFAULT_PRIOR]
    if not told:
        return
    problem = f"`prior` of evidence names {', '.join(told)}, and no opinion of these networks is called so"
    problem += nearest(told[0], there)
    if silent and there and _DEFAULT_PRIOR.keys().isdisjoint(lacking):
        raise ArchatlasError(problem)
    _LOGGER.warning("%s", problem)


class EvidencePredictor:
    """A prior mean of opinions that fades into Gaussian processes as labels come.

    Opinions are scores without training (the batch's proxies), counted costs, and scores of super-networks where there
    are labels of another source, predicted for all networks by a family of choice. Each is read as normal quantiles
    (``encodings/opinions.py``). The prior mean m is a weighted mean of some of them and rises with each. Predicted is

        ``p b m(x) + (1 - p) ((1 - d) (f(x) + g(x)) / 2 + d (b m(x) + h(x)))``

    on the scale of the target: f is the Gaussian process of ``gaussian_process.py``, g the same with all opinions as
    columns beside its features, and h as g, but of what b m leaves (a fixed mean function: Rasmussen and Williams 2006,
    section 2.7). b is a Bayesian slope about .75, and at least 0 (.1 where the line is alone). For n labels ``d = w /
    (w + n)`` and ``p = d^2``, where w is the setting ``worth``, and less where left-out rows say that the prior errs
    (``_shares``). So the prior alone speaks before any label, h takes back where it errs, and in the end half of the
    answer has never heard an opinion.

    Ours; what was chosen was chosen on TransNAS-Bench-101 micro, NAS-Bench-101 and NAS-Bench-Macro
    (docs/predictors.md). Rows of ``fit`` whose score is NaN have no label: they tell how opinions are spread over the
    space. Without any label predictions rank as the prior mean does, and are normal quantiles instead of scores.
    """

    def __init__(self, settings: EvidenceSettings, seed: int) -> None:
        self._settings = settings
        self._seed = seed
        self._cheap: Predictor | None = None
        self._prior: _PriorMean | None = None
        self._processes: dict[str, GaussianProcessPredictor] = {}
        self._target = _STANDARD
        self._line = np.zeros(3)
        self._shares = np.zeros(len(_PARTS))
        self._width = 1.0

    def fit(self, batch: ArchitectureBatch, evaluations: Evaluations) -> None:
        labelled = np.isfinite(evaluations.score)
        cheap = labelled & (evaluations.source == SUPERNET)
        self._cheap = None
        if cheap.any() and (labelled & ~cheap).any():
            self._cheap = self._new_cheap()
            self._cheap.fit(batch[cheap], evaluations[cheap])
            labelled &= ~cheap
        opinions = self._opinions(batch)
        self._prior = _PriorMean.find(opinions, self._settings.prior)
        self._learn(self._prior, batch[labelled], evaluations[labelled], opinions.iloc[np.flatnonzero(labelled)])

    def _learn(
        self, prior: _PriorMean, batch: ArchitectureBatch, evaluations: Evaluations, opinions: pd.DataFrame
    ) -> None:
        """The line, the processes and their shares, of rows that all have labels."""
        count = len(batch)
        self._target = TargetTransform.fit(evaluations.score, self._settings.transform) if count else _STANDARD
        values = self._target.forward(evaluations.score)
        noise = self._target.forward_std(evaluations.score, evaluations.noise)
        quantiles = prior.scale.quantiles(opinions)
        self._line = _line(prior.level(quantiles), values)
        informed = _informed(batch, prior, quantiles)
        names = _PARTS[1 : 2 + bool(prior.scale.names) + bool(prior.width)] if count >= _FEWEST else ()
        self._processes = {name: self._new_process(name) for name in names}
        known, std = self._on_line(prior.level(quantiles))
        means, stds = {"line": known}, {"line": std}
        for name, process in self._processes.items():
            before = known if name == "beyond" else np.zeros(count)
            process.fit(informed, Evaluations(values - before, noise, evaluations.source))
            said = process.held_out()
            means[name], stds[name] = before + said.mean, said.std
        errors = {name: float(((means[name] - values) ** 2).mean()) for name in self._processes}
        if "beyond" in errors:
            errors["line"] = float(((known - values) ** 2).sum()) / (count - 2)
        self._shares = _shares(errors, count, self._settings.worth)
        mean, spread = self._mixed(means, stds)
        self._width = interval_width(np.abs(values - mean) / spread) if count else 1.0

    def predict(self, batch: ArchitectureBatch) -> Prediction:
        if self._prior is None:
            raise RuntimeError("predict was called before fit or load_state")
        quantiles = self._prior.scale.quantiles(self._opinions(batch))
        informed = _informed(batch, self._prior, quantiles)
        known, std = self._on_line(self._prior.level(quantiles))
        means, stds = {"line": known}, {"line": std}
        for name, process in self._processes.items():
            said = process.predict(informed)
            means[name] = said.mean + known if name == "beyond" else said.mean
            stds[name] = said.std
        mean, spread = self._mixed(means, stds)
        return Prediction(self._target.inverse(mean), self._target.inverse_std(mean, self._width * spread))

    def _new_cheap(self) -> Predictor:
        return make_predictor(self._settings.cheap, self._settings.cheap_settings, self._seed)

    def _new_process(self, name: str) -> GaussianProcessPredictor:
        asked = {"proxies": name != "alone", "transform": "raw"}
        return GaussianProcessPredictor(self._settings.gp.model_copy(update=asked), self._seed)

    def _opinions(self, batch: ArchitectureBatch) -> pd.DataFrame:
        """All opinions, ``n`` rows, those of super-networks among them."""
        opinions = opinions_of(batch)
        return opinions if self._cheap is None else opinions.assign(**{SUPERNET: self._cheap.predict(batch).mean})

    def _on_line(self, level: Floats) -> tuple[Floats, Floats]:
        """What the prior mean says, on the scale of the target, and its standard error; ``[n]`` each."""
        intercept, slope, error = self._line
        return intercept + slope * level, np.full(len(level), error)

    def _mixed(self, means: Mapping[str, Floats], stds: Mapping[str, Floats]) -> tuple[Floats, Floats]:
        """Mean and standard deviation ``[n]`` of the parts' by their shares, their disagreement with it."""
        shares = np.array([self._shares[_PARTS.index(name)] for name in means])
        stacked, spread = np.stack([*means.values()]), np.stack([*stds.values()])
        mean = shares @ stacked
        return mean, np.maximum(np.sqrt((shares @ spread) ** 2 + shares @ (stacked - mean) ** 2), 1e-9)

    def state(self) -> State:
        if self._prior is None:
            raise RuntimeError("state was called before fit or load_state")
        state: State = {
            "prior.weights": self._prior.weights,
            "prior.centre_and_width": np.array([self._prior.centre, self._prior.width]),
            "line": self._line,
            "shares": self._shares,
            "width": np.array([self._width]),
        }
        state |= self._prior.scale.state() | self._target.state()
        parts: dict[str, Predictor] = {**self._processes} | ({} if self._cheap is None else {"cheap": self._cheap})
        for name, part in parts.items():
            state |= {f"{name}/{key}": value for key, value in part.state().items()}
        return state

    def load_state(self, state: State) -> None:
        weights = np.asarray(state["prior.weights"], np.float64)
        centre, width = (float(value) for value in state["prior.centre_and_width"])
        self._prior = _PriorMean(OpinionScale.from_state(state), weights, centre, width)
        self._target = TargetTransform.from_state(state)
        self._line, self._shares = (np.asarray(state[name], np.float64) for name in ("line", "shares"))
        self._width = float(state["width"][0])
        self._processes = {name: self._new_process(name) for name in _PARTS[1:] if part_of_state(state, name)}
        for name, process in self._processes.items():
            process.load_state(part_of_state(state, name))
        cheap = part_of_state(state, "cheap")
        self._cheap = self._new_cheap() if cheap else None
        if self._cheap is not None:
            self._cheap.load_state(cheap)


def _informed(batch: ArchitectureBatch, prior: _PriorMean, quantiles: Floats) -> ArchitectureBatch:
    """The batch with quantiles of its opinions, and the prior mean of them, as proxies."""
    columns = pd.DataFrame(quantiles, columns=list(prior.scale.names))
    return batch.with_proxies(columns.assign(prior_mean=prior.level(quantiles)))


def _line(level: Floats, values: Floats) -> Floats:
    """Intercept, slope and standard error of ``values`` on the prior mean, ``[3]``; without values, before any label.

    ``b ~ N(.75, .6^2)``, errors of variance one half: over whole tables normal quantiles rise with the prior mean by
    .72 (TransNAS-Bench-101 micro), .75 (NAS-Bench-Macro) and .81 (NAS-Bench-101).
    """
    if not len(values):
        return np.array([0.0, _SLOPE, (1 - _SLOPE**2) ** 0.5])
    centred, precision = level - level.mean(), 1 / _SLOPE_SPREAD**2
    evidence = centred @ values / _LINE_VARIANCE + _SLOPE * precision
    least = _LEAST_SLOPE if len(values) < _FEWEST else 0.0
    slope = max(float(evidence / (centred @ centred / _LINE_VARIANCE + precision)), least)
    left = float(((values - values.mean() - slope * centred) ** 2).sum())
    error = ((left + _FEWEST * _LINE_VARIANCE) / (len(values) + _FEWEST)) ** 0.5
    return np.array([values.mean() - slope * level.mean(), slope, error])


def _shares(errors: Mapping[str, float], count: int, worth: float) -> Floats:
    """Shares of ``_PARTS``, together 1, from mean squared errors of left-out rows and the number of labels.

    The prior mean has a share ``d = w / (w + n)`` of the processes, and ``d^2`` of the whole for itself. Both are less
    where what is there without them errs less, by the square of the ratio of errors.
    """
    without = [name for name in ("alone", "informed") if name in errors]
    if not without:
        return np.array([1.0, 0.0, 0.0, 0.0])
    line = beyond = 0.0
    if "beyond" in errors:
        share, least = worth / (worth + count), min(errors[name] for name in without)
        beyond = share * _believed(errors["beyond"], least)
        line = share**2 * _believed(errors["line"], min(least, errors["beyond"]))
    of_each = (1 - line) * (1 - beyond) / len(without)
    shares = {"line": line, "beyond": (1 - line) * beyond, **dict.fromkeys(without, of_each)}
    return np.array([shares.get(name, 0.0) for name in _PARTS])


def _believed(error: float, of_others: float) -> float:
    return min(of_others / max(error, 1e-12), 1.0) ** _GATE
