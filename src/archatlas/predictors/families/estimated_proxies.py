"""Proxies that are known of some networks, estimated for all: who reads proxies can then speak of any network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.encodings.distinct_rows import distinct_rows
from archatlas.encodings.feature_groups import log_costs
from archatlas.encodings.node_kinds import kind_counts, node_kinds
from archatlas.encodings.normal_quantiles import normal_quantiles
from archatlas.encodings.one_hot import one_hot
from archatlas.encodings.weisfeiler_lehman import Labels
from archatlas.predictors.make import make_predictor
from archatlas.predictors.parameters import PredictorSettings
from archatlas.predictors.protocol import Evaluations, Prediction, State, part_of_state
from archatlas.predictors.targets import Floats, leave_out
from archatlas.predictors.threads import single_thread

_FOLDS = 5
_FEWEST = 10
"""Rows that know a proxy, in every fold's rest, below which it is not estimated."""
_LEAST_TOLD = 0.05
"""Share of a proxy's variance that estimates of networks left out must explain. Ranks would make as much of noise as of
what tells something."""
_PENALTIES = np.logspace(-1, 4, 11)
"""Of squared slopes, where columns have a standard deviation of 1."""
_CONSTANT = 1e-9
_ESTIMATED_AT_ONCE = 8192


class EstimatedProxiesSettings(PredictorSettings):
    """A predictor that reads proxies, and is given estimates of them."""

    fewest: ClassVar[int] = 0

    family: str = Field(default="evidence", description="the family that is given the estimates")
    settings: dict[str, Any] = Field(default={}, description="its settings that are not the family's defaults")

    @property
    def members(self) -> dict[str, dict[str, Any]]:
        return {self.family: self.settings}


@dataclass(frozen=True)
class Lines:
    """Proxies on the scale of their normal quantiles, each a line in one-hot choices, counts of kinds and log costs.

    Attributes:
        names: of the proxies
        kinds: of nodes that are counted, ``[k]``
        slopes: ``[columns, proxies]``; intercepts: ``[proxies]``
    """

    names: tuple[str, ...]
    kinds: Labels
    slopes: Floats
    intercepts: Floats

    def estimates(self, batch: ArchitectureBatch) -> pd.DataFrame:
        """A column per proxy, ``n`` rows; few are looked at together, so that what is made on the way stays small."""
        first, place = distinct_rows(batch.choices)
        found = np.zeros((len(first), len(self.names)))
        for start in range(0, len(first) if self.names else 0, _ESTIMATED_AT_ONCE):
            rows = first[start : start + _ESTIMATED_AT_ONCE]
            # What is made of a batch that is looked at whole is there for the predictor, too.
            part = batch if len(rows) == len(batch) else batch[rows]
            found[start : start + len(rows)] = _columns(part, self.kinds) @ self.slopes + self.intercepts
        return pd.DataFrame(found[place], columns=list(self.names))


_NONE = Lines((), np.zeros(0, dtype=np.int64), np.zeros((0, 0)), np.zeros(0))


class EstimatedProxiesPredictor:
    """A predictor of another family that is given estimates of proxies, whether a network's own are known or not.

    An estimate is a ridge's of the normal quantiles of a proxy, which needs no score of any network: whoever reads
    proxies reads ranks. While it is fitted the predictor sees of each network the estimates of ridges that were
    fitted without that network (and of none its own proxies), so that it learns how far estimates are to be believed;
    the ridges that it predicts with have seen all. Proxies that few networks have, that are the same for all, or that
    such estimates do not tell, are left out. Fitted to a batch without proxies it is that other predictor.
    """

    def __init__(self, settings: EstimatedProxiesSettings, seed: int) -> None:
        self._seed = seed
        self._predictor = make_predictor(settings.family, settings.settings, seed)
        self._lines = _NONE

    @single_thread()
    def fit(self, batch: ArchitectureBatch, evaluations: Evaluations) -> None:
        self._lines, estimates = estimated(batch, self._seed)
        self._predictor.fit(batch.with_proxies(estimates), evaluations)

    @single_thread()
    def predict(self, batch: ArchitectureBatch) -> Prediction:
        return self._predictor.predict(batch.with_proxies(self._lines.estimates(batch)))

    @property
    def proxies(self) -> tuple[str, ...]:
        """Names of those that are estimated."""
        return self._lines.names

    def state(self) -> State:
        state: State = {f"predictor/{key}": value for key, value in self._predictor.state().items()}
        return state | {
            "proxies": np.frombuffer("\n".join(self.proxies).encode(), dtype=np.uint8).copy(),
            "kinds": self._lines.kinds,
            "slopes": self._lines.slopes,
            "intercepts": self._lines.intercepts,
        }

    def load_state(self, state: State) -> None:
        names = np.asarray(state["proxies"], np.uint8).tobytes().decode()
        slopes, intercepts = (np.asarray(state[name], np.float64) for name in ("slopes", "intercepts"))
        kinds = np.asarray(state["kinds"], np.int64)
        self._lines = Lines(tuple(names.split("\n")) if names else (), kinds, slopes, intercepts)
        self._predictor.load_state(part_of_state(state, "predictor"))


