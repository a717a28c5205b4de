"""What do opinions that need no label add to few labels, and do they ever take something away?

On public tables: some networks are drawn and labelled, every network's opinions are known (costs; the published scores
without training where the table has them), and all networks are ranked. Kendall's tau-b, and within the truly better
half in brackets, mean of ten draws; then differences of the same draws with their 95% interval (t). With no label
`evidence` ranks by its prior mean. The last row of a table gives it noise in the place of every opinion, for each
draw another.

    python -m benchmarks.evidence                        # half an hour on one core; tables in ARCHATLAS_BENCHMARK_DATA
    python -m benchmarks.evidence --tables transnas_bench_101_micro --seeds 3 --labels 10 30
    python -m benchmarks.evidence --choose               # which prior mean is best on each table: a minute
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archatlas.encodings.batch import ArchitectureBatch
from archatlas.encodings.opinions import OpinionScale, opinions_of
from archatlas.predictors.benchmark.data import BenchmarkData
from archatlas.predictors.make import make_predictor
from archatlas.predictors.metrics import kendall_tau, kendall_tau_top_half
from archatlas.predictors.noise import reach_of_mean
from archatlas.predictors.protocol import Evaluations
from archatlas.spaces.tables.parameters import TableParameters
from archatlas.spaces.tables.registry import load_table

Floats = NDArray[np.float64]

TABLES: dict[str, tuple[str, Any]] = {
    "transnas_bench_101_micro": ("validation", "rows"),
    "nas_bench_101": ("test", "networks"),
    "nas_bench_macro": ("test", "networks"),
    "nas_bench_201": ("test", "rows"),
}
"""The accuracy that is learned and judged, and the split. All was chosen on the first three; the last is reported."""
CANDIDATES = ("grad_norm", "jacov", "macs", "nwot", "params", "synflow")
"""Opinions that this library can make for any space."""
_NOISE = {"prior": {"noise": 1.0}}


@dataclass(frozen=True)
class Known:
    """A table, and what is known of all its networks without a label."""

    data: BenchmarkData

    @classmethod
    def of(cls, name: str) -> Known:
        """Of networks that have all published scores, if the table has scores at all."""
        accuracy, split = TABLES[name]
        table = load_table(TableParameters.model_validate({"name": name}))
        rows = table.rows.dropna(subset=list(table.proxies)).reset_index(drop=True)
        return cls(BenchmarkData.of(replace(table, rows=rows), accuracy, accuracy, split))

    @cached_property
    def batch(self) -> ArchitectureBatch:
        """All networks with their opinions, graphs and costs made."""
        batch = self.data.batch(np.arange(len(self.data)))
        proxies = pd.DataFrame(index=range(len(batch))) if batch.proxies is None else batch.proxies
        proxies = proxies.rename(columns=lambda name: name.removeprefix("proxy_"))
        proxies = proxies[[name for name in proxies if name in CANDIDATES]]
        _ = batch.costs, batch.graphs
        return batch.with_proxies(proxies)

    @cached_property
    def costs(self) -> pd.DataFrame:
        """Opinions that are costs."""
        return opinions_of(self.batch)[["params", "macs"]]

    def contenders(self, seed: int) -> dict[str, tuple[str, Mapping[str, Any], ArchitectureBatch]]:
        """Family, settings and what it is told, by the name in the table; each seed has noise of its own."""
        noise = pd.DataFrame({"noise": np.random.default_rng([2021, seed]).normal(size=len(self.batch))})
        told: dict[str, tuple[str, Mapping[str, Any], ArchitectureBatch]] = {"evidence": ("evidence", {}, self.batch)}
        if self.data.table.proxies:
            told["evidence, costs alone"] = ("evidence", {}, self.batch.with_proxies(self.costs))
        told["evidence, noise alone"] = ("evidence", _NOISE, self.batch.with_proxies(noise))
        return told | {"gp": ("gp", {}, self.batch), "ridge": ("ridge", {}, self.batch)}


def measured(known: Known, labels: Sequence[int], seeds: int) -> pd.DataFrame:
    """Rows contender, labels, seed, tau, top."""
    rows = []
    for seed in range(seeds):
        for name, (family, settings, batch) in known.contenders(seed).items():
            for count in labels:
                if not count and (family != "evidence" or seed):
                    continue
                rows.append({"contender": name, "labels": count, "seed": seed})
                rows[-1] |= _ranked(known.data, batch, family, settings, count, seed)
    for cost in known.costs:
        truth, values = known.data.truth, known.costs[cost].to_numpy(np.float64)
        rows.append({"contender": cost, "labels": 0, "seed": 0, **_taus(truth, values)})
    return pd.DataFrame(rows)


def _ranked(
    data: BenchmarkData, batch: ArchitectureBatch, family: str, settings: Mapping[str, Any], count: int, seed: int
) -> dict[str, float]:
    """Taus of one fit. `evidence` sees all networks, of which most have no label."""
    sets = data.sets(max(count, 1), seed)
    learned = sets.learned[:count]
    if family == "evidence":
        everything = data.evaluations(np.arange(len(data)))
        score = np.full(len(data), np.nan)
        score[learned] = everything.score[learned]
        fitted_to, evaluations = batch, Evaluations(score, everything.noise, everything.source)
    else:
        fitted_to, evaluations = batch[learned], data.evaluations(learned)
    predictor = make_predictor(family, settings, seed)
    predictor.fit(fitted_to, evaluations)
    return _taus(data.truth[sets.judged], predictor.predict(batch[sets.judged]).mean)


def _taus(truth: Floats, said: Floats) -> dict[str, float]:
    return {"tau": kendall_tau(truth, said), "top": kendall_tau_top_half(truth, said)}


def tables(found: pd.DataFrame) -> Iterator[str]:
    """Lines: means, and differences of `evidence` and of noise."""
    labels = sorted(found["labels"].unique())
    by_cell = found.set_index(["contender", "labels", "seed"]).sort_index()
    yield f"| labels | {' | '.join(map(str, labels))} |\n|---|{'--:|' * len(labels)}"
    for name in found["contender"].unique():
        cells = []
        for count in labels:
            here = found[(found["contender"] == name) & (found["labels"] == count)]
            cells.append(f"{here['tau'].mean():.3f} ({here['top'].mean():.3f})" if len(here) else "-")
        yield f"| {name} | {' | '.join(cells)} |"
    pairs = [("evidence", other) for other in ("gp", "evidence, costs alone")] + [("evidence, noise alone", "gp")]
    for one, other in pairs:
        if other in found["contender"].unique():
            cells = [_difference(by_cell, one, other, count) for count in labels]
            yield f"| *{one}* less *{other}* | {' | '.join(cells)} |"


def _difference(by_cell: pd.DataFrame, one: str, other: str, count: int) -> str:
    try:
        first, second = (by_cell.loc[(name, count)]["tau"] for name in (one, other))
    except KeyError:
        return "-"
    lead = (first - second).dropna()
    if len(lead) < 2:
        return f"{lead.mean():+.3f}"
    reach = reach_of_mean(lead)
    return f"{lead.mean():+.3f} ± {reach:.3f}"


def choose(names: Sequence[str]) -> Iterator[str]:
    """Lines: taus of all means of one to four candidate opinions, best by the tables but the last first."""
    found: dict[str, dict[str, float]] = {}
    for table in names:
        known = Known.of(table)
        opinions = opinions_of(known.batch)
        quantiles = pd.DataFrame((scale := OpinionScale.find(opinions)).quantiles(opinions), columns=list(scale.names))
        there = [name for name in CANDIDATES if name in quantiles]
        for size in range(1, 5):
            for some in combinations(CANDIDATES, size):
                of_these = [name for name in some if name in there]
                if of_these:
                    said = quantiles[of_these].mean(axis=1).to_numpy(np.float64)
                    found.setdefault(" + ".join(some), {})[table] = kendall_tau(known.data.truth, said)
    table_of = pd.DataFrame(found).T.dropna()
    others = [name for name in names if name != "nas_bench_201"]
    order = table_of[others].mean(axis=1).sort_values(ascending=False)
    yield f"| mean of | {' | '.join(names)} | mean but of nas_bench_201 |\n|---|{'--:|' * (len(names) + 1)}"
    for what in order.index[:12]:
        yield f"| {what} | {' | '.join(f'{table_of.loc[what, name]:.3f}' for name in names)} | {order[what]:.3f} |"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", nargs="+", default=list(TABLES), choices=list(TABLES))
    parser.add_argument("--labels", nargs="+", type=int, default=[0, 10, 20, 30, 50])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--choose", action="store_true", help="a prior mean, without any label")
    options = parser.parse_args(arguments)
    if options.choose:
        print("\n".join(choose(options.tables)))
        return
    for name in options.tables:
        print(f"\n{name}\n")
        print("\n".join(tables(measured(Known.of(name), options.labels, options.seeds))), flush=True)


if __name__ == "__main__":
    main()
