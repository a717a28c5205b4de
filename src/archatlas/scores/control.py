"""What scores without training say, as controls for scores that need some: several as one, and each alone."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from archatlas.scorers.scorer import Scorer, Scores

if TYPE_CHECKING:
    import pandas as pd

    from archatlas.encodings.batch import ArchitectureBatch
    from archatlas.images.dataset import ImageSplit

_LOGGER = logging.getLogger(__name__)
_NAMES = ("nwot", "jacov")
RANKED = (*_NAMES, "params")
_BATCH, _SEED = 64, 0


def rank_mean(batch: ArchitectureBatch, images: ImageSplit | None) -> Scores:
    """The mean rank of each network by nwot, jacov and params, ``[n]``: ranks among the networks of the batch.

    Networks are at initialisation, on one batch of Gaussian images, so that no image is needed and the same networks
    get the same scores whatever is searched for. A score that is not finite has the least rank, which is warned of by
    name and number.
    """
    from archatlas.scores.batch import gaussian_batch
    from archatlas.scores.parts import Setting, scored
    from archatlas.training.parameters import DeviceParameters

    space = batch.space
    seen = gaussian_batch(space.input_shape, space.num_classes, _BATCH, _SEED)
    setting = Setting(space, _NAMES, "pytorch", _SEED, DeviceParameters(accelerator="cpu", workers=1))
    scores = scored(setting, batch.choices, *seen, part_size=len(batch.choices), store=None, progress=None)
    return mean_rank(scores.assign(params=batch.costs["params"].to_numpy()))


def mean_rank(scores: pd.DataFrame) -> Scores:
    """The mean over ``RANKED`` of each row's rank among all rows, ``[n]``.

    What is not finite has the least rank, and is named and counted in the log.
    """
    columns = scores[[*RANKED]]
    finite = np.isfinite(columns)
    for name, count in (~finite).sum().items():
        if count:
            _LOGGER.warning(
                "%s is not finite for %d of %d networks: they have the least rank by it", name, count, len(columns)
            )
    ranks = columns.where(finite).rank(na_option="top")
    found: Scores = ranks.mean(axis=1).to_numpy(dtype="float64")
    return found


def _alone(name: str) -> Scorer:
    """One score of the run's sample, where the pipeline score_untrained has made it."""
    return Scorer(
        f"{name}, untrained", "measure", control=True, audit_column=f"untrained_{name}", colour="green", dash="dot"
    )


RANK_MEAN = Scorer(
    "nwot, jacov and params, untrained", "measure", control=True, audit_column="untrained_score", colour="green",
    dash="dot", score=rank_mean, slow=True,
)  # fmt: skip
GRAD_NORM = _alone("grad_norm")
GRADIENT_TENSORS = _alone("gradient_tensors")
JACOV = _alone("jacov")
NTK_TRACE = _alone("ntk_trace")
NWOT = _alone("nwot")
RECTIFIERS = _alone("rectifiers")
SYNFLOW = _alone("synflow")
TRANSFER = _alone("transfer")
