"""How likely values are under a Gaussian process, for the search of a kernel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def minus_log_likelihood(covariance: Floats, values: Floats) -> tuple[float, Floats] | None:
    """``-log p(y)`` without its constant, and H with ``d(-log p) = tr(H dK)``; None if K is not positive definite.

    ``H = (K^-1 - (K^-1 y)(K^-1 y)^T) / 2`` (Rasmussen and Williams 2006, equation 5.9), of K ``[n, n]`` and y ``[n]``.
    """
    from scipy.linalg import LinAlgError, cho_solve, cholesky
    from scipy.linalg.lapack import dpotri

    try:
        lower = cholesky(covariance, lower=True, check_finite=False)
    except LinAlgError:
        return None
    dual = cho_solve((lower, True), values, check_finite=False)
    inverse = np.tril(dpotri(lower, lower=1)[0])
    inverse += np.tril(inverse, -1).T
    return float(values @ dual / 2 + np.log(np.diag(lower)).sum()), (inverse - np.outer(dual, dual)) / 2
