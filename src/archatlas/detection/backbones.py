"""Which networks are compared as backbones: a winner, and a MobileNet of about as many multiply-accumulates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from archatlas.errors import ArchatlasError, nearest
from archatlas.spaces.chain import ChainSpace
from archatlas.spaces.protocol import SearchSpace
from archatlas.spaces.scaled_chains import ScaledChains
from archatlas.verification.members import is_mobilenet, member_of
from archatlas.verification.mobilenet import nearest_mobilenet

BACKBONE_COLUMNS = ["role", "network", "budget", "macs", "params"]
"""Role is ``winner`` or ``mobilenet``; MACs and params are those of the classifier."""


def backbones(winners: Sequence[Mapping[str, Any]], space: SearchSpace, budget: str | None) -> pd.DataFrame:
    """``BACKBONE_COLUMNS``: the winner of a budget, and the scaled MobileNet that is nearest to it in MACs.

    Where the space is no chain, or the winner itself a scaled MobileNet, the winner stands alone.

    Args:
        winners: documents of all budgets.
        space: that was searched.
        budget: whose winner; None: of all that were found the one with the most MACs.

    Raises:
        ArchatlasError: there is no such winner.
    """
    found = {str(winner["budget"]): winner for winner in winners if winner["status"] == "found"}
    if not found:
        raise ArchatlasError("no budget has a winner, so that there is no backbone for a detector: relax the budgets")
    if budget is not None and budget not in found:
        raise ArchatlasError(
            f"`detection.budget` is {budget}, which has no winner{nearest(budget, found)}: take one of "
            f"{', '.join(found)}"
        )
    winner = found[budget] if budget is not None else max(found.values(), key=lambda one: float(one["macs"]))
    network, macs = str(winner["architecture"]), int(winner["macs"])
    rows = [("winner", network, str(winner["budget"]), macs, int(winner["params"]))]
    chain = member_of(space, network).space
    if isinstance(chain, ChainSpace) and not is_mobilenet(network):
        base = space.base.seen_at(chain.input_shape[-1]) if isinstance(space, ScaledChains) else chain
        beside = nearest_mobilenet(base, macs, sized=isinstance(space, ScaledChains))
        rows.append(("mobilenet", beside.label, str(winner["budget"]), beside.macs, beside.params))
    return pd.DataFrame(rows, columns=BACKBONE_COLUMNS)
