"""What a method has spent that scores a sample first and searches by a predictor: the main job, and segments."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from archatlas.images.description import ImageDescription
from archatlas.supernet.parameters import EvaluationParameters
from archatlas.systems.evaluators import images_seen, trained_alone
from archatlas.systems.ledger import Spending


def spent_on_sample(
    sampled: pd.DataFrame, supernets: int, description: ImageDescription, parameters: EvaluationParameters
) -> Spending:
    """The scores of a sample on so many super-networks, charged as a search's are (``SupernetEvaluator.price``).

    Args:
        sampled: columns network, macs; a row for each spelling, all of which are evaluated.
        supernets: how many there are; 0: a public table was asked, whose every lookup stands for a training.
        description: of the images.
        parameters: how subnets are judged.
    """
    scored = sampled["network"].nunique()
    if not supernets:
        return Spending(evaluations=scored, trainings=scored)
    splits = description.splits
    seen = images_seen(parameters, splits.get("train", 0), splits.get("validation", 0))
    return Spending(evaluations=scored, forward_macs=float(sampled["macs"].sum()) * seen * supernets)


def spent_on_trainings(
    trained: pd.DataFrame, networks: pd.DataFrame, epochs: int, description: ImageDescription
) -> Spending:
    """Networks trained alone to learn from them, charged as ``AloneEvaluator`` charges; they were scored before.

    Args:
        trained: a row for each training; there may be none.
        networks: columns network, macs.
        epochs: of each.
        description: of the images.
    """
    macs = networks.set_index("network")["macs"].reindex(trained["network"]).astype("float64").sum()
    splits = description.splits.get("train", 0), description.splits.get("validation", 0)
    return replace(trained_alone(float(macs), 1, epochs, *splits), evaluations=0.0, trainings=float(len(trained)))
