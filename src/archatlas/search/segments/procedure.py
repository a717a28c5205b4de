"""The whole segment-wise procedure in one process, given what evaluates networks: for notebooks and comparisons.

The pipeline ``segments`` does the same step by step, with every step's result kept.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.predictors.atlas import map_space
from archatlas.predictors.parameters import AtlasParameters
from archatlas.predictors.protocol import Evaluations, Predictor
from archatlas.search.enumeration import scored
from archatlas.search.segments.parameters import SegmentsParameters
from archatlas.search.segments.super_cells import first_super_cell, next_super_cell, sample_seed, segment_of
from archatlas.spaces.protocol import Choices, SearchSpace

Evaluate = Callable[[Choices], Evaluations]
"""From networks, canonical rows, to their scores."""


def search_segments(
    space: SearchSpace,
    evaluate: Evaluate,
    make_predictor: Callable[[int], Predictor],
    parameters: SegmentsParameters,
    *,
    segments: int,
    cost_table: pd.DataFrame,
    seed: int,
    chunk: int = 8192,
) -> pd.DataFrame:
    """``enumeration.SCORED_COLUMNS`` of every network of the last segment: what budgets choose from.

    Args:
        space: a chain.
        evaluate: called once for each segment.
        make_predictor: an unfitted predictor by segment, counted from 1.
        parameters: boundaries, survivors, samples.
        segments: how many there are.
        cost_table: counted parts.
        seed: of the rest and of the samples.
        chunk: networks predicted at once.
    """
    cell = first_super_cell(space, seed)
    seen: list[tuple[Choices, Evaluations]] = []
    for number in range(1, segments + 1):
        segment = segment_of(space, cell, parameters, segments)
        drawn = segment.sample(parameters.samples_per_segment, np.random.default_rng(sample_seed(seed, cell)))
        seen = [*(seen if parameters.pool else []), (drawn, evaluate(drawn))]
        predictor = make_predictor(number)
        known = np.concatenate([rows for rows, _ in seen])
        predictor.fit(ArchitectureBatch(space, known, cost_table=cost_table), _joined([made for _, made in seen]))
        settings = AtlasParameters(chunk=chunk, max_networks=segment.networks)
        atlas = pd.concat(
            map_space(predictor, segment, cost_table, None, parameters=settings, target="accuracy", seed=seed),
            ignore_index=True,
        )
        if number < segments:
            cell = next_super_cell(atlas, space, cell, parameters, segments)
    return scored(atlas)


def _joined(parts: list[Evaluations]) -> Evaluations:
    return Evaluations(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("score", "noise", "source"))
    )
