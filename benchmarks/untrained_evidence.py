"""What do scores without training add to a super-network's scores, for the predictor of a run?

Reads the current results of `kedro run` and `kedro run --pipelines score_untrained`. Predictors learn one
super-network's scores of a part of the sample and are judged by another's scores of the rest, on other images (protocol
`cross_seed`): without the untrained scores, with those of the learned part, which are estimated for the rest (as a run
does, `predictors/families/estimated_proxies.py`), and with those of all networks. Kendall's tau, and within the better
half in brackets; differences to the first in the same folds, of each the mean over pairs of super-networks, with the
95% interval of their mean (t; folds share what is learned, and the interval counts that).

    kedro run && kedro run --pipelines score_untrained && python -m benchmarks.untrained_evidence
    python -m benchmarks.untrained_evidence --networks 100                # fewer labels
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import yaml
from safetensors.numpy import load_file

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.predictors.families.estimated_proxies import estimated
from archatlas.predictors.fitting import Contender, cross_seed_scores, pairings
from archatlas.predictors.folds import fold_of
from archatlas.predictors.make import make_predictor
from archatlas.predictors.metrics import kendall_tau, kendall_tau_top_half
from archatlas.predictors.noise import reach_over_folds
from archatlas.predictors.sample import evaluated_sample
from archatlas.predictors.scores import NetworkScores
from archatlas.scores.table import proxies_of
from archatlas.spaces.search_space import read_space

_ROOT = Path(__file__).parent.parent
_SCORES = ("nwot", "jacov", "synflow", "grad_norm")


def contenders() -> dict[str, tuple[Contender, Contender]]:
    """Predictors by name: without untrained scores, and with them."""
    configured = yaml.safe_load((_ROOT / "conf/base/parameters_fit_predictor.yml").read_text())["predictor"]
    gcn, costs = ("gcn", configured["gcn"]), {"macs": 1.0}
    return {
        "gcn, and gp with proxies": (gcn, ("gp", {"proxies": True})),
        "gp": (("gp", {}), ("gp", {"proxies": True})),
        "evidence": (("evidence", {"prior": costs}), ("evidence", {})),
        "gcn, and evidence": (gcn, ("evidence", {})),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parse(arguments)
    torch.set_num_threads(1)
    folder = _ROOT / "data" / "current" / options.experiment
    space = read_space(json.loads((folder / "search_space.json").read_text()))
    graphs, evaluations = (
        load_file(folder / "architecture_graphs.safetensors"),
        pd.read_parquet(folder / "evaluations.parquet"),
    )
    costs = pd.read_parquet(folder / "cost_table.parquet")
    untrained = pd.read_parquet(folder / "untrained_scores.parquet")
    proxies = proxies_of(untrained)[list(_SCORES)]
    told, scores = evaluated_sample(space, graphs, evaluations, costs, options.target, fewest=20, proxies=proxies)
    rows = np.arange(min(options.networks, len(told)))
    told, scores = told[rows], scores[rows]
    batch = ArchitectureBatch(space, told.choices, cost_table=costs, graphs=told.graphs, canonical=True)
    level = scores.evaluations().score
    print(
        f"{len(batch)} networks of {options.experiment}, {len(scores.seeds)} super-networks, target {options.target}\n"
    )
    estimates = estimated(told, 0)[1]
    print("| score alone | tau (top half) with the super-networks' mean | of its estimate with it |\n|---|--:|--:|")
    columns = proxies.loc[[str(name) for name in space.names(batch.choices)]]
    alone = {name: columns[name] for name in _SCORES} | {name: batch.costs[name] for name in ("params", "macs")}
    alone["mean rank of nwot, jacov and params"] = (
        pd.DataFrame({name: np.asarray(alone[name]) for name in ("nwot", "jacov", "params")}).rank().mean(axis=1)
    )
    for name, column in alone.items():
        values = np.asarray(column, dtype=np.float64)
        own = f"{kendall_tau(values, estimates[name].to_numpy()):.3f}" if name in estimates else "-"
        print(f"| {name} | {kendall_tau(level, values):.3f} ({kendall_tau_top_half(level, values):.3f}) | {own} |")
    head = (
        "predictor",
        "without",
        "estimated",
        "difference",
        "of the top half",
        "of all",
        "difference",
        "of the top half",
    )
    print(f"\n| {' | '.join(head)} |\n|---|{'--:|' * (len(head) - 1)}")
    for name, (without, informed) in contenders().items():
        wanted = ((batch, without), (told, informed))
        tables = [cross_seed_scores(one, scores, {name: by}, folds=options.folds, seed=0) for one, by in wanted]
        tables = [one.query("protocol == 'cross_seed'") for one in tables]
        tables.append(with_scores_of_all(told, scores, informed, options.folds))
        by_fold = [one.groupby("fold")[["kendall_tau", "kendall_tau_top_half"]].mean() for one in tables]
        cells = [f"{one['kendall_tau'].mean():.3f} ({one['kendall_tau_top_half'].mean():.3f})" for one in tables]
        gains = [[_with_interval((one - by_fold[0])[metric].to_numpy()) for metric in one] for one in by_fold[1:]]
        print(f"| {' | '.join([name, cells[0], cells[1], *gains[0], cells[2], *gains[1]])} |", flush=True)


def with_scores_of_all(
    batch: ArchitectureBatch, scores: NetworkScores, contender: Contender, folds: int
) -> pd.DataFrame:
    """The cross-seed rows (fold, kendall_tau, kendall_tau_top_half) where every network's own proxies are read."""
    fold, rows = fold_of(len(batch), folds, 0), []
    for number in range(folds):
        seen = fold != number
        for pairing in pairings(scores, number):
            predictor = make_predictor(*contender, 0)
            predictor.fit(batch[seen], scores[seen].evaluations([pairing.fit_seed], [pairing.fit_half]))
            truth = scores.score[~seen, pairing.score_seed, pairing.score_half]
            said = predictor.predict(batch[~seen]).mean
            rows.append((number, kendall_tau(truth, said), kendall_tau_top_half(truth, said)))
    return pd.DataFrame(rows, columns=["fold", "kendall_tau", "kendall_tau_top_half"])


def _with_interval(gains: np.ndarray) -> str:
    return f"{gains.mean():+.3f} ± {reach_over_folds(gains):.3f}"


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiment", default="digits")
    parser.add_argument("--networks", type=int, default=10**6, help="of the sample; default: all")
    parser.add_argument("--target", choices=["accuracy", "log_loss"], default="accuracy")
    parser.add_argument("--folds", type=int, default=5)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
