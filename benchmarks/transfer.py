"""What is known of some networks says how much of others: a space or a family that nobody has labels of.

`matrix`: each public table's networks, ranked by models that were fitted to each other source, and to all others; the
models are those of `archatlas rank`. Printed are Kendall's tau and Spearman's rho; beside the models stand params, MACs
and depth (weighted operators on the longest way).

`encoder`: the contrastive encoder of Han et al. (SDM 2023) beside these models, on real networks, families left out by
module (`--folds` of them): from scratch, trained by contrast first, and untrained (its encodings, with a ridge).

`choose`: which of the models say what is predicted, for each task: every mean of them by sources that are left out, and
what is left out of the choice too.

`few_labels`: each public table with 8, 20 and 50 labels: `gp` alone, `evidence` with MACs as its prior mean, and with
what was learned of all other sources beside, on the networks that have no label, paired over seeds.

`protocol`: the same as Han et al. (SDM 2023) report it: Spearman's rho on all cells of NAS-Bench-101's subset from 50
labels, and on those of NAS-Bench-201 that have no zero from 40.

`speed`: cells of NAS-Bench-201 as graphs.

`rank`: `python -m archatlas rank` of ten residual networks in a file, as a user types it, five times.

    ARCHATLAS_BENCHMARK_DATA=DIR kedro run --env transfer_predictor         # reads the networks, once
    ARCHATLAS_BENCHMARK_DATA=DIR python -m benchmarks.transfer matrix
    ARCHATLAS_BENCHMARK_DATA=DIR python -m benchmarks.transfer encoder --folds 5 --seeds 0
    ARCHATLAS_BENCHMARK_DATA=DIR python -m benchmarks.transfer few_labels --seeds 0 1 2 3 4 5 6 7 8 9
    ARCHATLAS_BENCHMARK_DATA=DIR python -m benchmarks.transfer protocol --seeds 0 1 2 3 4 5 6 7 8 9
    ARCHATLAS_BENCHMARK_DATA=DIR python -m benchmarks.transfer choose
    ARCHATLAS_BENCHMARK_DATA=DIR python -m benchmarks.transfer speed --cells 0
    python -m benchmarks.transfer rank
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import kendalltau, spearmanr

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.encodings.computation_graphs import computation_graphs
from archatlas.graphs.computation import ComputationGraph
from archatlas.graphs.graph_files import read_graphs
from archatlas.predictors.make import make_predictor
from archatlas.predictors.noise import reach_of_mean
from archatlas.predictors.protocol import Evaluations
from archatlas.spaces.tables.files import find_file
from archatlas.spaces.tables.nas_bench_201 import load as load_201
from archatlas.spaces.tables.parameters import TableParameters
from archatlas.spaces.tables.registry import load_table
from archatlas.transfer.encoder import GENNAPE, EncoderSettings, answers, fitted, pretrained
from archatlas.transfer.known import KnownNetworks
from archatlas.transfer.left_out import CONTROLS, by_family
from archatlas.transfer.models import NAMES, fit
from archatlas.transfer.parameters import TransferParameters
from archatlas.transfer.predictor import CIFAR, IMAGENET, SAID_BY, TASKS, judged, rows_of
from archatlas.transfer.sources import ON_IMAGENET, TIMM
from archatlas.transfer.tables import from_table, read_known

Floats = NDArray[np.float64]

KNOWN = Path("data/current/transfer_predictor/known_networks.parquet")


def known_networks() -> KnownNetworks:
    """Those that `kedro run --env transfer_predictor` has read, or the same read now."""
    if KNOWN.exists():
        return KnownNetworks.from_table(pd.read_parquet(KNOWN))
    return read_known(TransferParameters())


def tau(a: Floats, b: Floats) -> float:
    return float(kendalltau(a, b).statistic)


def rho(a: Floats, b: Floats) -> float:
    return float(spearmanr(a, b).statistic)


def matrix() -> None:
    known = known_networks()
    sources = list(dict.fromkeys(known.sources.tolist()))
    for target in [name for name in sources if name != TIMM]:
        asked = known[known.sources == target]
        print(f"\n{target}: {len(asked)} networks\n\n| fitted to | model | tau | rho |\n|---|---|--:|--:|")
        for name, feature in CONTROLS.items():
            report("-", name, asked.column(feature), asked.quantiles)
        others = [name for name in sources if name != target]
        for names in [[name] for name in others] + [others]:
            predicted = fit(known[np.isin(known.sources, names)]).predict(asked.features)
            label = " and ".join(names)
            for name, column in zip(NAMES, predicted.T, strict=True):
                report(label, name, column, asked.quantiles)
            report(label, "mean of the three", predicted.mean(axis=1), asked.quantiles)


def report(source: str, model: str, predicted: Floats, accuracy: Floats) -> None:
    rho = float(spearmanr(predicted, accuracy).statistic)
    print(f"| {source} | {model} | {tau(predicted, accuracy):.3f} | {rho:.3f} |", flush=True)


def encoder(folds: int, seeds: list[int], settings: EncoderSettings) -> None:
    known = known_networks()
    known = known[known.sources == TIMM]
    graphs = graphs_of(known)
    begun = time.process_time()
    predicted = {name: np.zeros(len(known)) for name in ("features", "untrained", "scratch", "contrast")}
    for seed in seeds:
        unlabelled = pretrained(graphs, known.families.tolist(), settings, seed)
        untrained = fitted(None, graphs[:1], known.quantiles[:1], replace(settings, fitting_epochs=0), seed)
        print(f"seed {seed}: trained by contrast after {time.process_time() - begun:.0f} s of one core", flush=True)
        everything = np.ones(len(known), dtype=bool)
        for learned, left in by_family(known, everything, everything, folds):
            part, asked = [graphs[row] for row in learned], [graphs[row] for row in left]
            targets = known.quantiles[learned]
            for name, start in (("scratch", None), ("contrast", unlabelled)):
                predicted[name][left] += answers(fitted(start, part, targets, settings, seed), asked)[0]
            predicted["untrained"][left] += by_ridge(untrained, part, targets, asked)
            if seed == seeds[0]:
                predicted["features"][left] = fit(known[learned]).predict(known.features[left]).mean(axis=1)
            print(f"  fold of {len(left)} after {time.process_time() - begun:.0f} s", flush=True)
    print("\n| predictor | tau |\n|---|--:|")
    for name, column in predicted.items():
        print(f"| {name} | {tau(column, known.quantiles):.3f} |")
    for name, feature in CONTROLS.items():
        print(f"| {name} | {tau(known.column(feature), known.quantiles):.3f} |")


def choose() -> None:
    known = known_networks()
    means = [names for count in (1, 2, 3) for names in combinations(NAMES, count)]
    for task in TASKS:
        rows = judged(task, known)
        by_source = dict(iter(rows[rows["left_out"] == "family"].groupby("source", sort=False)))
        table = pd.DataFrame(
            {
                source: {
                    **{" + ".join(names): tau(part[list(names)].mean(axis=1), part["actual"]) for names in means},
                    **{name: tau(part[name], part["actual"]) for name in CONTROLS},
                }
                for source, part in by_source.items()
            }
        )
        print(f"\n{task}\n\n| | {' | '.join(table)} |\n|---|{'--:|' * table.shape[1]}")
        for label, figures in table.iterrows():
            print(f"| {label} | {' | '.join(f'{figure:.3f}' for figure in figures)} |")
        choices = table.drop(index=list(CONTROLS))
        best = {source: str(choices.drop(columns=source).mean(axis=1).idxmax()) for source in choices}
        figures = " | ".join(f"{choices.loc[label, source]:.3f} ({label})" for source, label in best.items())
        print(f"| *chosen by the others* | {figures} |", flush=True)


LABELS = (8, 20, 50)


PRIORS: dict[str, dict[str, float]] = {
    "with MACs": {"macs": 1.0},
    "and what was learned": {"macs": 1.0, "transfer": 1.0},
}
"""Prior means of `evidence` beside which `gp` has none."""


def few_labels(seeds: list[int]) -> None:
    known = known_networks()
    print(f"| target | labels | gp alone | {' | '.join(f'{name} | gain' for name in PRIORS)} | learned alone |")
    print(f"|---|--:|--:|{'--:|--:|' * len(PRIORS)}--:|")
    for target, asked, learned in targets(known):
        batches = _batches(target, asked, learned)
        for count in LABELS:
            found = pd.DataFrame([_with_labels(batches, asked.quantiles, count, seed) for seed in seeds])
            cells = [f"{found['gp'].mean():.3f}"]
            for before, name in pairwise(["gp", *PRIORS]):
                gain = (found[name] - found[before]).to_numpy()
                cells += [f"{found[name].mean():.3f}", f"{gain.mean():+.3f} ± {reach_of_mean(gain):.3f}"]
            print(f"| {target} | {count} | {' | '.join(cells)} | {tau(learned, asked.quantiles):.3f} |", flush=True)


def protocol(seeds: list[int]) -> None:
    known = known_networks()
    print(
        "| target | networks | labels | gp alone | with MACs | with what was learned | gain over gp | learned alone |"
    )
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    for target, without, count in (("nas_bench_101", None, 50), ("nas_bench_201", "none", 40)):
        asked = from_table(TableParameters(name=target), 0)
        asked = asked[np.array([without is None or without not in name for name in asked.names])]
        others = known[rows_of(CIFAR, known) & (known.sources != target)]
        learned = fit(others, SAID_BY[CIFAR]).predict(asked.features).mean(axis=1)
        batches = _batches(target, asked, learned)
        found = pd.DataFrame([_with_labels(batches, asked.quantiles, count, seed, rho) for seed in seeds])
        gain = (found.iloc[:, -1] - found["gp"]).to_numpy()
        cells = [f"{mean:.3f}" for mean in found.mean()] + [f"{gain.mean():+.3f} ± {reach_of_mean(gain):.3f}"]
        alone = rho(learned, asked.quantiles)
        print(f"| {target} | {len(asked):,} | {count} | {' | '.join(cells)} | {alone:.3f} |", flush=True)


def _batches(target: str, asked: KnownNetworks, learned: Floats) -> dict[str, ArchitectureBatch]:
    """The networks with each of the opinions that ``PRIORS`` name beside them."""
    space = load_table(TableParameters(name=target)).space
    choices = space.parse(np.array(asked.names))
    opinions = pd.DataFrame({"transfer": learned, "macs": asked.column(CONTROLS["macs"])})
    return {name: ArchitectureBatch(space, choices, proxies=opinions[list(prior)]) for name, prior in PRIORS.items()}


def _with_labels(
    batches: Mapping[str, ArchitectureBatch],
    quantiles: Floats,
    count: int,
    seed: int,
    agreement: Callable[[Floats, Floats], float] = tau,
) -> dict[str, float]:
    """Agreement with the networks that have no label, by what was known beside the labels."""
    labelled = np.zeros(len(quantiles), dtype=bool)
    labelled[np.random.default_rng(seed).choice(len(quantiles), count, replace=False)] = True
    gp, batch = make_predictor("gp", {}, seed), next(iter(batches.values()))
    gp.fit(batch[labelled], evaluations_of(quantiles[labelled]))
    found = {"gp": agreement(gp.predict(batch[~labelled]).mean, quantiles[~labelled])}
    for name, prior in PRIORS.items():
        evidence = make_predictor("evidence", {"prior": prior}, seed)
        evidence.fit(batches[name], evaluations_of(np.where(labelled, quantiles, np.nan)))
        found[name] = agreement(evidence.predict(batches[name][~labelled]).mean, quantiles[~labelled])
    return found


def targets(known: KnownNetworks) -> Iterator[tuple[str, KnownNetworks, Floats]]:
    """Each space, its networks, and what is predicted of them without it, by the models of its task."""
    for name in dict.fromkeys(known.sources[known.sources != TIMM].tolist()):
        task = IMAGENET if name in ON_IMAGENET else CIFAR
        asked, others = known[known.sources == name], known[rows_of(task, known) & (known.sources != name)]
        yield name, asked, fit(others, SAID_BY[task]).predict(asked.features).mean(axis=1)


def evaluations_of(score: Floats) -> Evaluations:
    return Evaluations(score, np.zeros(len(score)), np.full(len(score), "table"))


def by_ridge(untrained: object, part: list[ComputationGraph], targets: Floats, asked: list[ComputationGraph]) -> Floats:
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    learned, unknown = answers(untrained, part)[1], answers(untrained, asked)[1]
    model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-2, 4, 13))).fit(learned, targets)
    return np.asarray(model.predict(unknown))


def graphs_of(known: KnownNetworks) -> list[ComputationGraph]:
    """The graphs of timm's networks, in the order of ``known``."""
    file = find_file(None, [TIMM], "timm") / "timm_in1k_graphs.jsonl.gz"
    by_name = dict(read_graphs(file))
    return [by_name[name] for name in known.names]


