"""The columns of tables of latency."""

from __future__ import annotations

import pandas as pd

LATENCY = "predicted_latency_ms"
"""Column of the latency that a network is searched by: the sum of its parts', not one that was measured whole here.

Where a public table has each network's latency (``NETWORK_LATENCY_TYPES``), it is that, and exact.
"""

LATENCY_TYPES = {
    "device": "str", "batch_size": "int64", "threads": "int64", "part": "str", "position": "int64", "choice": "int64",
    "operation": "str", "latency_ms": "float64", "latency_lower_quartile_ms": "float64",
    "latency_upper_quartile_ms": "float64", "source": "str",
}  # fmt: skip

MEASURED = ["latency_ms", "latency_lower_quartile_ms", "latency_upper_quartile_ms"]
"""Columns of a whole network's measured latency: median and quartiles."""

NETWORK_LATENCY_TYPES = {"device": "str", "network": "str", "latency_ms": "float64", "source": "str"}
"""Columns of the other kind of latency table: a row per network, by canonical name."""

CHECK_TYPES = {
    "architecture": "str", LATENCY: "float64", "measured_latency_ms": "float64",
    "measured_latency_lower_quartile_ms": "float64", "measured_latency_upper_quartile_ms": "float64",
}  # fmt: skip


def no_latency() -> pd.DataFrame:
    """A latency table without rows: latency is neither predicted nor bounded."""
    return pd.DataFrame(columns=list(LATENCY_TYPES)).astype(LATENCY_TYPES)


def no_check() -> pd.DataFrame:
    """A table of checked networks without rows."""
    return pd.DataFrame(columns=list(CHECK_TYPES)).astype(CHECK_TYPES)
