"""The table of untrained scores: what its columns are, and what others take from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:  # Predictors' nodes read the table, and are not made again because a score is computed otherwise.
    from archatlas.images.description import ImageDescription
    from archatlas.scores.parameters import ScoreParameters

DEFINITION = ("initialisation", "batch", "image_size", "images", "labels", "score_seed")
"""Columns that say what the scores of a row are scores by: see ``ScoreParameters``."""


def defined(table: pd.DataFrame, parameters: ScoreParameters, description: ImageDescription, seed: int) -> pd.DataFrame:
    """The table with ``DEFINITION``."""
    size = parameters.image_size or description.image_size
    labels = "random" if parameters.images == "gaussian" else parameters.labels
    given = (parameters.initialisation, parameters.batch, size, parameters.images, labels, seed)
    return table.assign(**dict(zip(DEFINITION, given, strict=True)))


def not_finite(table: pd.DataFrame, names: Sequence[str]) -> dict[str, list[str]]:
    """Networks whose score is no finite number, by the name of the score; without scores that are finite everywhere."""
    networks = table["network"].to_numpy(dtype=np.str_)
    found = {name: networks[~np.isfinite(table[name].to_numpy(np.float64))].tolist() for name in names}
    return {name: those for name, those in found.items() if those}


def names_of(table: pd.DataFrame) -> list[str]:
    """The scores of the table, in the order of its columns."""
    return [str(name) for name in table if name not in ("network", "macs", "params", *DEFINITION)]


def proxies_of(table: pd.DataFrame) -> pd.DataFrame:
    """The scores as predictors take proxies: a float64 column each, index: network.

    What is not finite is missing (NaN), as predictors have it.
    """
    scores = table.set_index("network")[names_of(table)].astype("float64")
    return scores.where(np.isfinite(scores))
