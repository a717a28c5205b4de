"""All architectures of a space beside the sample: rows to evaluate at once, and each part of what comes out."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archatlas.errors import ArchatlasError
from archatlas.spaces.protocol import Choices, Enumerable, HasTwins, SearchSpace

MOST_EVALUATED = 200_000
"""Architectures up to which a space can be asked for as a whole."""


def whole_space(space: SearchSpace, twins: bool) -> Choices:
    """Rows of every network of a space, each by its canonical architecture or (``twins``) by all of its spellings.

    Raises:
        ArchatlasError: as ``whole_space_size`` does.
    """
    whole_space_size(space, twins)
    assert isinstance(space, Enumerable)
    networks = space.enumerate_networks(0, space.networks)
    if not twins or not isinstance(space, HasTwins):
        return networks
    return np.concatenate([space.twins(row) for row in networks])


def whole_space_size(space: SearchSpace, twins: bool) -> int:
    """How many rows ``whole_space`` has.

    Raises:
        ArchatlasError: the space cannot be written out, or is too large to evaluate.
    """
    what = "architectures" if twins else "networks"
    count = (space.size if twins else space.networks) if isinstance(space, Enumerable) else None
    if count is None or count > MOST_EVALUATED:
        raise ArchatlasError(
            f"`evaluation.whole_space` asks for all {f'{count:,} ' if count else ''}{what} of {space.name}, and at "
            f"most {MOST_EVALUATED:,} of a space that can be written out are evaluated: set it to none"
        )
    return count


def joined_rows(first: Choices, second: Choices) -> Choices:
    """The rows of both, those of the second that are among the first left out."""
    known = set(map(bytes, first))
    beside = [row[None] for row in second if bytes(row) not in known]
    return np.concatenate([first, *beside])


def rows_of(evaluations: pd.DataFrame, architectures: NDArray[np.str_]) -> pd.DataFrame:
    """The evaluations of these architectures by one super-network, in their order (all halves of each together)."""
    order = pd.Series(np.arange(len(architectures)), index=architectures)
    place = evaluations["architecture"].map(order)
    kept = evaluations[place.notna()]
    return kept.iloc[np.argsort(place.dropna().to_numpy(), kind="stable")].reset_index(drop=True)
