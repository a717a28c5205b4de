"""The nodes that set a run's scores beside the true accuracies of a public table, where ``truth`` names one."""

from typing import Any

import pandas as pd

from archatlas.kedro_ext.dependencies import depends_on
from archatlas.pipelines.space import true_table
from archatlas.verification.truth.parameters import TruthParameters

DEFAULT = "default_predictor"
TUNED = "predictor"
CALIBRATED = "calibrated_predictor"


@depends_on(optional=("untrained_scores",))
def score_networks(
    evaluations: pd.DataFrame,
    space_evaluations: pd.DataFrame,
    architecture_graphs: dict[str, Any],
    fitted_predictor: dict[str, Any],
    fitted_predictor_state: dict[str, Any],
    tuned_predictor: dict[str, Any],
    tuned_predictor_state: dict[str, Any],
    calibrated_predictor: dict[str, Any],
    calibrated_predictor_state: dict[str, Any],
    calibration_networks: pd.DataFrame,
    cost_table: pd.DataFrame,
    search_space: dict[str, Any],
    truth: TruthParameters | None = None,
    untrained_scores: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """What each scorer says of every network: network, fitted, and a column per scorer. No true accuracy is read.

    Empty without ``truth``. A calibrated predictor is one more scorer. Scores without training are of the sample.
    """
    if truth is None:
        return pd.DataFrame({"network": pd.Series(dtype="str"), "fitted": pd.Series(dtype="bool")})
    from archatlas.predictors.make import load_predictor
    from archatlas.scores.table import proxies_of
    from archatlas.spaces.search_space import read_space
    from archatlas.verification.truth import scores

    made = read_space(search_space)
    fitted = {
        TUNED: scores.Fitted(load_predictor(tuned_predictor, tuned_predictor_state, made), tuned_predictor),
        DEFAULT: scores.Fitted(load_predictor(fitted_predictor, fitted_predictor_state, made), fitted_predictor),
    }
    if len(calibration_networks):
        loaded = load_predictor(calibrated_predictor, calibrated_predictor_state, made)
        fitted[CALIBRATED] = scores.Fitted(loaded, calibrated_predictor)
    by_seed = [TUNED] if truth.predictor_by_seed else []
    proxies = None if untrained_scores is None else proxies_of(untrained_scores)
    table = scores.predictor_columns(made, fitted, architecture_graphs, evaluations, cost_table, by_seed, proxies)
    table = table.join(scores.supernet_columns(space_evaluations if len(space_evaluations) else evaluations))
    raw = f"supernet_{tuned_predictor['target']}"
    table = table.join(scores.residual_columns(table, TUNED, raw, truth.residual, of=(TUNED, CALIBRATED)))
    table = table.join(scores.control_columns(made, cost_table))
    if untrained_scores is not None:
        table = table.join(scores.untrained_columns(untrained_scores))
    learned = pd.concat([evaluations["network"], calibration_networks["network"]]).unique()
    table.insert(0, "fitted", table.index.isin(learned))
    return table.reset_index()


@depends_on(files=(true_table,))
def compare_with_truth(
    network_scores: pd.DataFrame, space_evaluations: pd.DataFrame, truth: TruthParameters | None = None
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Scores beside the truth network by network, rank correlations, what choosing by each score gives, and a summary.

    Empty without ``truth``.
    """
    from archatlas.verification.truth import comparison

    if truth is None:
        return comparison.no_comparison()
    from archatlas.spaces.tables.registry import load_table

    table = load_table(truth.table)
    label = table.label(truth.accuracy)
    rows = comparison.joined(network_scores, table, label)
    ranked = comparison.correlations(rows, comparison.by_architecture(rows, space_evaluations, table, label))
    chosen = comparison.picks(rows, truth.macs_budgets, truth.best)
    return rows, ranked, chosen, comparison.summarise(rows, ranked, chosen, table, label, truth.best)
