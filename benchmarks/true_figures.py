"""The figures of a run of `--env nas_bench_macro` against true accuracies, as Markdown (docs/results.md).

kedro run --env nas_bench_macro
python -m benchmarks.true_figures
python -m benchmarks.true_figures --experiment nas_bench_macro_gpu
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

CURRENT = Path(__file__).parent.parent / "data" / "current"
SCORERS = {
    "supernet_accuracy": "super-networks, accuracy",
    "supernet_log_loss": "super-networks, log loss",
    "predictor": "predictor",
    "predictor_and_residual": "predictor and residual",
    "calibrated_predictor": "calibrated predictor",
    "calibrated_predictor_and_residual": "calibrated predictor and residual",
    "macs": "MACs",
    "params": "params",
}
METRICS = ("kendall_tau", "kendall_tau_top_half", "kendall_tau_top_tenth", "spearman")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiment", default="nas_bench_macro")
    folder = CURRENT / parser.parse_args(arguments).experiment
    summary = json.loads((folder / "truth_summary.json").read_text())
    print(f"{summary['networks']:,} networks, {summary['fitted']:,} of them learned from.\n")
    print(correlations(pd.read_parquet(folder / "truth_correlations.parquet")))
    print("\nCeilings: " + ", ".join(f"{name} {value:.3f}" for name, value in summary["ceilings"].items()) + "\n")
    print(picks(pd.read_parquet(folder / "truth_picks.parquet"), summary["best"]))


def correlations(ranked: pd.DataFrame) -> str:
    """A row per scorer: each rank correlation over all seeds, and of single super-networks from the least on."""
    lines = [
        "| scorer | over | Kendall tau | top half | top tenth | Spearman | tau of single ones | their top half |",
        "|---|---|--:|--:|--:|--:|---|---|",
    ]
    for over in ("networks", "architectures"):
        for scorer, name in SCORERS.items():
            rows = ranked[(ranked["scorer"] == scorer) & (ranked["over"] == over)]
            of_all, single = rows[rows["seed"] == "all"], rows[rows["seed"] != "all"]
            if of_all.empty:
                continue
            cells = [f"{of_all[metric].iloc[0]:.3f}" for metric in METRICS]
            spread = [_spread(single[metric]) for metric in METRICS[:2]]
            lines.append("| " + " | ".join([name, over, *cells, *spread]) + " |")
    return "\n".join(lines)


def _spread(values: pd.Series) -> str:
    return " ".join(f"{value:.3f}" for value in sorted(values))


def picks(chosen: pd.DataFrame, best: int) -> str:
    """A row per budget: mean true accuracy (%) of the best so many by each scorer."""
    of_all = chosen[chosen["seed"] == "all"].assign(budget=chosen["budget"].replace("", "none"))
    table = 100 * of_all.pivot_table(index="budget", columns="scorer", values="top_accuracy", sort=False)
    table["the truly best"] = 100 * of_all.groupby("budget", sort=False)["top_optimum"].first()
    columns = [name for name in [*SCORERS, "the truly best"] if name in table]
    lines = [
        f"| MACs at most: mean true accuracy of the best {best} | "
        + " | ".join(SCORERS.get(name, name) for name in columns)
        + " |",
        "|---|" + "--:|" * len(columns),
    ]
    for budget, row in table[columns].iterrows():
        lines.append(f"| {budget} | " + " | ".join(f"{value:.2f}" for value in row) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
