"""The node that looks for the predictor that is used from here on."""

import logging
from pathlib import Path
from typing import Any

import pandas as pd

from archatlas.pipelines.work import work_store
from archatlas.predictors.parameters import FEWEST_PER_FOLD, PredictorParameters, TuningParameters
from archatlas.schedule.overlay import scheduled

_LOGGER = logging.getLogger(__name__)


def tune(
    architecture_graphs: dict[str, Any],
    evaluations: pd.DataFrame,
    cost_table: pd.DataFrame,
    search_space: dict[str, Any],
    predictor: PredictorParameters,
    tuning: TuningParameters,
    seed: int,
    work_folder: Path,
    tuning_schedule: dict[str, Any] | None = None,
) -> tuple[pd.DataFrame, dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Trials, the summary with the outer score, and the chosen predictor fitted on everything, with its state."""
    from archatlas.predictors.fitting import fit_one
    from archatlas.predictors.make import describe_predictor, state_tensors
    from archatlas.predictors.sample import evaluated_sample
    from archatlas.predictors.tuning import study as search
    from archatlas.signals.predictor import tuned_no_better
    from archatlas.signals.signal import given, log_signals
    from archatlas.spaces.search_space import read_space

    tuning = scheduled(tuning, tuning_schedule)
    made = read_space(search_space)
    batch, scores = evaluated_sample(
        made,
        architecture_graphs,
        evaluations,
        cost_table,
        predictor.target,
        fewest=FEWEST_PER_FOLD * tuning.inner_folds,
    )
    work = work_store(work_folder, "archatlas.predictors.tuning.study")
    tuned = search.tune(batch, scores, predictor, tuning, seed=seed, work=work)
    log_signals(_LOGGER, given(tuned_no_better(tuned.summary, scheduled=bool(tuning_schedule))))
    fitted = fit_one(batch, scores, tuned.contender, seed)
    chosen = describe_predictor(*tuned.contender, seed, predictor.target, made)
    return tuned.trials, tuned.summary, chosen, state_tensors(fitted.state())
