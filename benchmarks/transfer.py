"""What simple features of computation graphs say of networks of families and spaces that nobody has labels of.

`timm`: real architectures trained on ImageNet-1k alone; top-1 the mean over recipes that use no other data
and no teacher, at the image size nearest to that of the graph. All architectures of a module are predicted by a model
that was fitted to other modules' (ten folds of modules).

`spaces`: each of NAS-Bench-201, NAS-Bench-101 (the table's networks) and NAS-Bench-Macro is predicted by models that
were fitted to one other space, and to all others (`timm` among them where it is there). Labels are normal quantiles
within a space. `--networks` are drawn of each space, uniformly and with a seed; 0 takes all.

Models and their settings were fixed before any of these figures was known. Printed are Kendall's tau and, between
spaces, Spearman's rho; beside the models stand params, MACs and depth (weighted operators on the longest way).

    ARCHATLAS_BENCHMARK_DATA=DIR python -m benchmarks.transfer timm
    ARCHATLAS_BENCHMARK_DATA=DIR python -m benchmarks.transfer spaces --networks 1000
    ARCHATLAS_BENCHMARK_DATA=DIR python -m benchmarks.transfer speed --networks 0   # cells of NAS-Bench-201 as graphs
"""

from __future__ import annotations

import argparse
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import kendalltau, norm, rankdata, spearmanr

from archatlas.encodings.computation_graphs import computation_graphs
from archatlas.graphs.computation_statistics import statistic_names, statistics_of
from archatlas.graphs.graph_files import read_graphs
from archatlas.spaces.tables.nas_bench_101 import load as load_101
from archatlas.spaces.tables.nas_bench_201 import load as load_201
from archatlas.spaces.tables.nas_bench_macro import load as load_macro
from archatlas.spaces.tables.table import BenchmarkTable

Floats = NDArray[np.float64]

CONTROLS = {"params": "log_params", "MACs": "log_macs", "depth": "log_depth"}
OTHER_DATA = re.compile(r"in2\dk|in12k|ig1b|yfcc|jft|laion|swag|seer|ssld|dist|usi")
"""Tags of weights that other images than ImageNet-1k's, or a teacher, had a part in."""
FOLDS = 10
LARGE = 20
TABLES: dict[str, Callable[[], BenchmarkTable]] = {"201": load_201, "101": load_101, "Macro": load_macro}


@dataclass(frozen=True)
class Labelled:
    """Networks of one kind: features ``[n, f]`` and accuracies ``[n]``."""

    features: Floats
    accuracy: Floats

    @property
    def quantiles(self) -> Floats:
        """Accuracies as normal quantiles."""
        return norm.ppf((rankdata(self.accuracy) - 0.5) / len(self.accuracy))


def ridge() -> object:
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), RidgeCV(np.logspace(0, 4, 9)))


def trees() -> object:
    from lightgbm import LGBMRegressor

    return LGBMRegressor(
        n_estimators=300, learning_rate=0.04, num_leaves=15, min_child_samples=8, subsample=0.8, subsample_freq=1,
        colsample_bytree=0.3, random_state=0, n_jobs=1, verbose=-1,
    )  # fmt: skip


def gp() -> object:
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    kernel = ConstantKernel(1.0) * RBF(10.0, (1.0, 1e3)) + WhiteKernel(0.3, (1e-3, 1e1))
    return make_pipeline(StandardScaler(), GaussianProcessRegressor(kernel, normalize_y=True, random_state=0))


MODELS = {"ridge": ridge, "trees": trees, "gp": gp}
MOST_FOR_GP = 600
"""Rows of spaces that the Gaussian process is fitted to: its cost grows with their cube."""


def predict(model: str, known: Labelled, asked: Floats, most_for_gp: int | None = None) -> Floats:
    features, quantiles = known.features, known.quantiles
    if model == "gp" and most_for_gp is not None and len(features) > most_for_gp:
        chosen = np.random.default_rng(0).choice(len(features), most_for_gp, replace=False)
        features, quantiles = features[chosen], quantiles[chosen]
    # Far from all that is known, a linear model must not run away along one feature.
    low, high = features.min(axis=0), features.max(axis=0)
    return MODELS[model]().fit(features, quantiles).predict(np.clip(asked, low, high))


def data_folder() -> Path:
    return Path(os.environ.get("ARCHATLAS_BENCHMARK_DATA", "../shared/data"))


def load_timm() -> tuple[Labelled, pd.DataFrame]:
    """The labelled architectures, and of each its module and family."""
    folder = data_folder() / "timm"
    results = pd.read_csv(folder / "results-imagenet.csv")
    parts = results["model"].str.partition(".")
    results = results.assign(architecture=parts[0], tag=parts[2])
    results = results[results["tag"].str.contains("in1k") & ~results["tag"].str.contains(OTHER_DATA)]
    families = pd.read_csv(folder / "families.csv").set_index("model")
    rows, graphs = [], []
    for name, graph in read_graphs(folder / "timm_in1k_graphs.jsonl.gz"):
        found = results[results["architecture"] == name]
        if not len(found):
            continue
        side = round(float(graph.nodes["places_out"][0]) ** 0.5)
        away = (found["img_size"] - side).abs()
        rows.append((name, found.loc[away == away.min(), "top1"].mean(), *families.loc[name, ["module", "family"]]))
        graphs.append(graph)
    table = pd.DataFrame(rows, columns=["model", "top1", "module", "family"])
    return Labelled(statistics_of(graphs), table["top1"].to_numpy()), table


