"""Verification by looking up: what others learn by training (``alone.py``), a public table knows.

Winners are chosen by the table's label (validation accuracy), and judged by its truth (test accuracy), which no step
before ``judged`` reads but the audit. Nothing is trained, so there is neither a super-network nor a MobileNet beside
the winner; instead stands there what a perfect search would have found.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archatlas.costs.constraints import Constraint, satisfied
from archatlas.costs.latency_columns import LATENCY
from archatlas.costs.table import costs_of
from archatlas.encodings.batch import ArchitectureBatch
from archatlas.predictors.protocol import Predictor
from archatlas.spaces.tables.known import KnownNetworks
from archatlas.training.seeds import mixed_seed
from archatlas.verification.audit import draw_audit, scores_beside, summarise, truths
from archatlas.verification.comparisons import random_networks
from archatlas.verification.judged import with_test_figures
from archatlas.verification.parameters import AuditParameters
from archatlas.verification.roles import DRAW_AUDIT, DRAW_RANDOM, RESAMPLE, ROLE_COLUMNS, ROLE_TYPES

Json = dict[str, Any]


def looked_up(known: KnownNetworks, networks: pd.DataFrame) -> pd.DataFrame:
    """What the table's label says of networks (role, budget, network, macs, params): ``ROLE_COLUMNS``.

    A row per training that the table has of each; the test accuracy is not read.
    """
    seen = known.trainings(networks["network"].drop_duplicates().tolist())
    rows = networks.merge(seen.drop(columns="true_accuracy"), on="network", how="inner")
    rows = rows.rename(columns={"label_accuracy": "validation_accuracy"})
    rows[["validation_log_loss", "test_accuracy"]] = np.nan
    return rows[ROLE_COLUMNS].astype(ROLE_TYPES)


def random_within(
    known: KnownNetworks,
    budgets: Mapping[str, Sequence[Constraint]],
    count: int,
    seed: int,
    cost_table: pd.DataFrame,
    latency_table: pd.DataFrame,
) -> pd.DataFrame:
    """``count`` random networks within each budget, looked up: ``ROLE_COLUMNS``."""
    generator = np.random.default_rng(mixed_seed(seed, DRAW_RANDOM))
    drawn = random_networks(known.space, budgets, count, generator, cost_table, latency_table)
    return looked_up(known, drawn.assign(role="random"))


def audited(
    known: KnownNetworks,
    predictor: Predictor,
    fitted: Collection[str],
    parameters: AuditParameters,
    seed: int,
    cost_table: pd.DataFrame,
    on_supernets: Callable[[Sequence[str]], pd.Series] | None = None,
) -> tuple[pd.DataFrame, Json, pd.DataFrame]:
    """The audit's table, its summary and its rows among the trainings (``ROLE_COLUMNS``, role ``audit``).

    Truth is the table's. ``table_score`` is its label: how well the very accuracy that the predictor was fitted to
    would rank the networks; it is left out where it is the truth. ``supernet_score`` is there where super-networks are.

    Args:
        known: the networks of the table.
        predictor: fitted to the label of some of them, or to their scores on super-networks.
        fitted: canonical names of these, which are not drawn.
        parameters: how many networks to draw, at most, and how intervals are made.
        seed: of the draw and the resampling.
        cost_table: counted parts.
        on_supernets: from canonical names to mean scores on super-networks (indexed by name), if there are any.
    """
    generator = np.random.default_rng(mixed_seed(seed, DRAW_AUDIT))
    choices = draw_audit(known.space, parameters.networks, fitted, generator)
    costs = costs_of(known.space, choices, cost_table)
    names = pd.Series(known.space.names(choices), dtype="str")
    networks = costs.assign(role="audit", budget="", network=names)
    done = looked_up(known, networks)
    done["test_accuracy"] = _truths_of(known, done)
    table = networks[["network", "macs", "params"]]
    if len(table):
        batch = ArchitectureBatch(known.space, choices, cost_table=cost_table)
        of_run: dict[str, NDArray[Any]] = {}
        if known.label != known.truth:
            of_run["table"] = done.groupby("network")["validation_accuracy"].mean().loc[names].to_numpy()
        if on_supernets is not None:
            of_run["supernet"] = on_supernets(names.tolist()).loc[names].to_numpy(dtype=np.float64)
        of_run["predictor"] = predictor.predict(batch).mean
        table = scores_beside(names, of_run, batch, None)
        truth = truths(done.assign(validation_accuracy=done["test_accuracy"]), "accuracy")
        truth = truth.drop(columns="validation_accuracy_mean")
        table = table.merge(truth, left_on="network", right_index=True, validate="one_to_one")
    told = parameters.model_copy(update={"truth": "accuracy"})  # A table has no log loss.
    return table, summarise(table, told, mixed_seed(seed, RESAMPLE)), done


def judged(
    known: KnownNetworks,
    chosen: Sequence[Json],
    done: pd.DataFrame,
    budgets: Mapping[str, Sequence[Constraint]],
    cost_table: pd.DataFrame,
    latency_table: pd.DataFrame,
) -> tuple[list[Json], pd.DataFrame]:
    """Read the truth of the winners and of what stands beside them.

    Args:
        known: the networks of the table.
        chosen: a document per budget, from ``choose_winners``.
        done: all trainings, ``ROLE_COLUMNS``.
        budgets: bounds by budget, of those that have any.
        cost_table: counted parts.
        latency_table: the table's latency; may be empty.

    Returns:
        the documents of the budgets, with what a perfect search would have found (``best_possible``), and all trainings
        with the true accuracies that were read.
    """
    table = done.copy()
    costs = costs_of(known.space, known.choices, cost_table, latency_table).set_index(known.rows.index)
    documents = []
    for document in chosen:
        if document["status"] != "found":
            documents.append(with_test_figures(document, table.iloc[:0]))
            continue
        # A finalist of another budget may have won.
        own = (table["role"] == "candidate") & (table["network"] == document["architecture"])
        rows = ((table["role"] == "random") & (table["budget"] == document["budget"])) | own
        table.loc[rows, "test_accuracy"] = _truths_of(known, table[rows])
        beside = best_possible(known, costs, budgets.get(document["budget"], []), document["architecture"])
        documents.append({**with_test_figures(document, table[rows]), **beside})
    return documents, table


def _truths_of(known: KnownNetworks, done: pd.DataFrame) -> NDArray[np.float64]:
    """The true accuracy of each training of a table with the columns network and seed, ``[n]``."""
    seen = known.trainings(done["network"].drop_duplicates().tolist())
    rows = done[["network", "seed"]].merge(seen, on=["network", "seed"], how="left", validate="many_to_one")
    return rows["true_accuracy"].to_numpy(dtype=np.float64)


def best_possible(
    known: KnownNetworks, costs: pd.DataFrame, constraints: Sequence[Constraint], winner: str
) -> dict[str, Any]:
    """What a perfect search would have found within a budget, and where the winner stands beside it.

    Args:
        known: the networks of the table.
        costs: of all of them, in the order of ``known.rows``.
        constraints: the budget's bounds.
        winner: canonical name.

    Returns:
        best_architecture, best_accuracy (the truth, mean over trainings), best_latency_ms (None if unknown),
        accuracy_gap (best less winner), accuracy_rank (1: none within the budget is truer), networks_in_budget.
    """
    kept = satisfied(costs, constraints)
    truth = known.rows[known.truth.column]
    within, own = truth[kept], float(truth[winner])
    best = str(within.index[int(within.to_numpy().argmax())])
    latency = float(costs[LATENCY][best]) if LATENCY in costs else np.nan
    return {
        "best_architecture": best,
        "best_accuracy": float(truth[best]),
        "best_latency_ms": None if np.isnan(latency) else latency,
        "accuracy_gap": float(truth[best]) - own,
        "accuracy_rank": 1 + int((within > own).sum()),
        "networks_in_budget": int(kept.sum()),
    }