def speed(cells: int) -> None:
    table = load_201()
    chosen = np.random.default_rng(0).permutation(len(table.choices))[: cells or None]
    begun = time.process_time(), time.perf_counter()
    graphs, index = computation_graphs(table.space, table.choices[chosen])
    spent = time.process_time() - begun[0], time.perf_counter() - begun[1]
    print(f"{len(index):,} cells, {len(graphs):,} graphs: {spent[0]:.1f} s of one core, {spent[1]:.1f} s of the clock")


TEN_NETWORKS = """
import torch
from archatlas.networks.cells import ResidualReduction

def network(width, blocks):
    layers = [torch.nn.Conv2d(3, width, 3, padding=1), torch.nn.BatchNorm2d(width), torch.nn.ReLU()]
    for stage in range(3):
        out = width * 2**stage
        if stage:
            layers.append(ResidualReduction(out // 2, out, 2))
        for _ in range(blocks):
            layers += [torch.nn.Conv2d(out, out, 3, padding=1), torch.nn.BatchNorm2d(out), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(out, 10))

for number in range(10):
    globals()[f"net{number}"] = lambda number=number: network(8 + 4 * number, 1 + number % 3)
"""


def rank_ten() -> None:
    with TemporaryDirectory() as folder:
        (Path(folder) / "ten.py").write_text(TEN_NETWORKS)
        networks = [f"ten.py:net{number}" for number in range(10)]
        command = [sys.executable, "-m", "archatlas", "rank", *networks, "--input", "3x32x32"]
        for _ in range(5):
            begun = time.perf_counter()
            subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
            print(f"{time.perf_counter() - begun:.2f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["matrix", "encoder", "choose", "few_labels", "protocol", "speed", "rank"])
    parser.add_argument("--cells", type=int, default=1000, help="of `speed`, drawn uniformly; 0: all")
    parser.add_argument(
        "--folds", type=int, default=5, help="of `encoder`: groups of families that are left out in turn"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="of `encoder`, `few_labels`, `protocol`")
    parser.add_argument("--learning-rate", type=float, default=1e-4, help="of `encoder`; as released: 1e-4")
    parser.add_argument("--contrast", choices=["sdm", "gennape"], default="sdm", help="of `encoder`")
    parser.add_argument("--fitting-loss", choices=["squared", "pairwise"], default="squared", help="of `encoder`")
    options = parser.parse_args()
    settings = replace(
        GENNAPE if options.contrast == "gennape" else EncoderSettings(),
        learning_rate=options.learning_rate,
        fitting_loss=options.fitting_loss,
    )
    {
        "matrix": matrix,
        "encoder": lambda: encoder(options.folds, options.seeds, settings),
        "few_labels": lambda: few_labels(options.seeds),
        "protocol": lambda: protocol(options.seeds),
        "choose": choose,
        "speed": lambda: speed(options.cells),
        "rank": rank_ten,
    }[options.what]()


if __name__ == "__main__":
    main()
