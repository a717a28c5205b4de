"""The segment-wise procedure against the global method, at equal numbers of evaluations, on NAS-Bench-Macro.

A super-network is stood for by the public table: the true accuracy of a network plus normal noise, one number per
network and seed, of `--noise` standard deviations of the accuracies (0.4 makes a Kendall tau of about .76 with the
truth, as a real super-network of this space has). Real scores have a bias that networks share; this one has none. With
`--experiment NAME` the scores are real instead: those of the super-networks of that run of `--env nas_bench_macro`, one
after the other for the seeds, and the predictor is the run's own.

Global: so many networks drawn uniformly are evaluated, a predictor is fitted, all 3,969 networks are predicted, and the
best within a bound on MACs is the answer. Segment-wise: a third of the evaluations for each of the three stages, as the
pipeline `segments` does it, and with parts of it replaced by what stands in the outline that is published. A segment
that has fewer sub-architectures than a third of the evaluations takes fewer, so each way is compared with a global
search of as many evaluations as it took.

Printed are, over seeds, the true accuracy of the answer (%) and its true rank among the networks within the bound (1 is
the best); `found` says in how many seeds any network of the last segment keeps the bound.

    ARCHATLAS_BENCHMARK_DATA=DIR python -m benchmarks.segments           # minutes
    ARCHATLAS_BENCHMARK_DATA=DIR python -m benchmarks.segments --quick   # seconds: a check that it works
    ARCHATLAS_BENCHMARK_DATA=DIR python -m benchmarks.segments --experiment nas_bench_macro --seeds 6
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archatlas.costs.counting import count_parts
from archatlas.costs.table import costs_of
from archatlas.encodings.batch import ArchitectureBatch
from archatlas.predictors.make import make_predictor
from archatlas.predictors.protocol import Evaluations, Predictor
from archatlas.search.segments.parameters import SEGMENTS, SegmentsParameters
from archatlas.search.segments.procedure import search_segments
from archatlas.spaces.protocol import Choices
from archatlas.spaces.tables.known import known_networks
from archatlas.spaces.tables.parameters import TableParameters
from archatlas.verification.truth.scores import supernet_columns

Floats = NDArray[np.float64]
Evaluator = Callable[[Choices], Evaluations]

CURRENT = Path(__file__).parent.parent / "data" / "current"
WAYS: dict[str, dict[str, Any]] = {
    "as the pipeline": {},
    "20 survivors": {"survivors": 20},
    "without earlier evaluations": {"pool": False},
    "highest survivors alone": {"spread_over": None},
    "one rest": {"rest": "fixed"},
    "one rest, highest alone, none earlier": {"rest": "fixed", "spread_over": None, "pool": False},
}
"""What differs from the pipeline's defaults; the last is the published outline."""

PREDICTORS: dict[str, tuple[str, dict[str, Any]]] = {
    "ridge": ("ridge", {"features": "kinds"}),
    "gcn": ("gcn", {}),
    "gp": ("gp", {}),
}


@dataclass(frozen=True)
class Truth:
    """All networks of the table: canonical choices ``[n, 8]``, their true accuracy ``[n]`` (0 to 1), and their MACs."""

    space: Any
    choices: Choices
    accuracy: Floats
    macs: NDArray[np.int64]
    parts: pd.DataFrame

    @classmethod
    def load(cls, path: str | None) -> Truth:
        known = known_networks(TableParameters(name="nas_bench_macro", path=path, label="test"))
        space = known.table.space
        parts = count_parts(space)
        macs = costs_of(space, known.choices, parts)["macs"].to_numpy()
        return cls(space, known.choices, known.rows["test_accuracy"].to_numpy(np.float64), macs, parts)

    def noisy(self, noise: float, seed: int) -> Evaluator:
        """The evaluator of one seed."""
        deviation = noise * self.accuracy.std()
        score = self.accuracy + deviation * np.random.default_rng([seed, 1]).normal(size=len(self.accuracy))
        return self._told(score, deviation)

    def scored(self, scores: pd.DataFrame, seed: int) -> Evaluator:
        """An evaluator that tells one super-network's scores: those of a column of ``scores``, index: network."""
        score = scores.loc[self.space.names(self.choices)].iloc[:, seed % scores.shape[1]].to_numpy(np.float64)
        return self._told(score, 0.0)

    def _told(self, score: Floats, deviation: float) -> Evaluator:
        place = {row.tobytes(): number for number, row in enumerate(self.choices)}

        def evaluate(rows: Choices) -> Evaluations:
            found = score[[place[row.tobytes()] for row in rows]]
            return Evaluations(found, np.full(len(rows), deviation), np.full(len(rows), "table"))

        return evaluate

    def judged(
        self, networks: NDArray[np.str_], macs: NDArray[Any], score: Floats, limit: float
    ) -> tuple[float, float]:
        """True accuracy (%) and rank of the best-scored network within the limit; NaN where there is none."""
        within = np.flatnonzero(macs <= limit)
        if not len(within):
            return np.nan, np.nan
        best = networks[within[np.argmax(score[within])]]
        row = self.space.parse([best])[0]
        accuracy = self.accuracy[(self.choices == row).all(axis=1)][0]
        return 100 * accuracy, 1 + int((self.accuracy[self.macs <= limit] > accuracy).sum())


