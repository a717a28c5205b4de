"""Which architectures are evaluated."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archatlas.costs.table import costs_of
from archatlas.errors import ArchatlasError
from archatlas.spaces.protocol import Choices, Enumerable, HasTwins, SearchSpace
from archatlas.supernet.parameters import SampleParameters


def sample_architectures(
    space: SearchSpace, parameters: SampleParameters, seed: int, cost_table: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Networks drawn uniformly without repeats, each in ``twins_per_network`` spellings drawn without repeats.

    Columns: network (canonical name), architecture (name as spelled), macs, params. Networks are in the order drawn.
    ArchatlasError if the space has fewer networks than asked for.
    """
    generator = np.random.default_rng(seed)
    networks = space.sample(parameters.architectures, generator)
    spelled = [_spellings(space, row, parameters.twins_per_network, generator) for row in networks]
    rows = np.concatenate(spelled)
    costs = costs_of(space, rows, cost_table)
    return pd.DataFrame(
        {
            "network": np.repeat(space.names(networks), [len(part) for part in spelled]),
            "architecture": space.names(rows),
            "macs": costs["macs"].to_numpy(),
            "params": costs["params"].to_numpy(),
        }
    )


MOST_EVALUATED = 200_000
"""Networks of a space up to which it can be asked for as a whole."""


def whole_space(space: SearchSpace, twins: bool) -> Choices:
    """Rows of every network of a space, each by its canonical architecture or (``twins``) by all of its spellings.

    Raises:
        ArchatlasError: the space cannot be written out, or is too large to evaluate.
    """
    if not isinstance(space, Enumerable) or space.networks > MOST_EVALUATED:
        raise ArchatlasError(
            f"`evaluation.whole_space` asks for all {space.networks:,} networks of {space.name}, and at most "
            f"{MOST_EVALUATED:,} of a space that can be written out are evaluated: set it to none"
        )
    networks = space.enumerate_networks(0, space.networks)
    if not twins or not isinstance(space, HasTwins):
        return networks
    return np.concatenate([space.twins(row) for row in networks])


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


def _spellings(space: SearchSpace, row: Choices, count: int, generator: np.random.Generator) -> Choices:
    if not isinstance(space, HasTwins):
        return row[None]
    twins = space.twins(row)
    return twins[generator.choice(len(twins), size=min(count, len(twins)), replace=False)]
