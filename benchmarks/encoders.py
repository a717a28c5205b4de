"""Does a learned encoder of graphs rank networks better than what it learned from, and what else there is?

On public tables: some networks are drawn and labelled, and all others are ranked by what a model says of them. One
Gaussian process (`predictors/families/graph_kernel.py`) reads each encoding in turn, so that only the encoding differs;
then the families that the project has. Isomorphic cells are one network, which is on one side of each split. Kendall's
tau-b with test accuracy, mean of the draws, and differences to raw Weisfeiler-Lehman features draw by draw, with their
95% interval (t). Encoders learn from graphs of the whole space, without labels.

Before that, how far cosines of an encoder's vectors follow the kernel on graphs that it has not seen: Pearson's
correlation over pairs, and that of the best linear map of the same length (kernel principal components of the same
graphs).

    python -m benchmarks.encoders                                  # both tables, ten draws; goes on where it stopped
    python -m benchmarks.encoders --tables nas_bench_101 --draws 3 --labels 50 200
    python -m benchmarks.encoders --tables transnas_bench_101_micro     # where settings were chosen
    python -m benchmarks.encoders --seconds                        # features and scores of 10,000 large graphs

Tables lie where ARCHATLAS_BENCHMARK_DATA says; what is done is kept under data/work.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from benchmarks.kept import work_of
from numpy.typing import NDArray
from scipy.sparse.linalg import svds

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.encodings.blocks import Blocks
from archatlas.encodings.flat_graphs import FlatGraphs
from archatlas.encodings.wl_features import WLFeatures, joined, wl_kernel
from archatlas.graphs.architecture_graphs import ArchitectureGraphs
from archatlas.predictors.benchmark.data import BenchmarkData
from archatlas.predictors.families.graph_kernel import Encoding, GraphKernelPredictor, GraphKernelSettings
from archatlas.predictors.families.nasgem import EncoderEncoding, NasgemPredictor, NasgemSettings, trained_encoder
from archatlas.predictors.make import make_predictor
from archatlas.predictors.metrics import kendall_tau
from archatlas.predictors.noise import reach_of_mean
from archatlas.predictors.protocol import Predictor, State
from archatlas.spaces.tables.parameters import TableParameters
from archatlas.spaces.tables.registry import load_table
from archatlas.storage.work_store import WorkStore, fingerprint

Floats = NDArray[np.float64]

TABLES = {"nas_bench_101": "test", "nas_bench_201": "test", "transnas_bench_101_micro": "validation"}
"""Tables, and the accuracy that is learned and judged."""
RAW = "raw WL"
_SEEN = {"nas_bench_101": 10_000, "nas_bench_201": 3_400, "transnas_bench_101_micro": 1_000}
"""Graphs that encoders of the first table learn from; of the small spaces so many that as many are left unseen."""
_UNSEEN = 2_000
_ENCODERS = 2
"""Seeds of encoders, which the draws take in turn."""


class FlatEncoding:
    """Adjacency and operations as they are written, as two blocks."""

    def __init__(self, flat: FlatGraphs) -> None:
        self._flat = flat

    def blocks(self, batch: ArchitectureBatch) -> Blocks:
        columns, edges = self._flat.matrix(batch.graphs).astype(np.float64), len(self._flat.edges)
        return Blocks.of([columns[:, :edges], columns[:, edges:]])

    def state(self) -> State:
        return self._flat.state()


class FlatPredictor(GraphKernelPredictor):
    """The common Gaussian process on adjacency and operations."""

    def encodings(self, batch: ArchitectureBatch) -> Mapping[str, Encoding]:
        return {"flat": FlatEncoding(FlatGraphs.find(batch.graphs))}

    def encoding_from_state(self, name: str, state: State) -> Encoding:
        return FlatEncoding(FlatGraphs.from_state(state))


def contenders() -> dict[str, Callable[[int], Predictor]]:
    """Predictors by the name in the table, made with a seed."""

    def family(name: str, **settings: object) -> Callable[[int], Predictor]:
        return lambda seed: make_predictor(name, settings, seed)

    return {
        "adjacency and operations": lambda seed: FlatPredictor(GraphKernelSettings(), seed),
        "operator counts": family("wl", rounds=0),
        "autoencoder": family("nasgem", pairs="none", refused=False),
        "encoder, kernel shuffled": family("nasgem", pairs="shuffled", refused=False),
        "encoder (NASGEM)": family("nasgem", refused=False),
        "encoder, refused where raw WL foretells more": family("nasgem"),
        RAW: family("wl"),
        "raw WL, products": family("wl", kernel="dot"),
        "`gp`": family("gp"),
        "`stack`": family("stack"),
    }


def ranked(data: BenchmarkData, batch: ArchitectureBatch, name: str, labels: int, draw: int) -> dict[str, object]:
    """Tau of one fit, and which encoding it took where it could choose."""
    sets = data.sets(labels, draw)
    predictor = contenders()[name](draw % _ENCODERS)
    predictor.fit(batch[sets.learned], data.evaluations(sets.learned))
    tau = kendall_tau(data.truth[sets.judged], predictor.predict(batch[sets.judged]).mean)
    return {"tau": tau, "chosen": predictor.chosen if isinstance(predictor, NasgemPredictor) else ""}


def measured(table: str, names: Sequence[str], labels: Sequence[int], draws: int, work: WorkStore) -> pd.DataFrame:
    """Rows contender, labels, draw, tau, chosen."""
    accuracy = TABLES[table]
    data = BenchmarkData.of(load_table(TableParameters.model_validate({"name": table})), accuracy, accuracy, "networks")
    batch, content = data.batch(np.arange(len(data))), fingerprint(data.content)
    _ = batch.graphs
    _ = batch.costs
    rows = []
    for name in names:
        for draw in sorted(range(draws), key=lambda number: (number % _ENCODERS, number)):
            for count in labels:
                task, key = work.task(f"{table}-{count}", name, content), f"{draw}"
                found = task.load_json(key)
                if found is None:
                    found = ranked(data, batch, name, count, draw)
                    task.save_json(key, found)
                rows.append({"contender": name, "labels": count, "draw": draw, **found})
        print(f"  {name}: done", flush=True)
    return pd.DataFrame(rows)


def lines(found: pd.DataFrame) -> Iterator[str]:
    """A table of means, and of differences to raw features."""
    labels = sorted(found["labels"].unique())
    taus = found.set_index(["contender", "labels", "draw"])["tau"].sort_index()
    yield f"| labels | {' | '.join(map(str, labels))} |\n|---|{'--:|' * len(labels)}"
    for name in found["contender"].unique():
        yield f"| {name} | {' | '.join(f'{taus[name, count].mean():.3f}' for count in labels)} |"
    for name in found["contender"].unique():
        if name != RAW and RAW in found["contender"].unique():
            cells = [_difference((taus[name, count] - taus[RAW, count]).dropna()) for count in labels]
            yield f"| *{name}* less *{RAW}* | {' | '.join(cells)} |"
    refusing = (
        found[found["chosen"] != ""].groupby(["contender", "labels"])["chosen"].apply(lambda one: (one == "wl").sum())
    )
    for name in refusing.index.get_level_values(0).unique():
        if refusing[name].any():
            cells = [str(refusing[name, count]) for count in labels]
            yield f"| {name}: refused, of {found['draw'].nunique()} | {' | '.join(cells)} |"


def _difference(lead: pd.Series) -> str:
    if len(lead) < 2:
        return f"{lead.mean():+.3f}"
    return f"{lead.mean():+.3f} ± {reach_of_mean(lead):.3f}"


def cosines(table: str, seed: int = 0) -> dict[str, float]:
    """Correlations with the kernel on unseen graphs: encoder, one whose kernel is shuffled, the best linear map."""
    space = load_table(TableParameters.model_validate({"name": table})).space
    settings = NasgemSettings(graphs=_SEEN[table])
    seen = space.sample(settings.graphs, np.random.default_rng(seed))
    others = space.sample(min(len(seen) + _UNSEEN, space.networks), np.random.default_rng(seed + 1))  # type: ignore[attr-defined]
    known = {row.tobytes() for row in seen}
    unseen = space.graphs(others[[row.tobytes() not in known for row in others]][:_UNSEEN], canonical=True)
    blocks = WLFeatures.find_in(unseen, settings.rounds)[1]
    kernel, pairs = wl_kernel(blocks, blocks), np.triu_indices(len(unseen), 1)

    def agreement(vectors: NDArray[np.floating]) -> float:
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return float(np.corrcoef((unit @ unit.T)[pairs], kernel[pairs])[0, 1])

    shuffled = settings.model_copy(update={"pairs": "shuffled"})
    return {
        "encoder": agreement(trained_encoder(space, settings, seed).vectors(unseen)),
        "kernel shuffled": agreement(trained_encoder(space, shuffled, seed).vectors(unseen)),
        "linear": agreement(_linear(space.graphs(seen, canonical=True), unseen, settings)),
    }


def _linear(seen: ArchitectureGraphs, unseen: ArchitectureGraphs, settings: NasgemSettings) -> Floats:
    """Kernel principal components of the unseen graphs, of those that were seen.

    They are the products with the first singular directions of the features, of which the kernel is the product.
    """
    features, blocks = WLFeatures.find_in(seen, settings.rounds)
    _, _, directions = svds(joined(blocks), k=settings.dimensions, random_state=0)
    return np.asarray(joined(features.blocks(unseen)) @ directions.T, dtype=np.float64)


def seconds(vertices: Sequence[int] = (12, 30), count: int = 10_000) -> Iterator[str]:
    """Lines: seconds that features and vectors of large random graphs take, on one thread."""
    yield "| vertices | features | kernel with 300 | vectors |\n|--:|--:|--:|--:|"
    for number in vertices:
        graphs = random_graphs(number, count)
        took = []
        for work in (
            lambda: WLFeatures.find(graphs, 3).blocks(graphs),  # noqa: B023
            lambda: _kernel_with(graphs, 300),  # noqa: B023
            lambda: _untrained(graphs).vectors(graphs),  # noqa: B023
        ):
            began = time.process_time()
            work()
            took.append(time.process_time() - began)
        yield f"| {number} | {' | '.join(f'{one:.2f} s' for one in took)} |"


def random_graphs(vertices: int, count: int, kinds: int = 4) -> ArchitectureGraphs:
    """Random acyclic graphs with some three edges into each node."""
    generator = np.random.default_rng(0)
    adjacency = np.triu(generator.random((count, vertices, vertices)) < 3 / vertices, 1)
    features = np.eye(kinds, dtype=np.float32)[generator.integers(0, kinds, (count, vertices))]
    return ArchitectureGraphs(features, adjacency, np.ones((count, vertices), dtype=np.bool_))


def _kernel_with(graphs: ArchitectureGraphs, count: int) -> Floats:
    features = WLFeatures.find(graphs[:count], 3)
    return wl_kernel(features.blocks(graphs), features.blocks(graphs[:count]))


def _untrained(graphs: ArchitectureGraphs) -> EncoderEncoding:
    """An encoder of the usual size, with weights that nobody trained."""
    flat, settings, generator = FlatGraphs.find(graphs), NasgemSettings(), np.random.default_rng(0)
    inputs = len(flat.edges) + len(flat.features)
    shapes = {
        "first": (settings.width, inputs),
        "second": (settings.width,) * 2,
        "last": (settings.dimensions, settings.width),
    }
    state: State = {f"{name}.weight": generator.normal(size=shape) / shape[1] ** 0.5 for name, shape in shapes.items()}
    state |= {f"{name}.bias": np.zeros(shape[0]) for name, shape in shapes.items()}
    return EncoderEncoding(
        flat, state | {"norm.weight": np.ones(settings.width), "norm.bias": np.zeros(settings.width)}
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", nargs="+", default=["nas_bench_101", "nas_bench_201"], choices=list(TABLES))
    parser.add_argument(
        "--only", nargs="+", default=list(contenders()), choices=list(contenders()), metavar="CONTENDER"
    )
    parser.add_argument("--labels", nargs="+", type=int, default=[50, 100, 200, 500])
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--seconds", action="store_true", help="nothing but how long it takes")
    options = parser.parse_args(arguments)
    if options.seconds:
        print("\n".join(seconds()))
        return
    told_alone = (
        "lines",
        "_difference",
        "cosines",
        "_linear",
        "seconds",
        "random_graphs",
        "_kernel_with",
        "_untrained",
    )
    work = work_of(__file__, *told_alone, "main")
    for table in options.tables:
        print(f"\n{table}\n", flush=True)
        found = measured(table, options.only, options.labels, options.draws, work)
        told = ", ".join(f"{name} {value:.3f}" for name, value in cosines(table).items())
        print(f"\nCosine against kernel on unseen graphs: {told}\n")
        print("\n".join(lines(found)), flush=True)


if __name__ == "__main__":
    main()
