"""Whether there are networks enough to learn from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.errors import ArchatlasError
from archatlas.predictors.protocol import Evaluations

if TYPE_CHECKING:
    from archatlas.predictors.parameters import PredictorSettings


def require_enough(
    family: str, settings: PredictorSettings, batch: ArchitectureBatch, evaluations: Evaluations
) -> None:
    """Raise ArchatlasError for fewer networks with a score than ``family`` learns from; every ``fit`` begins so."""
    known = len(np.unique(batch.networks[np.isfinite(evaluations.score)]))
    if known < settings.fewest:
        raise ArchatlasError(
            f"the predictor `{family}` learns from {settings.fewest} or more networks with a score, but there are "
            f"{known}: evaluate more, or take another family (`evidence` does without any)"
        )
