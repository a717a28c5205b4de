"""Zero-cost proxies as features: where a value stands among those of a training sample.

Proxies span orders of magnitude and have tails of their own; ranks keep what they tell (Abdelfattah et al., ICLR 2021,
arXiv 2101.08134, compare them by rank correlation alone).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from archatlas.errors import ArchatlasError

if TYPE_CHECKING:
    from archatlas.encodings.batch import ArchitectureBatch

Floats = NDArray[np.float64]

_KNOTS = 101


def proxy_knots(batch: ArchitectureBatch) -> Floats:
    """Quantiles of each proxy of the batch, ``[101, proxies]``; a missing value counts as the lowest, 0 if all are.

    Raises ArchatlasError if the batch has no proxies.
    """
    values = _values(batch)
    missing = np.isnan(values)
    lowest = np.where(missing.all(axis=0), 0.0, np.where(missing, np.inf, values).min(axis=0, initial=np.inf))
    filled = np.where(missing, lowest, values)
    return np.asarray(np.quantile(filled, np.linspace(0, 1, _KNOTS), axis=0), dtype=np.float64)


def proxy_quantiles(batch: ArchitectureBatch, knots: Floats) -> Floats:
    """Normal quantiles of the share of the training sample that lies below, ``[n, proxies]``, from -2.6 to 2.6.

    A missing value counts as the lowest of that sample, whatever else is asked for. Raises ArchatlasError if the batch
    has not the proxies of the knots.
    """
    from scipy.stats import norm

    values = _values(batch)
    if values.shape[1] != knots.shape[1]:
        raise ArchatlasError(f"fitted with {knots.shape[1]} proxies, asked to predict with {values.shape[1]}")
    shares = norm.ppf((np.arange(_KNOTS) + 0.5) / _KNOTS)
    known = np.where(np.isnan(values), knots[0], values)
    return np.stack([np.interp(column, of_it, shares) for column, of_it in zip(known.T, knots.T, strict=True)], axis=1)


def _values(batch: ArchitectureBatch) -> Floats:
    if batch.proxies is None or not batch.proxies.shape[1]:
        raise ArchatlasError("`proxies: true` asks for zero-cost proxies, but this space has none: set it to false")
    return batch.proxies.to_numpy(np.float64)