def searched_globally(truth: Truth, evaluate: Evaluator, predictor: Predictor, count: int, seed: int) -> Floats:
    """The predicted score of every network, after ``count`` evaluations of networks drawn uniformly."""
    rows = truth.choices[np.random.default_rng([seed, 2]).permutation(len(truth.choices))[:count]]
    predictor.fit(ArchitectureBatch(truth.space, rows, cost_table=truth.parts), evaluate(rows))
    return predictor.predict(ArchitectureBatch(truth.space, truth.choices, cost_table=truth.parts)).mean


def compared(
    truth: Truth,
    evaluate: Evaluator,
    contender: tuple[str, dict[str, Any]],
    evaluations: int,
    way: str,
    limits: dict[str, float],
    seed: int,
) -> list[dict[str, Any]]:
    """A row per bound: what the segments found, and what the global method finds with as many evaluations."""
    used = 0

    def counted(rows: Choices) -> Evaluations:
        nonlocal used
        used += len(rows)
        return evaluate(rows)

    def predictor(number: int) -> Predictor:
        return make_predictor(*contender, seed)

    parameters = SegmentsParameters(samples_per_segment=evaluations // SEGMENTS, **WAYS[way])
    table = search_segments(
        truth.space, counted, predictor, parameters, segments=SEGMENTS, cost_table=truth.parts, seed=seed
    )
    whole = searched_globally(truth, evaluate, predictor(0), used, seed)
    names = truth.space.names(truth.choices)
    rows = []
    for budget, limit in limits.items():
        found = truth.judged(
            table["network"].to_numpy(np.str_), table["macs"].to_numpy(), table["predicted_score"].to_numpy(), limit
        )
        beside = truth.judged(names, truth.macs, whole, limit)
        rows.append(
            {
                "predictor": contender[0],
                "way": way,
                "asked": evaluations,
                "used": used,
                "seed": seed,
                "budget": budget,
                "accuracy": found[0],
                "rank": found[1],
                "global_accuracy": beside[0],
                "global_rank": beside[1],
                "best": 100 * float(truth.accuracy[truth.macs <= limit].max()),
            }
        )
    return rows


def of_run(folder: Path) -> tuple[tuple[str, dict[str, Any]], pd.DataFrame]:
    """The tuned predictor of a run, and its super-networks' scores of every network: a column each."""
    described = json.loads((folder / "tuned_predictor.json").read_text())
    columns = supernet_columns(pd.read_parquet(folder / "space_evaluations.parquet"))
    scores = columns[[name for name in columns if str(name).startswith(f"supernet_{described['target']}/")]]
    return (described["family"], described["settings"]), scores


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds; the difference segment-wise less global with its standard error over seeds (paired)."""
    rows = rows.assign(difference=rows["accuracy"] - rows["global_accuracy"])
    groups = rows.groupby(["predictor", "asked", "way", "budget"], sort=False)
    found = groups["accuracy"].count().astype(str) + " of " + groups.size().astype(str)
    return pd.DataFrame(
        {
            "evaluations": groups["used"].mean().round().astype(int),
            "found": found,
            "accuracy": groups["accuracy"].mean().round(2),
            "rank": groups["rank"].median(),
            "global accuracy": groups["global_accuracy"].mean().round(2),
            "global rank": groups["global_rank"].median(),
            "difference": groups["difference"].mean().round(3),
            "its standard error": groups["difference"].sem().round(3),
            "best possible": groups["best"].first().round(2),
        }
    ).reset_index()


def markdown(table: pd.DataFrame) -> str:
    """The table as Markdown."""
    head = ["| " + " | ".join(table.columns) + " |", "|" + "---|" * len(table.columns)]
    return "\n".join([*head, *("| " + " | ".join(map(str, row)) + " |" for row in table.to_numpy())])


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parse(arguments)
    truth, started = Truth.load(options.path), time.perf_counter()
    least, most = float(truth.macs.min()), float(truth.macs.max())
    limits = {f"{100 * part:g}%": (1 - part) * least + part * most for part in options.budgets}
    contenders = [PREDICTORS[family] for family in options.predictors]
    scores = None
    if options.experiment:
        contender, scores = of_run(CURRENT / options.experiment)
        contenders = [contender]
    rows: list[dict[str, Any]] = []
    for contender in contenders:
        for evaluations in options.evaluations:
            for way in options.ways:
                for seed in range(options.seeds):
                    evaluate = truth.noisy(options.noise, seed) if scores is None else truth.scored(scores, seed)
                    rows += compared(truth, evaluate, contender, evaluations, way, limits, seed)
    if options.json:
        Path(options.json).write_text(json.dumps(rows, indent=2))
    print(markdown(summary(pd.DataFrame(rows))))
    print(f"\nBudgets are parts of the way from the least to the largest MACs. {time.perf_counter() - started:.0f} s")


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--path", help="the table's file or folder; default: ARCHATLAS_BENCHMARK_DATA")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--evaluations", type=int, nargs="+", default=[150, 1000], help="of networks, in all")
    parser.add_argument("--predictors", nargs="+", default=["ridge"], choices=list(PREDICTORS))
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--budgets", type=float, nargs="+", default=[0.15, 0.3, 0.5, 1.0], help="parts of the MACs")
    parser.add_argument("--experiment", help="a run whose super-networks' scores and predictor are taken")
    parser.add_argument("--noise", type=float, default=0.4, help="standard deviations of the true accuracies")
    parser.add_argument("--json", help="write a row per seed and budget to this file as well")
    parser.add_argument("--quick", action="store_true", help="two seeds, few evaluations: a check that it works")
    options = parser.parse_args(arguments)
    if options.quick:
        options.seeds, options.evaluations, options.predictors = 2, [150], ["ridge"]
    return options


if __name__ == "__main__":
    main()
