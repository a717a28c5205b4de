"""What a Gaussian process would have said of each network without it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from archatlas.predictors.targets import Floats


def left_out_errors(whitening: Floats, dual: Floats, networks: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Errors ``[n]`` of rows foretold by all rows of other networks, and the precisions ``[n]`` of these predictions.

    With ``K`` the covariance and G the rows of a network, the errors are ``((K^-1)_GG)^-1 (K^-1 y)_G`` and their
    covariance is ``((K^-1)_GG)^-1``: Rasmussen and Williams 2006, equation 5.12, for one row.

    Args:
        whitening: ``[n, n]``, inverse of the Cholesky factor of ``K``
        dual: ``K^-1 y``, ``[n]``
        networks: number of each row's network, ``[n]``
    """
    precision = np.einsum("kn,kn->n", whitening, whitening)
    errors = dual / precision
    for network in np.flatnonzero(np.bincount(networks) > 1):
        twins = np.flatnonzero(networks == network)
        covariance = np.linalg.inv(whitening[:, twins].T @ whitening[:, twins])
        errors[twins], precision[twins] = covariance @ dual[twins], 1 / covariance.diagonal()
    return errors, precision
