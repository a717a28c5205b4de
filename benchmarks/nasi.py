"""What does NASI find on a public table, and do labels and data matter to it?

Draws are made once for each seed and each kind of images and labels, on the untrained super-network of the whole space;
then every reward is tried on the same draws, which costs nothing. Accuracies are the table's and choose nothing.
Controls: the networks with the most params and with the most MACs, and the best of ten random networks by validation
accuracy, which is the mean of two trainings on NAS-Bench-201 (there is none on NAS-Bench-Macro: by its test accuracy).

The data folder is what ARCHATLAS_BENCHMARK_DATA names. Draws are kept under data/work: a command that was stopped goes
on.

    python -m benchmarks.nasi                                               # ten seeds, NAS-Bench-201
    python -m benchmarks.nasi --space nas_bench_macro                       # where the default reward was chosen
    python -m benchmarks.nasi --kinds given random gaussian --steps 40      # without labels, without data
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import torch
from benchmarks.untrained_scores import cifar10

from archatlas.costs.counting import count_parts
from archatlas.images.preparing import PreparedImages
from archatlas.pipelines.methods.search import draws_in
from archatlas.predictors.metrics import kendall_tau
from archatlas.spaces.protocol import PrefixShared, SearchSpace
from archatlas.spaces.tables.files import find_file
from archatlas.spaces.tables.parameters import TableParameters
from archatlas.spaces.tables.registry import load_table
from archatlas.spaces.tables.table import BenchmarkTable
from archatlas.systems.ledger import Ledger
from archatlas.systems.nasi.method import Nasi
from archatlas.systems.nasi.reward import logits_of, sweep_of_rewards
from archatlas.systems.nasi.selection import ranked_by_each
from archatlas.systems.nasi.start import Start, looking
from archatlas.systems.nasi.steepness import Draw
from archatlas.systems.problem import Problem

_WORK = Path(__file__).parent.parent / "data" / "work" / "nasi_benchmark"
_KINDS = {
    "given": {"images": "training", "labels": "given"},
    "random": {"images": "training", "labels": "random"},
    "gaussian": {"images": "gaussian", "labels": "random"},
}
_RANDOM = 10
_LOOKED_AT = 50


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parse(arguments)
    table = load_table(TableParameters(name=options.space))
    images = cifar10(options.image_size)
    asked = [(kind, seed) for kind in options.kinds for seed in range(options.seeds)]
    made = joblib.Parallel(options.workers)(joblib.delayed(_drawn)(options, images, *one) for one in asked)
    draws = dict(zip(asked, made, strict=True))
    accuracies = _accuracies(table)
    size = f"{options.image_size} x {options.image_size}"
    print(f"\n{options.space}: {options.steps} draws of {options.batch} images, {size}")
    for kind in options.kinds:
        own = [draws[kind, seed] for seed in range(options.seeds)]
        traces = np.concatenate([[one.trace for one in each] for each in own])
        low, middle, high = np.quantile(traces, [0.1, 0.5, 0.9])
        scale = f"{low:.3g}, {middle:.3g}, {high:.3g} (10, 50 and 90%), {own[0][0].tensors} tensors of weights"
        print(f"\nT with {kind} labels: {scale}")
        columns = [*accuracies.columns, "different networks"]
        print(f"\n| reward | {' | '.join(columns)} |\n|---|{'--:|' * len(columns)}")
        chosen = [_chosen(table, images, options, kind, seed, one) for seed, one in enumerate(own)]
        for name in sweep_of_rewards():
            found = [of_seed[name] for of_seed in chosen]
            print(f"| {name} | {_cells(accuracies.loc[found])} | {len(set(found))} |")
        if kind == options.kinds[0]:
            for name, networks in _controls(table, accuracies, options.seeds).items():
                print(f"| {name} | {_cells(accuracies.loc[networks])} | {len(set(networks))} |")
    _agreement(draws, options)


def _drawn(options: argparse.Namespace, images: PreparedImages, kind: str, seed: int) -> list[Draw]:
    torch.set_num_threads(1)
    start = Start(_space(options), images.train, images.description, draws_in(_WORK))
    method = _method(options, kind)
    return method.draws(start, start.supernet(method.parameters(start), seed), Ledger(), seed)


def _method(options: argparse.Namespace, kind: str) -> Nasi:
    return Nasi(options.steps, options.batch, image_size=options.image_size, through=options.through, **_KINDS[kind])


def _chosen(
    table: BenchmarkTable, images: PreparedImages, options: argparse.Namespace, kind: str, seed: int, draws: list[Draw]
) -> dict[str, str]:
    """By reward, the network that the draws' logits favour most, of those that look at their images."""
    method, start = _method(options, kind), Start(_space(options), images.train, images.description)
    parameters, rewards = method.parameters(start), sweep_of_rewards()
    supernet, batch = start.supernet(parameters, seed), start.batch(parameters, seed, 0)[0]
    logits = [logits_of(draws, reward) for reward in rewards.values()]
    problem, generator = Problem(table.space, (), _costs(table)), np.random.default_rng(seed)
    found = {}
    for name, (rows, _) in zip(rewards, ranked_by_each(problem, logits, generator, _LOOKED_AT), strict=True):
        found[name] = str(table.space.names(rows[looking(supernet, rows, batch, 1, Ledger())])[0])
    return found


