"""How should a super-network be trained, if its scores are to rank networks as their true accuracies do?

Each way trains one super-network of `--env nas_bench_macro` on the same images at the same cost (MACs of all steps; the
long ones at 2.4 times as much) and scores the same 1,000 networks. These scores are held against true accuracies, and
so is what the predictor that is fitted to them says of all networks. Ways run side by side, one thread each; what has
been run already is read.
ARCHATLAS_BENCHMARK_DATA names the folder of the table.

    python -m benchmarks.training_strategies --images DIR      # 20 minutes for each way, 40 for a long one
    python -m benchmarks.training_strategies --images DIR --only uniform fair --jobs 1
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd

PROJECT = Path(__file__).parent.parent
STAGES = (
    "prepare_images,measure_costs,sample_architectures,train_supernet,evaluate_subnets,encode_graphs,fit_predictor,"
    "tune_predictor,calibrate_predictor,compare_with_truth"
)
SCORERS = {"supernet_accuracy": "accuracy", "supernet_log_loss": "log loss", "predictor": "predictor"}
EPOCHS = "supernet.training.epochs"
LARGEST_FIRST = "supernet.largest_first_epochs"
DECAY = "supernet.training.weight_decay"
ALIKE: dict[str, Any] = {
    "supernet.seeds": 1,
    "images.image_size": 16,
    "supernet.image_sizes": "null",
    "supernet.augmentation.shift": 2,
    "evaluation.whole_space": "none",
    LARGEST_FIRST: 0,
    EPOCHS: 10,
    DECAY: 1e-4,
    "predictor.gcn.transform": "raw",
}
WAYS: dict[str, dict[str, Any]] = {
    "skips half as often as blocks": {},
    "uniform": {"supernet.skip_weight": 1.0, EPOCHS: 12},
    "fair": {"supernet.strategy": "fair", "supernet.skip_weight": 1.0, EPOCHS: 4},
    "sandwich": {"supernet.strategy": "sandwich", "supernet.skip_weight": 1.0, EPOCHS: 4},
    "ema": {"supernet.training.ema_decay": 0.999},
    "label smoothing": {"supernet.training.label_smoothing": 0.1},
    "no weight decay": {DECAY: 0.0},
    "batch norm of 64 images": {"evaluation.calibration_images": 64},
    "batch norm of 1,024 images": {"evaluation.calibration_images": 1024},
    "larger images": {"images.image_size": 24, "supernet.augmentation.shift": 3, EPOCHS: 4},
    "largest path first": {LARGEST_FIRST: 2, EPOCHS: 6},
    "largest path first, no weight decay": {LARGEST_FIRST: 2, EPOCHS: 6, DECAY: 0.0},
    "long": {EPOCHS: 24},
    "long, fair": {"supernet.strategy": "fair", "supernet.skip_weight": 1.0, EPOCHS: 10},
    "long, fair, skips half as often": {"supernet.strategy": "fair", EPOCHS: 8},
}
"""What each changes of the environment and of ``ALIKE``. They cost the same; the long ones 2.4 times as much."""


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parse(arguments)
    asked = [(name, seed) for seed in options.seeds for name in options.only]
    with ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(lambda one: _run(*one, options.images), asked))
    rows = pd.DataFrame([_figures(name, seed) for name, seed in asked]).groupby("way", sort=False).mean()
    print(rows.drop(columns="seed").round(3).to_string())


def _run(name: str, seed: int, images: Path) -> None:
    if (_folder(name, seed) / "truth_summary.json").exists():
        return
    given = {"experiment": _experiment(name, seed), "seed": seed, "images.path": images, **ALIKE, **WAYS[name]}
    parameters = ",".join(f"{key}={value}" for key, value in given.items())
    command = [Path(sys.executable).with_name("kedro"), "run", "--env", "nas_bench_macro", "--pipelines", STAGES]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run(
        [*command, "--params", parameters], cwd=PROJECT, env=environment, check=True, stdout=subprocess.DEVNULL
    )


def _figures(name: str, seed: int) -> dict[str, float | str]:
    """Rank correlations of one way's scores with the truth, and of the predictor that is fitted to them."""
    summary = json.loads((_folder(name, seed) / "truth_summary.json").read_text())
    curves = pd.read_parquet(_folder(name, seed) / "supernet_curves.parquet")
    figures: dict[str, float | str] = {"way": name, "seed": seed, "last loss": float(curves["loss"].iloc[-1])}
    for scorer, what in SCORERS.items():
        found = summary["scorers"][scorer]
        figures |= {what: found["kendall_tau"], f"{what}, top half": found["kendall_tau_top_half"]}
    return figures | {"best 10": 100 * summary["scorers"]["predictor"]["top_accuracy"]}


def _experiment(name: str, seed: int) -> str:
    words = re.findall(r"\w+", name)  # `--params` would take a comma for the end of the name
    return "_".join(["strategy", *words, str(seed)])


def _folder(name: str, seed: int) -> Path:
    return PROJECT / "data" / "current" / _experiment(name, seed)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="folder of CIFAR-10's Parquet files")
    parser.add_argument("--only", nargs="+", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="ways at a time")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
