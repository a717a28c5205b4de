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
    """Quantiles of each proxy of the batch, ``[101, proxies]``; a missing value counts as the lowest.

    Raises ArchatlasError if the batch has no proxies.
    """
    return np.asarray(np.quantile(_values(batch), np.linspace(0, 1, _KNOTS), axis=0), dtype=np.float64)


def proxy_quantiles(batch: ArchitectureBatch, knots: Floats) -> Floats:
    """Normal quantiles of the share of the training sample that lies below, ``[n, proxies]``, from -2.6 to 2.6.

    A missing value counts as the lowest. Raises ArchatlasError if the batch has not the proxies of the knots.
    """
    from scipy.stats import norm

    values = _values(batch)
    if values.shape[1] != knots.shape[1]:
        raise ArchatlasError(f"fitted with {knots.shape[1]} proxies, asked to predict with {values.shape[1]}")
    shares = norm.ppf((np.arange(_KNOTS) + 0.5) / _KNOTS)
    below = (np.interp(column, known, shares) for column, known in zip(values.T, knots.T, strict=True))
    return np.stack([*below], axis=1)


def _values(batch: ArchitectureBatch) -> Floats:
    if batch.proxies is None or not batch.proxies.shape[1]:
        raise ArchatlasError("`proxies: true` asks for zero-cost proxies, but this space has none: set it to false")
    values = batch.proxies.to_numpy(np.float64)
    lowest = np.nanmin(np.where(np.isnan(values), np.inf, values), axis=0)
    return np.where(np.isnan(values), lowest, values)
