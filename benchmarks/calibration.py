"""What do a few true accuracies add to a super-network's scores, and the scores to them?

Reads the current results of `kedro run --env nas_bench_macro`. Each repetition chooses networks as the stage
`calibrate_predictor` does, looks up their true accuracies (means of all trainings), and ranks all other networks: by
the predictor as tuned, by the calibrated one, by this and a third of what every network's own score says beyond the
prediction, and by a Gaussian process that knows the same accuracies alone.

    python -m benchmarks.calibration                       # some minutes
    python -m benchmarks.calibration --networks 30 --repetitions 3
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from benchmarks.macro_run import SHARE, read_run

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.predictors.make import make_predictor
from archatlas.predictors.metrics import kendall_tau, kendall_tau_top_half
from archatlas.predictors.protocol import Evaluations
from archatlas.verification.calibration import calibrate, choose_networks
from archatlas.verification.truth.scores import with_residual

FIGURES = {"tau": kendall_tau, "top half": kendall_tau_top_half}


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parse(arguments)
    run = read_run(options.experiment)
    space, parts, tuned, every, names = run.space, run.cost_table, run.tuned, run.every, run.names
    batch, scores = run.sample
    true = run.truth.to_numpy(dtype=np.float64)
    before = tuned.predict(every).mean
    own = run.scores.evaluations().score
    rows = []
    for count in options.networks:
        for seed in range(options.repetitions):
            chosen = choose_networks(space, tuned, count, parts, np.random.default_rng([seed, count]))
            known = chosen["network"].to_numpy(dtype=np.str_)
            labels = run.truth.loc[known].to_numpy(dtype=np.float64)
            trainings = pd.DataFrame({"network": known, "seed": 0, "validation_accuracy": labels})
            fitted, _, _ = calibrate(batch, scores, trainings, tuned, run.tuned_as, seed)
            alone = make_predictor("gp", None, seed)
            alone.fit(
                ArchitectureBatch(space, space.parse(known), cost_table=parts),
                Evaluations(labels, np.zeros(count), np.full(count, "standalone")),
            )
            unseen = ~np.isin(names, known)
            calibrated = fitted.predict(every).mean
            said = {
                "before": before,
                "calibrated": calibrated,
                "and residual": with_residual(calibrated, own, before, SHARE),
                "alone": alone.predict(every).mean,
            }
            rows.append({"networks": count, **_figures(true[unseen], {k: v[unseen] for k, v in said.items()})})
    means = pd.DataFrame(rows).groupby("networks").agg(["mean", "sem"])
    print(means.round(4).to_string())


def _figures(true: np.ndarray, said: dict[str, np.ndarray]) -> dict[str, Any]:
    """Rank correlations of each, and how far the calibrated predictor is ahead of the accuracies alone."""
    found: dict[str, Any] = {}
    for what, metric in FIGURES.items():
        for name, mean in said.items():
            found[f"{what}, {name}"] = metric(true, mean)
        found[f"{what}, ahead"] = found[f"{what}, calibrated"] - found[f"{what}, alone"]
    return found


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiment", default="nas_bench_macro")
    parser.add_argument("--networks", type=int, nargs="+", default=[20, 30, 50])
    parser.add_argument("--repetitions", type=int, default=10)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
