"""NAS-Bench-201 with 20 trainings of 12 epochs: what is the best cell worth once it is trained in full?

Of the 5,425 networks that the 9,445 connected cells come to, each as its canonical cell, `--queries` are trained for 12
epochs, `--batch` at a time, and the one with the best validation accuracy after them is taken. Reported are its mean
test accuracies on CIFAR-10 and CIFAR-100 after the full schedule, mean and standard deviation over `--seeds`, and the
seconds that its queries cost on the table's GPU. No full accuracy chooses anything, nor did one choose a setting here;
opinions are the published jacov, counted MACs and params, and the prior of `evidence` is its default, which was chosen
on other tables (docs/predictors.md).

    ARCHATLAS_BENCHMARK_DATA=DIR python -m benchmarks.few_queries
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.predictors.make import make_predictor
from archatlas.predictors.protocol import Evaluations
from archatlas.spaces.nas_bench_201 import NasBench201
from archatlas.spaces.tables.files import find_file

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
Search = Callable[[int], Rows]

FOLDER = "nas_bench_201"
WEIGHT = 0.5
"""Of the standard deviation in a draw of predictions (Thompson sampling), as in the predictor benchmark."""


def load() -> tuple[NasBench201, pd.DataFrame]:
    """Networks, as canonical cells, with opinions, accuracies after 12 epochs, and both test accuracies, in percent."""
    folder = find_file(None, [FOLDER], "the project's data")
    proxies = pd.read_csv(folder / "zero_cost_proxies.csv.gz").rename(columns={"net_str": "arch"})
    table = proxies[["arch", "jacov"]]
    for file, columns in (
        ("nas_bench_201.csv.gz", ["c10_test_mean"]),
        ("cifar100_test.csv.gz", ["c100_test_mean"]),
        ("nas_bench_201_12_epochs.csv.gz", ["c10_valid_12ep", "cost_12ep_s"]),
    ):
        table = table.merge(pd.read_csv(folder / file)[["arch", *columns]], on="arch", validate="one_to_one")
    space = NasBench201("nas_bench_201", (3, 32, 32), 10)
    cells = table["arch"].to_numpy(dtype=np.str_)
    canonical = space.names(space.canonicalise(space.parse(cells))) == cells
    return space, table[canonical].reset_index(drop=True)


def by_evidence(space: NasBench201, table: pd.DataFrame, queries: int, batch: int) -> Search:
    """Rounds of `batch`, each the highest of one draw from what `evidence` predicts of all networks."""
    choices = space.parse(table["arch"].to_numpy(dtype=np.str_))
    candidates = ArchitectureBatch(space, choices, proxies=table[["jacov"]])
    observed = table["c10_valid_12ep"].to_numpy(np.float64)

    def search(seed: int) -> Rows:
        generator = np.random.default_rng(seed)
        asked = np.zeros(0, dtype=np.intp)
        while len(asked) < queries:
            score = np.full(len(table), np.nan)
            score[asked] = observed[asked]
            predictor = make_predictor("evidence", {}, seed)
            predictor.fit(candidates, Evaluations(score, np.zeros(len(score)), np.full(len(score), "table")))
            predicted = predictor.predict(candidates)
            draw = generator.normal(predicted.mean, WEIGHT * predicted.std)
            draw[asked] = -np.inf
            asked = np.append(asked, np.argsort(-draw, kind="stable")[: min(batch, queries - len(asked))])
        return asked

    return search


def at_random(table: pd.DataFrame, queries: int) -> Search:
    return lambda seed: np.random.default_rng(seed).choice(len(table), queries, replace=False)


def by_evolution(space: NasBench201, table: pd.DataFrame, queries: int) -> Search:
    """Regularised evolution that pays for each network once; a population of half its queries."""
    number = {name: row for row, name in enumerate(table["arch"])}
    observed = table["c10_valid_12ep"].to_numpy(np.float64)

    def search(seed: int) -> Rows:
        generator = np.random.default_rng(seed)
        asked = list(generator.choice(len(table), queries // 2, replace=False))
        alive = list(asked)
        while len(asked) < queries:
            parent = max(generator.choice(len(alive), 5, replace=False), key=lambda one: observed[alive[one]])
            row = space.parse(np.array([table["arch"][alive[parent]]]))[0].copy()
            row[generator.integers(len(row))] = generator.integers(5)
            child = number.get(str(space.names(space.canonicalise(row[None]))[0]))
            if child is None or child in asked:
                continue
            asked.append(child)
            alive = [*alive[1:], child]
        return np.array(asked)

    return search


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=20)
    parser.add_argument("--batch", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=10)
    options = parser.parse_args()
    space, table = load()
    searches = {
        f"evidence, {options.queries} queries": by_evidence(space, table, options.queries, options.batch),
        f"random, {options.queries}": at_random(table, options.queries),
        f"regularised evolution, {options.queries}": by_evolution(space, table, options.queries),
        f"regularised evolution, {4 * options.queries}": by_evolution(space, table, 4 * options.queries),
    }
    print("| method | CIFAR-10 | CIFAR-100 | GPU seconds |\n|---|--:|--:|--:|")
    for name, search in searches.items():
        found, spent = [], []
        for seed in range(options.seeds):
            asked = search(seed)
            found.append(asked[np.argmax(table["c10_valid_12ep"].to_numpy()[asked])])
            spent.append(table["cost_12ep_s"].to_numpy()[asked].sum())
        figures = [f"{table[column][found].mean():.2f} ± {table[column][found].std():.2f}" for column in TESTS]
        print(f"| {name} | {' | '.join(figures)} | {np.mean(spent):,.0f} |", flush=True)


TESTS = ("c10_test_mean", "c100_test_mean")


if __name__ == "__main__":
    main()
