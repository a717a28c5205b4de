"""The node that compares predictors and fits the default one."""

import logging
from typing import Any

import pandas as pd

from archatlas.kedro_ext.dependencies import depends_on
from archatlas.predictors.parameters import FEWEST_PER_FOLD, PredictorParameters

_LOGGER = logging.getLogger(__name__)


@depends_on(optional=("untrained_scores",))
def fit(
    architecture_graphs: dict[str, Any],
    evaluations: pd.DataFrame,
    cost_table: pd.DataFrame,
    search_space: dict[str, Any],
    predictor: PredictorParameters,
    seed: int,
    supernet_schedule: dict[str, Any] | None = None,
    untrained_scores: pd.DataFrame | None = None,
) -> tuple[pd.DataFrame, dict[str, Any], dict[str, Any]]:
    """Scores of all predictors on what they have not seen; the default, fitted on everything; and its state.

    Where the sample was scored without training, each of these scores stands beside the predictors, and those that read
    them learn from them.
    """
    from archatlas.predictors.fitting import (
        compared,
        cross_seed_scores,
        default_contender,
        fit_one,
        heard,
        proxies_alone,
        with_estimates,
    )
    from archatlas.predictors.make import describe_predictor, state_tensors
    from archatlas.predictors.sample import evaluated_sample
    from archatlas.scores.table import proxies_of
    from archatlas.signals.predictor import fitted_no_better
    from archatlas.signals.signal import given, log_signals
    from archatlas.signals.supernet import scores_disagree
    from archatlas.spaces.search_space import read_space

    made = read_space(search_space)
    batch, scores = evaluated_sample(
        made,
        architecture_graphs,
        evaluations,
        cost_table,
        predictor.target,
        fewest=FEWEST_PER_FOLD * predictor.folds,
        proxies=None if untrained_scores is None else proxies_of(untrained_scores),
    )
    table = cross_seed_scores(batch, scores, compared(predictor), folds=predictor.folds, seed=seed)
    scheduled = bool(supernet_schedule)
    doubts = (
        scores_disagree(evaluations, predictor.target, scheduled=scheduled),
        fitted_no_better(table, predictor.name, scheduled=scheduled),
    )
    log_signals(_LOGGER, given(*doubts))
    contender = with_estimates(default_contender(predictor), batch)
    fitted = fit_one(batch, scores, contender, seed)
    if batch.proxies is not None:
        table = pd.concat([table, proxies_alone(batch, scores, folds=predictor.folds, seed=seed)], ignore_index=True)
        _LOGGER.info(heard(predictor.name, fitted))
    return table, describe_predictor(*contender, seed, predictor.target, made), state_tensors(fitted.state())
