"""What other rewards would have chosen of the same draws: the whole sweep of mu and nu, which costs no new draw."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

import numpy as np
import pandas as pd

from archatlas.errors import ArchatlasError
from archatlas.spaces.protocol import Choices
from archatlas.systems.ledger import Ledger
from archatlas.systems.nasi.method import Nasi, seed_of
from archatlas.systems.nasi.reward import CONFIGURED, logits_of, sweep_of_rewards
from archatlas.systems.nasi.selection import ranked_by_each
from archatlas.systems.nasi.start import Start, looking
from archatlas.systems.problem import Problem
from archatlas.systems.searches import Search, Searches

_LOOKED_AT = 50
_TYPES = {"budget": "str", "seed": "int64", "reward": "str", "network": "str", "macs": "int64", "params": "int64"}


def swept(searches: Searches, asked: Sequence[Search], start: Start) -> pd.DataFrame:
    """Which network each reward would choose for each search, of those that look at their images.

    Args:
        searches: of NASI, what they have in common.
        asked: the searches; those of one seed have the same draws.
        start: as the searches began; draws that it keeps are not made again.

    Raises:
        ArchatlasError: the searches are by another method.

    Returns:
        budget, seed (number of the search), reward (``reward.CONFIGURED``, and those of ``reward.sweep_of_rewards``),
        network, macs, params; no row where none of the first networks looks at its images.
    """
    method = searches.method
    if not isinstance(method, Nasi):
        raise ArchatlasError(f"rewards are swept of NASI's draws, but {searches.name} makes none")
    rewards = {CONFIGURED: method.reward, **sweep_of_rewards()}
    rows = []
    for (_, drawn_by), alike in groupby(sorted(asked, key=_draws), key=_draws):
        seed = seed_of(np.random.default_rng(drawn_by))
        parameters = method.parameters(start)
        supernet, images = start.supernet(parameters, seed), start.batch(parameters, seed, 0)[0]
        draws = method.draws(start, supernet, Ledger(searches.limit), seed)
        logits = [logits_of(draws, reward) for reward in rewards.values()]
        for search in alike:
            problem = Problem(searches.space, search.constraints, searches.cost_table, searches.latency_table)
            generator = np.random.default_rng(drawn_by)
            seed_of(generator)  # As a search begins: what it draws after that is the same here.
            for name, (found, _) in zip(rewards, ranked_by_each(problem, logits, generator, _LOOKED_AT), strict=True):
                first = found[looking(supernet, found, images, 1, Ledger())]
                for network, costs in zip(searches.space.names(first), _costs(problem, first), strict=True):
                    rows.append((search.budget, search.number, name, str(network), *costs))
    return pd.DataFrame(rows, columns=list(_TYPES)).astype(_TYPES)


def nothing_swept() -> pd.DataFrame:
    """The same columns, and no row."""
    return pd.DataFrame(columns=list(_TYPES)).astype(_TYPES)


def _draws(search: Search) -> tuple[int, int]:
    return search.number, search.seed


def _costs(problem: Problem, choices: Choices) -> Iterable[tuple[int, int]]:
    if not len(choices):
        return []
    return problem.costs(choices)[["macs", "params"]].itertuples(index=False, name=None)
