"""What do a few true accuracies add to a super-network's scores, and the scores to them?

Reads the current results of `kedro run --env nas_bench_macro`. Each repetition chooses networks as the stage
`calibrate_predictor` does, looks up their true accuracies, and ranks all other networks: by the predictor as tuned, by
the calibrated one, and by a Gaussian process that knows the same accuracies alone. ARCHATLAS_BENCHMARK_DATA names the
folder of the table.

    python -m benchmarks.calibration                       # some minutes
    python -m benchmarks.calibration --networks 30 --repetitions 3
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors.numpy import load_file

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.images.description import ImageDescription
from archatlas.predictors.metrics import kendall_tau, kendall_tau_top_half
from archatlas.predictors.protocol import Evaluations
from archatlas.predictors.registry import load_predictor, make_predictor
from archatlas.predictors.sample import evaluated_sample
from archatlas.spaces.presets import preset
from archatlas.spaces.tables.parameters import TableParameters
from archatlas.spaces.tables.registry import load_table
from archatlas.verification.calibration import calibrate, choose_networks

CURRENT = Path(__file__).parent.parent / "data" / "current"
FIGURES = {"tau": kendall_tau, "top half": kendall_tau_top_half}


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parse(arguments)
    folder = CURRENT / options.experiment
    description = ImageDescription.model_validate_json((folder / "image_description.json").read_text())
    space = preset("nas_bench_macro", description.input_shape, description.num_classes)
    parts = pd.read_parquet(folder / "cost_table.parquet")
    tuned_as = json.loads((folder / "tuned_predictor.json").read_text())
    tuned = load_predictor(tuned_as, load_file(folder / "tuned_predictor_state.safetensors"))
    batch, scores = evaluated_sample(
        space,
        load_file(folder / "architecture_graphs.safetensors"),
        pd.read_parquet(folder / "evaluations.parquet"),
        parts,
        tuned_as["target"],
        fewest=2,
    )
    table = load_table(TableParameters(name="nas_bench_macro", label="test", truth="test"))
    truth = table.networks().rows.set_index("network")[table.label("test").column]
    every = ArchitectureBatch(space, space.enumerate_networks(0, space.networks), cost_table=parts)
    names = np.array([str(name) for name in space.names(every.choices)])
    true = truth.loc[names].to_numpy(dtype=np.float64)
    before = tuned.predict(every).mean
    rows = []
    for count in options.networks:
        for seed in range(options.repetitions):
            chosen = choose_networks(space, tuned, count, parts, np.random.default_rng([seed, count]))
            known = chosen["network"].to_numpy(dtype=np.str_)
            labels = truth.loc[known].to_numpy(dtype=np.float64)
            trainings = pd.DataFrame({"network": known, "seed": 0, "validation_accuracy": labels})
            fitted, _, _ = calibrate(batch, scores, trainings, tuned, tuned_as, seed)
            alone = make_predictor("gp", None, seed)
            alone.fit(
                ArchitectureBatch(space, space.parse(known), cost_table=parts),
                Evaluations(labels, np.zeros(count), np.full(count, "standalone")),
            )
            unseen = ~np.isin(names, known)
            said = {"before": before, "calibrated": fitted.predict(every).mean, "alone": alone.predict(every).mean}
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
