"""Super-cells: the survivors of a segment, as a table that the next segment begins with.

Source: Chen et al., AAAI 2021 (arXiv 2004.08423), in outline, as a later paper tells it: one segment after the other,
a predictor for each, the 6 best sub-architectures as the choices of one super-cell of the next segment, the last
segment's best expanded. What stands behind a segment and how the 6 are ranked is not public. Ours are: the rest drawn
anew for each sample, survivors spread over cost, predictors that see whole networks (so that a rest that differs is
told from the segment's own part) and that may learn from earlier segments' evaluations.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from archatlas.costs.constraints import COST_COLUMNS
from archatlas.errors import ArchatlasError
from archatlas.search.enumeration import SCORED_COLUMNS, scored
from archatlas.search.segments.parameters import SegmentsParameters
from archatlas.search.segments.space import first_prefix, segment_space, segment_stops
from archatlas.search.segments.survivors import highest, spread_over_cost
from archatlas.spaces.protocol import Choices, ListedSpace, SearchSpace
from archatlas.training.seeds import mixed_seed

_REST, _SAMPLE = range(2)


def first_super_cell(space: SearchSpace, seed: int) -> pd.DataFrame:
    """The super-cell before the first segment: one choice, of no positions; columns as of ``next_super_cell``."""
    rest = first_prefix(space, np.random.default_rng(mixed_seed(seed, _REST)))
    nothing = {column: [np.nan] for column in SCORED_COLUMNS if column != "network"}
    return pd.DataFrame({"segment": [0], "stop": [0], "choice": [0], "network": space.names(rest), **nothing})


def segment_number(super_cell: pd.DataFrame) -> int:
    """The segment, counted from 1, that begins with this super-cell."""
    return int(super_cell["segment"].iloc[0]) + 1


def segment_of(
    space: SearchSpace, super_cell: pd.DataFrame, parameters: SegmentsParameters, segments: int
) -> ListedSpace:
    """The sub-space of the segment, one of ``segments``, that begins with ``super_cell``."""
    start = int(super_cell["stop"].iloc[0])
    stop = segment_stops(space, parameters.boundaries, segments)[segment_number(super_cell) - 1]
    return segment_space(space, prefixes(space, super_cell), start, stop, parameters)


def prefixes(space: SearchSpace, super_cell: pd.DataFrame) -> Choices:
    """The survivors as whole networks, ``[s, positions]``, with the rest behind them."""
    return space.parse(super_cell["network"].to_numpy(dtype=np.str_))


def sample_seed(seed: int, super_cell: pd.DataFrame) -> int:
    """The seed of the sample of the segment that begins with ``super_cell``."""
    return mixed_seed(seed, _SAMPLE, segment_number(super_cell))


def require_enough(evaluations: pd.DataFrame, fewest: int) -> None:
    """Raise ArchatlasError if fewer than ``fewest`` networks were evaluated for a segment's predictor to learn from."""
    count = evaluations["network"].nunique()
    if count < fewest:
        raise ArchatlasError(
            f"a segment's predictor needs at least {fewest} evaluated networks, but there are {count}: raise "
            "`segments.samples_per_segment`; where the segment has no more sub-architectures, set `segments.rest` to "
            "drawn and `segments.pool` to true, move `segments.boundaries`, or lower `predictor.folds`"
        )


def next_super_cell(
    atlas: pd.DataFrame, space: SearchSpace, super_cell: pd.DataFrame, parameters: SegmentsParameters, segments: int
) -> pd.DataFrame:
    """The survivors of a segment, choice by choice: the super-cell of the next one.

    Args:
        atlas: every sub-architecture of the segment with its prediction and the costs that it has with the rest.
        space: the whole space.
        super_cell: what the segment began with.
        parameters: how many survive, and the cost that they are spread over.
        segments: how many segments there are.

    Returns:
        segment, stop (positions that are settled), choice (from 0; with a cost to spread over, the cheapest first),
        network (the sub-architecture with the rest) and the other ``enumeration.SCORED_COLUMNS``.

    Raises:
        ArchatlasError: survivors are to be spread over latency, of which nothing is known.
    """
    table = scored(atlas)
    number = segment_number(super_cell)
    stop = segment_stops(space, parameters.boundaries, segments)[number - 1]
    score = table["predicted_score"].to_numpy()
    if parameters.spread_over is None:
        rows = highest(score, table["macs"].to_numpy(), parameters.survivors)
    else:
        cost = table[COST_COLUMNS[parameters.spread_over]].to_numpy()
        rows = spread_over_cost(score, cost, parameters.survivors)
    if not len(rows):
        raise ArchatlasError(
            f"`segments.spread_over` is {parameters.spread_over}, but there is no latency table: set it to macs or "
            "params, or `costs.latency.source` to `measured` or `imported`"
        )
    kept = table.iloc[rows][SCORED_COLUMNS].reset_index(drop=True)
    kept.insert(0, "choice", np.arange(len(kept), dtype=np.int64))
    kept.insert(0, "stop", np.int64(stop))
    kept.insert(0, "segment", np.int64(number))
    return kept
