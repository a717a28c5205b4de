"""Opinions of architectures that are there before any label: scores without training, and costs.

Opinions span orders of magnitude and have tails of their own. What they tell is an order, so each is read as normal
quantiles of its ranks, among the rows where it was found. An opinion is named as its column is, without the prefix
``proxy_`` of public tables; counted costs are ``params`` and ``macs``.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.encodings.feature_groups import log_costs
from archatlas.encodings.normal_quantiles import normal_quantiles
from archatlas.errors import ArchatlasError

Floats = NDArray[np.float64]
State = dict[str, NDArray[np.generic]]

COSTS = ("params", "macs")
_PREFIX = "proxy_"
_FURTHEST = 4.0
"""Normal quantiles beyond which an opinion says nothing more."""
_KNOTS = 2_001
_log = logging.getLogger(__name__)


def opinions_of(batch: ArchitectureBatch) -> pd.DataFrame:
    """A float64 column for each opinion, ``n`` rows; none where there are neither proxies nor costs.

    What is not finite is missing (NaN), and warned of by name and number. A column of the batch's proxies with the name
    of a cost takes that cost's place.
    """
    costs = log_costs(batch)
    found = pd.DataFrame(costs, columns=list(COSTS[: costs.shape[1]]))
    if batch.proxies is not None:
        given = batch.proxies.reset_index(drop=True).astype("float64")
        given.columns = pd.Index([str(name).removeprefix(_PREFIX) for name in given.columns])
        found = pd.concat([given, found.drop(columns=[name for name in found if name in given])], axis=1)
    finite = np.isfinite(found)
    for name, count in (~finite).sum().items():
        if count:
            _log.warning("%s is not finite for %d of %d networks: they have no opinion by it", name, count, len(found))
    return found.where(finite)


@dataclass(frozen=True)
class OpinionScale:
    """From opinions to normal quantiles of their ranks: one monotone map each, linear between knots.

    Attributes:
        names: of the opinions that differ between networks, sorted
        knots: of each, its distinct values and their quantiles, ``[2, k]``; beyond them as steep as from end to end
    """

    names: tuple[str, ...]
    knots: tuple[Floats, ...]

    @classmethod
    def find(cls, opinions: pd.DataFrame, asked: Collection[str] = ()) -> OpinionScale:
        """The scale of these rows; opinions that are missing everywhere, or the same everywhere, are passed over.

        Of those that somebody has ``asked`` for it is warned.
        """
        found = {}
        for name in sorted(map(str, opinions)):
            known = opinions[name].dropna().to_numpy(np.float64)
            if len(known) and np.ptp(known) > 0:
                found[name] = _knots(known)
        silent = [str(name) for name in opinions if str(name) not in found]
        for level, are_asked in ((logging.WARNING, True), (logging.INFO, False)):
            if names := [name for name in silent if (name in asked) == are_asked]:
                _log.log(level, "opinions that say the same of all networks, or nothing: %s", ", ".join(names))
        return cls(tuple(found), tuple(found.values()))

    def quantiles(self, opinions: pd.DataFrame) -> Floats:
        """Normal quantiles ``[n, names]``, from -4 to 4; 0, as of the median, where an opinion is missing.

        Raises ArchatlasError if there is no column of an opinion of this scale.
        """
        lacking = [name for name in self.names if name not in opinions]
        if lacking:
            raise ArchatlasError(
                f"fitted with the opinion {lacking[0]!r} ({len(lacking)} are missing), asked to predict without it: "
                "give the batch the same proxies"
            )
        columns = (_on(knots, opinions[name].to_numpy(np.float64)) for name, knots in self._each())
        return np.stack([np.zeros(len(opinions)), *columns], axis=1)[:, 1:]

    def _each(self) -> zip[tuple[str, Floats]]:
        return zip(self.names, self.knots, strict=True)

    def state(self) -> State:
        """The scale as arrays."""
        names = np.frombuffer("\n".join(self.names).encode(), dtype=np.uint8).copy()
        return {"opinions.names": names} | {f"opinions.{name}": knots for name, knots in self._each()}

    @classmethod
    def from_state(cls, state: State) -> OpinionScale:
        """Inverse of ``state``; other entries are left alone."""
        joined = np.asarray(state["opinions.names"], np.uint8).tobytes().decode()
        names = tuple(joined.split("\n")) if joined else ()
        return cls(names, tuple(np.asarray(state[f"opinions.{name}"], np.float64) for name in names))


def _knots(values: Floats) -> Floats:
    distinct, first = np.unique(values, return_index=True)
    quantiles = normal_quantiles(values)[first]
    kept = np.unique(np.linspace(0, len(distinct) - 1, min(len(distinct), _KNOTS)).round().astype(np.int64))
    return np.stack([distinct, quantiles])[:, kept]


def _on(knots: Floats, values: Floats) -> Floats:
    known, quantiles = knots
    beyond = np.minimum(values - known[0], 0) + np.maximum(values - known[-1], 0)
    with np.errstate(over="ignore"):  # As many times the range of what is known; that may be as good as none.
        ranges = beyond / (known[-1] - known[0])
    said = np.clip(np.interp(values, known, quantiles) + (quantiles[-1] - quantiles[0]) * ranges, -_FURTHEST, _FURTHEST)
    return np.where(np.isnan(values), 0.0, said)
