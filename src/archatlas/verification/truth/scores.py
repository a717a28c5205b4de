"""What every scorer of a run says of every network of its space. The truth is not read here.

A scorer is a column. Those that depend on super-networks have a column over all of them (``predictor``) and one for
each alone (``predictor/seed_0``, ...).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.encodings.normal_quantiles import normal_quantiles
from archatlas.errors import ArchatlasError
from archatlas.predictors.fitting import fit_one
from archatlas.predictors.protocol import Predictor
from archatlas.predictors.sample import evaluated_sample
from archatlas.scorers.registry import all_scorers, scored
from archatlas.scores.control import RANKED, mean_rank
from archatlas.scores.table import proxies_of
from archatlas.spaces.protocol import Choices, Enumerable, SearchSpace

Floats = NDArray[np.float64]

MOST_NETWORKS = 1_000_000
SUPERNET_SCORERS = {"supernet_accuracy": "accuracy", "supernet_log_loss": "log_loss"}
"""Scorers that are means of evaluations, and the columns of these; of the log loss it is the negative."""


def seed_column(scorer: str, seed: int) -> str:
    """The column of a scorer that has seen one super-network alone."""
    return f"{scorer}/seed_{seed}"


def scorer_and_seed(column: str) -> tuple[str, str]:
    """A column's scorer and its super-network: ``"all"`` where it has seen all of them, or needs none."""
    scorer, _, seed = column.partition("/seed_")
    return scorer, seed or "all"


def every_network(space: SearchSpace) -> Choices:
    """Canonical rows of all networks; ArchatlasError if they cannot be written out."""
    if not isinstance(space, Enumerable) or space.networks > MOST_NETWORKS:
        raise ArchatlasError(
            f"the networks of {space.name} cannot be compared with a table one by one: set `truth` to null"
        )
    return space.enumerate_networks(0, space.networks)


def supernet_columns(evaluations: pd.DataFrame, by: str = "network") -> pd.DataFrame:
    """Means of evaluations over spellings and halves: the columns of ``SUPERNET_SCORERS``, over seeds and for each.

    Args:
        evaluations: as of ``evaluate_subnets``; may be empty.
        by: ``network`` (twins' scores are averaged) or ``architecture``; the index of what is returned.
    """
    columns: dict[str, pd.Series] = {}
    for scorer, score in SUPERNET_SCORERS.items():
        signed = evaluations.assign(signed=-evaluations[score] if score == "log_loss" else evaluations[score])
        means = signed.groupby([by, "seed"])["signed"].mean().unstack("seed")
        columns[scorer] = means.mean(axis=1, skipna=False)
        for seed in means.columns:
            columns[seed_column(scorer, int(seed))] = means[seed]
    return pd.DataFrame(columns).rename_axis(by)


@dataclass(frozen=True)
class Fitted:
    """A predictor of the run as its documents say, fitted to means over all super-networks (and a few accuracies)."""

    predictor: Predictor
    description: Mapping[str, Any]


def predictor_columns(
    space: SearchSpace,
    fitted: Mapping[str, Fitted],
    architecture_graphs: Mapping[str, Any],
    evaluations: pd.DataFrame,
    cost_table: pd.DataFrame,
    by_seed: Collection[str],
    proxies: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Predictions for every network, higher is better; index: network.

    Args:
        space: all of whose networks are predicted.
        fitted: predictors by their columns.
        architecture_graphs: of the sample that they were fitted to.
        evaluations: of that sample.
        cost_table: counted parts.
        by_seed: columns of those that are fitted to each super-network's scores alone too, with the same settings.
        proxies: scores of the sample without training, by network.
    """
    choices = every_network(space)
    batch = ArchitectureBatch(space, choices, cost_table=cost_table)
    columns: dict[str, Floats] = {}
    for name, one in fitted.items():
        columns[name] = one.predictor.predict(batch).mean
        if name not in by_seed:
            continue
        target = one.description["target"]
        sample, scores = evaluated_sample(
            space, architecture_graphs, evaluations, cost_table, target, fewest=2, proxies=proxies
        )
        contender = (str(one.description["family"]), one.description["settings"])
        for index, seed in enumerate(scores.seeds):
            alone = len(scores.seeds) == 1
            predictor = (
                one.predictor if alone else fit_one(sample, scores, contender, int(one.description["seed"]), [index])
            )
            columns[seed_column(name, seed)] = columns[name] if alone else predictor.predict(batch).mean
    return pd.DataFrame(columns, index=pd.Index(space.names(choices), name="network"))


def control_columns(space: SearchSpace, cost_table: pd.DataFrame) -> pd.DataFrame:
    """What scorers say of every network that ask for nothing but the network, a column each; index: network."""
    choices = every_network(space)
    batch = ArchitectureBatch(space, choices, cost_table=cost_table)
    return pd.DataFrame(scored(batch, None, slow=False), index=pd.Index(space.names(choices), name="network"))


def untrained_columns(untrained_scores: pd.DataFrame) -> pd.DataFrame:
    """Scores without training of the networks that have them, a column for each that is a scorer; index: network.

    So is the mean rank of some (``RANK_MEAN``), among these networks and by the scores as they were made here. To score
    all networks of a space would take longer than the rest of the comparison.
    """
    scores = proxies_of(untrained_scores)
    found = scores[[name for name in scores if name in all_scorers()]]
    if not {*RANKED} <= {*untrained_scores}:
        return found
    return found.assign(untrained=mean_rank(untrained_scores))


def residual_columns(scores: pd.DataFrame, learned: str, raw: str, share: float, of: Sequence[str]) -> pd.DataFrame:
    """Predictors and a share of what a network's own score says beyond the prediction: ``z(p) + share (z(s) - z(l))``.

    The prediction ``l`` that was learned from scores has what networks with like parts have in common, the rest of the
    score ``s`` what is the network's own: its merit, the super-network's bias and noise. Predictors ``p`` and scores
    have units of their own, so all are normal quantiles ``z`` of ranks. NaN where there is no own score.

    Args:
        scores: columns of all, over all super-networks and for each; index: network.
        learned: the predictor that was fitted to scores.
        raw: the scorer of the kind that it was fitted to.
        share: 0 to 1.
        of: the predictors to add to, ``learned`` or others.

    Returns:
        ``<predictor>_and_residual``, for each super-network too where there are such columns of all three.
    """
    columns = {}
    for column in scores.columns:
        scorer, seed = scorer_and_seed(str(column))
        names = [str(column), *(name if seed == "all" else f"{name}/seed_{seed}" for name in (raw, learned))]
        if scorer in of and set(names) <= set(scores.columns):
            known = scores.dropna(subset=names)
            predicted, own, expected = (known[name].to_numpy() for name in names)
            values = with_residual(predicted, own, expected, share)
            name = f"{scorer}_and_residual"
            column_name = name if seed == "all" else f"{name}/seed_{seed}"
            columns[column_name] = pd.Series(values, index=known.index).reindex(scores.index)
    return pd.DataFrame(columns, index=scores.index)


def with_residual(predicted: Floats, own: Floats, expected: Floats, share: float) -> Floats:
    """``z(predicted) + share (z(own) - z(expected))`` of ``[n]`` networks, ``z`` the normal quantiles of ranks."""
    return normal_quantiles(predicted) + share * (normal_quantiles(own) - normal_quantiles(expected))
