"""The table of untrained scores: what its columns are, and what others take from it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from archatlas.errors import ArchatlasError
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


def proxies_of(table: pd.DataFrame, networks: Sequence[str], names: Sequence[str]) -> pd.DataFrame:
    """The scores ``names`` of these networks in their order, as an ``ArchitectureBatch`` takes ``proxies``.

    What is not finite is missing (NaN), as predictors have it. ArchatlasError if a network or a score is not there.
    """
    lacking = [name for name in names if name not in table]
    by_name = table.set_index("network")
    unknown = [name for name in networks if name not in by_name.index]
    if lacking or unknown:
        raise ArchatlasError(
            f"the table of untrained scores has no {'score' if lacking else 'network'} {(lacking or unknown)[0]!r} "
            f"({len(lacking or unknown)} are missing): score it first"
        )
    scores = by_name.loc[list(networks), list(names)].astype("float64")
    return scores.where(np.isfinite(scores)).reset_index(drop=True)