def estimated(batch: ArchitectureBatch, seed: int) -> tuple[Lines, pd.DataFrame]:
    """The lines of all rows, and for each row the estimates of lines that were found without its network."""
    left_out = leave_out(batch.networks, _FOLDS, seed)
    known = _known(batch, left_out)
    if not known.shape[1]:
        return _NONE, _NONE.estimates(batch)
    kinds = node_kinds(batch.graphs)
    columns = _columns(batch, kinds)
    slopes, intercepts = _lines(columns, known)
    estimates = known.copy()
    for fold in np.unique(left_out):
        here = left_out == fold
        others, above = _lines(columns[~here], known[~here])
        estimates[here] = columns[here] @ others + above
    told = 1 - ((estimates - known) ** 2).mean() / known.var(ddof=0)
    kept = (told >= _LEAST_TOLD).to_numpy()
    names = tuple(known.columns[kept])
    return Lines(names, kinds, slopes[:, kept], intercepts[kept]), estimates.loc[:, kept]


def _known(batch: ArchitectureBatch, left_out: NDArray[np.int64]) -> pd.DataFrame:
    """Normal quantiles of the proxies that many networks have, ``n`` rows: NaN where one is missing, or not finite."""
    if batch.proxies is None:
        return pd.DataFrame(index=range(len(batch)))
    given = batch.proxies.astype("float64").reset_index(drop=True).rename(columns=str)
    given = given.where(np.isfinite(given))
    in_folds = given.groupby(left_out).count()
    many = (in_folds.sum() - in_folds.max()).to_numpy() >= _FEWEST
    enough = many & (given.max() > given.min()).to_numpy(dtype=np.bool_)
    found = given.loc[:, enough]
    for name, column in found.items():
        has = column.notna()
        found.loc[has, name] = normal_quantiles(column[has].to_numpy())
    return found


def _columns(batch: ArchitectureBatch, kinds: Labels) -> Floats:
    """What lines are in, ``[n, columns]``."""
    choices = one_hot(batch.choices, batch.space.num_choices)
    return np.concatenate([choices, kind_counts(batch.graphs, kinds), log_costs(batch)], axis=1)


def _lines(columns: Floats, known: pd.DataFrame) -> tuple[Floats, Floats]:
    """A ridge for each proxy, of the rows that have it: slopes ``[columns, proxies]``, intercepts.

    Each has the penalty by which the rows are told best by the others. Proxies that the same rows have are one problem.
    """
    from sklearn.linear_model import RidgeCV

    spread = columns.std(axis=0)
    scale = np.where(spread > _CONSTANT, spread, 1.0)
    slopes, intercepts = np.zeros((columns.shape[1], known.shape[1])), np.zeros(known.shape[1])
    patterns, pattern_of = np.unique(known.notna().to_numpy(), axis=1, return_inverse=True)
    for number, rows in enumerate(patterns.T):
        places = np.flatnonzero(pattern_of == number)
        model = RidgeCV(alphas=_PENALTIES, alpha_per_target=True)
        model.fit(columns[rows] / scale, known.to_numpy()[np.ix_(rows, places)])
        slopes[:, places], intercepts[places] = np.atleast_2d(model.coef_).T / scale[:, None], model.intercept_
    return slopes, intercepts