def load_space(name: str, networks: int) -> Labelled:
    """Networks of a public table, those whose input is cut off from their output left out: each once, its mean."""
    table = TABLES[name]()
    accuracy = table.rows.groupby("network")["test_accuracy"].mean()
    if networks and networks < len(accuracy):
        accuracy = accuracy.sample(networks, random_state=0)
    graphs, index = computation_graphs(table.space, table.space.parse(accuracy.index.to_numpy(dtype=np.str_)))
    features = statistics_of(graphs)[index]
    # A graph that two names share is one network.
    _, first = np.unique(index, return_index=True)
    alive = features[first, statistic_names().index("log_number_fill")] == 0
    return Labelled(features[first][alive], accuracy.to_numpy()[first][alive])


def tau(a: Floats, b: Floats) -> float:
    return float(kendalltau(a, b).statistic)


def timm() -> None:
    from sklearn.model_selection import GroupKFold

    labelled, table = load_timm()
    predicted = {name: labelled.features[:, statistic_names().index(column)] for name, column in CONTROLS.items()}
    folds = list(GroupKFold(FOLDS).split(labelled.features, groups=table["module"]))
    for model in MODELS:
        made = np.zeros(len(table))
        for fitted, left in folds:
            known = Labelled(labelled.features[fitted], labelled.accuracy[fitted])
            made[left] = predict(model, known, labelled.features[left])
        predicted[model] = made
    ranks = sum(rankdata(predicted[model]) for model in MODELS)
    predicted["mean rank of the three"] = np.asarray(ranks)
    columns = list(predicted)
    print(f"| modules left out | n | {' | '.join(columns)} |\n|---|--:|{'--:|' * len(columns)}")
    sizes = table["module"].value_counts()
    groups = {"all": np.ones(len(table), dtype=bool)} | {
        name: (table["module"] == name).to_numpy() for name in sizes[sizes >= LARGE].index
    }
    for name, rows in groups.items():
        figures = [f"{tau(values[rows], labelled.accuracy[rows]):.3f}" for values in predicted.values()]
        print(f"| {name} | {rows.sum()} | {' | '.join(figures)} |")


def spaces(networks: int) -> None:
    labelled = {name: load_space(name, networks) for name in TABLES}
    if (data_folder() / "timm").is_dir():
        labelled["timm"] = load_timm()[0]
    for target in TABLES:
        asked = labelled[target]
        print(f"\n{target}: {len(asked.accuracy)} networks\n\n| fitted to | model | tau | rho |\n|---|---|--:|--:|")
        for control, column in CONTROLS.items():
            report("-", control, asked.features[:, statistic_names().index(column)], asked.accuracy)
        others = [name for name in labelled if name != target]
        for names in [[name] for name in others] + [others]:
            known = joined([labelled[name] for name in names])
            for model in MODELS:
                report(" and ".join(names), model, predict(model, known, asked.features, MOST_FOR_GP), asked.accuracy)


@dataclass(frozen=True)
class _Joined(Labelled):
    within: Floats

    @property
    def quantiles(self) -> Floats:
        return self.within


def joined(parts: list[Labelled]) -> Labelled:
    """Several spaces' networks, each with its quantile within its own."""
    return _Joined(
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.accuracy for part in parts]),
        np.concatenate([part.quantiles for part in parts]),
    )


def report(source: str, model: str, predicted: Floats, accuracy: Floats) -> None:
    rho = float(spearmanr(predicted, accuracy).statistic)
    print(f"| {source} | {model} | {tau(predicted, accuracy):.3f} | {rho:.3f} |", flush=True)


def speed(cells: int) -> None:
    table = load_201()
    chosen = np.random.default_rng(0).permutation(len(table.choices))[: cells or None]
    begun = time.process_time(), time.perf_counter()
    graphs, index = computation_graphs(table.space, table.choices[chosen])
    spent = time.process_time() - begun[0], time.perf_counter() - begun[1]
    print(f"{len(index):,} cells, {len(graphs):,} graphs: {spent[0]:.1f} s of one core, {spent[1]:.1f} s of the clock")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["timm", "spaces", "speed"])
    parser.add_argument("--networks", type=int, default=1000, help="drawn of each space; 0: all")
    options = parser.parse_args()
    {"timm": timm, "spaces": lambda: spaces(options.networks), "speed": lambda: speed(options.networks)}[options.what]()


if __name__ == "__main__":
    main()
