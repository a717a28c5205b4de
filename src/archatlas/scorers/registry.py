"""Scorers by name, in the order of figures and tables. Torch-free.

The audit and the comparison with a public table ask all of them: each is of its time, and is not made again because a
scorer was added.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from archatlas.registry import Registry
from archatlas.scorers.scorer import Scorer, Scores

if TYPE_CHECKING:
    from archatlas.encodings.batch import ArchitectureBatch
    from archatlas.images.dataset import ImageSplit

SCORERS = Registry(
    "scorer",
    {
        "predictor_and_residual": "archatlas.scorers.known:PREDICTOR_AND_RESIDUAL",
        "predictor": "archatlas.scorers.known:PREDICTOR",
        "calibrated_predictor_and_residual": "archatlas.scorers.known:CALIBRATED_PREDICTOR_AND_RESIDUAL",
        "calibrated_predictor": "archatlas.scorers.known:CALIBRATED_PREDICTOR",
        "default_predictor": "archatlas.scorers.known:DEFAULT_PREDICTOR",
        "supernet": "archatlas.scorers.known:SUPERNET",
        "supernet_log_loss": "archatlas.scorers.known:SUPERNET_LOG_LOSS",
        "supernet_accuracy": "archatlas.scorers.known:SUPERNET_ACCURACY",
        "table": "archatlas.scorers.known:TABLE",
        "macs": "archatlas.scorers.known:MACS",
        "params": "archatlas.scorers.known:PARAMS",
        "untrained": "archatlas.scores.control:RANK_MEAN",
        "grad_norm": "archatlas.scores.control:GRAD_NORM",
        "gradient_tensors": "archatlas.scores.control:GRADIENT_TENSORS",
        "jacov": "archatlas.scores.control:JACOV",
        "ntk_trace": "archatlas.scores.control:NTK_TRACE",
        "nwot": "archatlas.scores.control:NWOT",
        "rectifiers": "archatlas.scores.control:RECTIFIERS",
        "synflow": "archatlas.scores.control:SYNFLOW",
        "transfer": "archatlas.scores.control:TRANSFER",
    },
)
"""Each is a ``scorer.Scorer``. Names are those of columns, of keys of summaries (``tau_<name>``) and of metrics."""


def all_scorers() -> dict[str, Scorer]:
    """Every scorer by its name."""
    return {name: SCORERS.load(name) for name in SCORERS}


def audited_scorers() -> dict[str, Scorer]:
    """Those that an audit holds against networks trained alone."""
    return {name: scorer for name, scorer in all_scorers().items() if scorer.audit_column is not None}


def scored(batch: ArchitectureBatch, images: ImageSplit | None, *, slow: bool = True) -> dict[str, Scores]:
    """By name, the scores ``[n]`` of those that are made of the networks alone, given the training images if any.

    Without ``slow``, those that take a pass of images through each network are left out.
    """
    asked = {name: one for name, one in all_scorers().items() if one.score is not None and (slow or not one.slow)}
    return {name: scorer.score(batch, images) for name, scorer in asked.items() if scorer.score is not None}
