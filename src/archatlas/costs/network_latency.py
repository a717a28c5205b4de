"""Latency of whole networks, as others have measured it: no sum over parts."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archatlas.costs.latency_columns import NETWORK_LATENCY_TYPES
from archatlas.spaces.protocol import Choices, SearchSpace


def network_latency_table(latency_ms: pd.Series, device: str) -> pd.DataFrame:
    """A latency table with a row per network (``NETWORK_LATENCY_TYPES``, source "table").

    Args:
        latency_ms: by canonical name; NaN where it is not known
        device: what it was measured on
    """
    rows = {"device": device, "network": latency_ms.index, "latency_ms": latency_ms.to_numpy(), "source": "table"}
    return pd.DataFrame(rows).astype(NETWORK_LATENCY_TYPES)


def is_of_networks(latency_table: pd.DataFrame) -> bool:
    """Whether a latency table has a row per network, and not a row per part."""
    return "network" in latency_table


def latency_of(
    space: SearchSpace, choices: Choices, latency_table: pd.DataFrame, *, canonical: bool = False
) -> NDArray[np.float64]:
    """The latency of each row of a choice matrix ``[n]``, in ms; NaN where the table of networks does not know it.

    ``canonical`` says that the rows are known to be canonical.
    """
    by_name = latency_table.set_index("network")["latency_ms"]
    found = by_name.reindex(space.names(choices if canonical else space.canonicalise(choices)))
    return found.to_numpy(dtype=np.float64)
