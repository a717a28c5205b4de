"""The nodes of the segment-wise procedure that other stages do not have."""

import logging
from pathlib import Path
from typing import Any

import pandas as pd

from archatlas.predictors.parameters import FEWEST_PER_FOLD, AtlasParameters, PredictorParameters
from archatlas.search.parameters import SearchParameters
from archatlas.search.segments.parameters import SEGMENTS, SegmentsParameters
from archatlas.spaces.search_space import read_space
from archatlas.supernet.parameters import SampleParameters

_LOGGER = logging.getLogger(__name__)


def begin(search_space: dict[str, Any], seed: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """The super-cell before the first segment, and what was sampled and evaluated so far: nothing."""
    from archatlas.search.segments.super_cells import first_super_cell

    nothing = pd.DataFrame({"segment": pd.Series(dtype="int64")})
    return first_super_cell(read_space(search_space), seed), nothing, nothing


def sample(
    super_cell: pd.DataFrame,
    cost_table: pd.DataFrame,
    search_space: dict[str, Any],
    segments: SegmentsParameters,
    sample: SampleParameters,
    seed: int,
) -> pd.DataFrame:
    """Networks drawn uniformly in the segment's sub-space: network, architecture, macs, params."""
    from archatlas.search.segments.super_cells import sample_seed, segment_of
    from archatlas.supernet.sample import sample_architectures

    segment = segment_of(read_space(search_space), super_cell, segments, SEGMENTS)
    drawn = sample.model_copy(update={"architectures": segments.samples_per_segment})
    return sample_architectures(segment, drawn, sample_seed(seed, super_cell), cost_table)


def gather(
    sample_before: pd.DataFrame,
    evaluations_before: pd.DataFrame,
    drawn_architectures: pd.DataFrame,
    drawn_evaluations: pd.DataFrame,
    super_cell: pd.DataFrame,
    segments: SegmentsParameters,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The sample and the evaluations that the segment's predictor learns from, with a column ``segment``."""
    from archatlas.search.segments.super_cells import segment_number

    number = segment_number(super_cell)

    def together(before: pd.DataFrame, drawn: pd.DataFrame) -> pd.DataFrame:
        own = drawn.assign(segment=number)
        return pd.concat([before, own], ignore_index=True)[list(own)] if segments.pool and len(before) else own

    return together(sample_before, drawn_architectures), together(evaluations_before, drawn_evaluations)


def fit(
    architecture_graphs: dict[str, Any],
    evaluations: pd.DataFrame,
    cost_table: pd.DataFrame,
    search_space: dict[str, Any],
    predictor: PredictorParameters,
    seed: int,
) -> tuple[pd.DataFrame, dict[str, Any], dict[str, Any]]:
    """The configured predictor's scores on what it has not seen; the predictor, fitted on everything; and its state."""
    from archatlas.predictors.fitting import cross_seed_scores, default_contender, fit_one
    from archatlas.predictors.make import describe_predictor, state_tensors
    from archatlas.predictors.sample import evaluated_sample
    from archatlas.search.segments.super_cells import require_enough

    made, fewest = read_space(search_space), FEWEST_PER_FOLD * predictor.folds
    require_enough(evaluations, fewest)
    batch, scores = evaluated_sample(
        made, architecture_graphs, evaluations, cost_table, predictor.target, fewest=fewest
    )
    contender = default_contender(predictor)
    table = cross_seed_scores(batch, scores, {predictor.name: contender}, folds=predictor.folds, seed=seed)
    fitted = fit_one(batch, scores, contender, seed)
    return table, describe_predictor(*contender, seed, predictor.target, made), state_tensors(fitted.state())


def map_segment(
    super_cell: pd.DataFrame,
    fitted_predictor: dict[str, Any],
    fitted_predictor_state: dict[str, Any],
    cost_table: pd.DataFrame,
    latency_table: pd.DataFrame,
    search_space: dict[str, Any],
    segments: SegmentsParameters,
    atlas: AtlasParameters,
    seed: int,
    work_folder: Path,
) -> tuple[Any, dict[str, Any]]:
    """The atlas of every sub-architecture of the segment, in chunks; and how fast it was made."""
    from archatlas.predictors.atlas import map_space, write_atlas
    from archatlas.predictors.make import load_predictor
    from archatlas.search.segments.super_cells import segment_number, segment_of

    segment = segment_of(read_space(search_space), super_cell, segments, SEGMENTS)
    chunks = map_space(
        load_predictor(fitted_predictor, fitted_predictor_state, segment),
        segment,
        cost_table,
        latency_table,
        parameters=atlas.model_copy(update={"max_networks": segment.networks}),
        target=fitted_predictor["target"],
        seed=seed,
        alone=search_space["known"] is not None,
    )
    number = segment_number(super_cell)
    return write_atlas(chunks, work_folder / "segments" / f"atlas_{number}.parquet", segment.networks)


def select_super_cell(
    atlas: pd.DataFrame,
    super_cell: pd.DataFrame,
    search_space: dict[str, Any],
    segments: SegmentsParameters,
) -> pd.DataFrame:
    """The survivors of the segment: the choices of the super-cell that the next one begins with."""
    from archatlas.search.segments.super_cells import next_super_cell

    return next_super_cell(atlas, read_space(search_space), super_cell, segments, SEGMENTS)


def choose(
    atlas: pd.DataFrame,
    evaluations: pd.DataFrame,
    class_counts: pd.DataFrame,
    calibrated_predictor: dict[str, Any],
    cost_table: pd.DataFrame,
    latency_table: pd.DataFrame,
    search_space: dict[str, Any],
    search: SearchParameters,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Candidates of every budget, the Pareto fronts and the bounds as used: tables as of the stage ``search``.

    As there, candidates are ranked by MACs where evaluations or predictions have no signal.

    The atlas is that of the last segment: its networks are whole, with the super-cell's choices written out.
    """
    from archatlas.costs.ranges import least_and_most
    from archatlas.predictors.make import scores_learned
    from archatlas.search.answer import answer
    from archatlas.search.budgets import constraints_of, feasibility, require_feasible
    from archatlas.search.enumeration import scored
    from archatlas.signals.ranking import log_ranking, ranked_by, signals_of_scores

    made = read_space(search_space)
    constraints = feasibility(search.budgets, least_and_most(made, cost_table, latency_table))
    require_feasible(constraints)
    bounds = constraints_of(constraints)
    budgets = {name: bounds.get(name, []) for name in search.budgets}
    signals = signals_of_scores(evaluations, class_counts, atlas, scores_learned(calibrated_predictor))
    rank = ranked_by(signals, calibrated=False)
    log_ranking(_LOGGER, signals, rank)
    candidates, front = answer([scored(atlas)], budgets, search, whole_space=False, ranked_by=rank)
    return candidates, front, constraints
