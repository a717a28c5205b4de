"""The node that looks for the predictor that is used from here on."""

import logging
from pathlib import Path
from typing import Any

import pandas as pd

from archatlas.kedro_ext.dependencies import depends_on
from archatlas.pipelines.work import work_store
from archatlas.predictors.parameters import FEWEST_PER_FOLD, PredictorParameters, TuningParameters
from archatlas.schedule.overlay import scheduled

_LOGGER = logging.getLogger(__name__)


@depends_on(optional=("untrained_scores",))
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
    untrained_scores: pd.DataFrame | None = None,
) -> tuple[pd.DataFrame, dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Trials, the summary with the outer score, and the chosen predictor fitted on everything, with its state."""
    from archatlas.predictors.fitting import fit_one, heard, with_estimates
    from archatlas.predictors.make import describe_predictor, state_tensors
    from archatlas.predictors.sample import evaluated_sample
    from archatlas.predictors.tuning import study as search
    from archatlas.scores.table import proxies_of
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
        proxies=None if untrained_scores is None else proxies_of(untrained_scores),
    )
    work = work_store(work_folder, "archatlas.predictors.tuning.study")
    tuned = search.tune(batch, scores, predictor, tuning, seed=seed, work=work)
    log_signals(_LOGGER, given(tuned_no_better(tuned.summary, scheduled=bool(tuning_schedule))))
    contender = with_estimates(tuned.contender, batch)
    fitted = fit_one(batch, scores, contender, seed)
    if batch.proxies is not None:
        _LOGGER.info(heard(tuned.contender[0], fitted))
    chosen = describe_predictor(*contender, seed, predictor.target, made)
    return tuned.trials, tuned.summary, chosen, state_tensors(fitted.state())
