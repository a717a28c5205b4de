"""The scorers of every run: predictors, the super-networks that they learned from, and costs as controls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archatlas.scorers.scorer import Scorer, Scores

if TYPE_CHECKING:
    from archatlas.encodings.batch import ArchitectureBatch
    from archatlas.images.dataset import ImageSplit


def _params(batch: ArchitectureBatch, images: ImageSplit | None) -> Scores:
    return batch.costs["params"].to_numpy()


def _macs(batch: ArchitectureBatch, images: ImageSplit | None) -> Scores:
    return batch.costs["macs"].to_numpy()


PREDICTOR = Scorer("predictor", "predictor", audit_column="predicted_score", colour="blue", drawn=True)
PREDICTOR_AND_RESIDUAL = Scorer("predictor and residual", "predictor", colour="red")
CALIBRATED_PREDICTOR = Scorer("calibrated predictor", "predictor", colour="green", drawn=True)
CALIBRATED_PREDICTOR_AND_RESIDUAL = Scorer("calibrated predictor and residual", "predictor", colour="green")
DEFAULT_PREDICTOR = Scorer("predictor, default settings", "predictor", colour="purple")
SUPERNET = Scorer("super-network", "supernet", audit_column="supernet_score", colour="orange", drawn=True)
SUPERNET_LOG_LOSS = Scorer("super-network, log loss", "supernet", colour="orange", dash="dash", drawn=True)
SUPERNET_ACCURACY = Scorer("super-network, accuracy", "supernet", colour="orange", drawn=True)
TABLE = Scorer("accuracy it learned from", "table", audit_column="table_score", colour="orange", drawn=True)
PARAMS = Scorer("params alone", "cost", control=True, audit_column="params", dash="dot", score=_params)
MACS = Scorer("MACs alone", "cost", control=True, audit_column="macs", score=_macs)