def _accuracies(table: BenchmarkTable) -> pd.DataFrame:
    """Test accuracies of all networks by name, of the canonical architecture."""
    rows = table.networks().rows.set_index("network")
    found = pd.DataFrame({"CIFAR-10": rows["test_accuracy"]})
    if table.space.kind == "nas_bench_201":  # type: ignore[attr-defined]
        file = find_file(None, ["nas_bench_201/cifar100_test.csv.gz"], "https://github.com/nicolocavagnero/FreeREA")
        other = pd.read_csv(file).set_index("arch")["c100_test_mean"] / 100
        found["CIFAR-100"] = other.reindex(found.index)
    return found


def _controls(table: BenchmarkTable, accuracies: pd.DataFrame, seeds: int) -> dict[str, list[str]]:
    """Networks that no search is needed for."""
    rows = table.networks().rows.set_index("network")
    costs = Problem(table.space, (), _costs(table)).costs(table.space.parse(rows.index.to_numpy(dtype=np.str_)))
    costs.index = rows.index
    generator = np.random.default_rng(0)
    drawn = [generator.choice(rows.index, _RANDOM, replace=False) for _ in range(seeds)]
    judge = "validation_accuracy" if "validation_accuracy" in rows else "test_accuracy"
    return {
        "most params": [str(costs["params"].idxmax())],
        "most MACs": [str(costs["macs"].idxmax())],
        f"best of {_RANDOM} random by {judge.replace('_', ' ')}": [str(rows.loc[one, judge].idxmax()) for one in drawn],
        "one random network": [str(one[0]) for one in drawn],
    }


def _agreement(draws: dict[tuple[str, int], list[Draw]], options: argparse.Namespace) -> None:
    """How far logits of kinds agree at one seed, against how far seeds agree within a kind."""
    logits = {(kind, seed): logits_of(one, _method(options, kind).reward) for (kind, seed), one in draws.items()}
    print("\n| logits of | Kendall's tau, mean of pairs |\n|---|--:|")
    first = options.kinds[0]
    for kind in options.kinds:
        own = [logits[kind, seed] for seed in range(options.seeds)]
        pairs = [kendall_tau(*pair) for pair in combinations(own, 2)]
        if pairs:
            print(f"| two seeds, {kind} | {np.mean(pairs):.3f} |")
        if kind != first:
            pairs = [kendall_tau(logits[first, seed], logits[kind, seed]) for seed in range(options.seeds)]
            print(f"| {first} and {kind}, one seed | {np.mean(pairs):.3f} |")


def _cells(accuracies: pd.DataFrame) -> str:
    spread = accuracies.std(ddof=1).fillna(0)
    return " | ".join(f"{100 * accuracies[name].mean():.2f} ± {100 * spread[name]:.2f}" for name in accuracies)


def _space(options: argparse.Namespace) -> SearchSpace:
    space = load_table(TableParameters(name=options.space)).space
    return replace(space, input_shape=(3, options.image_size, options.image_size))  # type: ignore[type-var]


def _costs(table: BenchmarkTable) -> pd.DataFrame | None:
    return count_parts(table.space) if isinstance(table.space, PrefixShared) else None


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", choices=["nas_bench_201", "nas_bench_macro"], default="nas_bench_201")
    parser.add_argument("--kinds", nargs="+", choices=list(_KINDS), default=["given"])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--image-size", type=int, default=16)
    parser.add_argument("--through", choices=["all", "chosen"], default="all")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
