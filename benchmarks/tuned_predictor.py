"""Is the predictor that tuning picks by itself as good as the best one of each space?

On public tables: some labels are drawn, the study of `tune_predictor` sees its part of them and picks a family with its
settings, and what it picked is fitted to all of them and judged by the whole table, as in `--env predictor_benchmark`.
So is every family with its defaults. The table names the family that is best on average over the seeds, which no user
can know, and the difference to it, paired over the seeds, with its standard error.

    python -m benchmarks.tuned_predictor                      # an hour; tables in ARCHATLAS_BENCHMARK_DATA
    python -m benchmarks.tuned_predictor --spaces nas_bench_201 --seeds 2 --trials 8
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archatlas.predictors.benchmark.data import BenchmarkData
from archatlas.predictors.make import make_predictor
from archatlas.predictors.metrics import kendall_tau
from archatlas.predictors.parameters import PredictorParameters, TuningParameters
from archatlas.predictors.scores import NetworkScores
from archatlas.predictors.tuning.space import contender_of, defaults
from archatlas.predictors.tuning.study import choose, outer_rows, run_study
from archatlas.spaces.tables.parameters import TableParameters
from archatlas.spaces.tables.registry import load_table
from archatlas.storage.work_store import WorkStore

FAMILIES = ("gp", "stack", "flow", "gcn", "ridge", "lightgbm")
"""What the pick is compared with."""
PREDICTOR = PredictorParameters(name="stack")
STUDY = TuningParameters(families=("stack", "gp", "gcn", "ridge", "lightgbm"), inner_folds=6)
"""As the environments of tables have them, ``conf/nas_bench_201/parameters.yml`` for one."""
SPACES: dict[str, tuple[str, str, Any, int]] = {
    "nas_bench_201": ("test", "test", "rows", 156),
    "nas_bench_101": ("test", "test", "networks", 172),
    "nas_bench_macro": ("test", "test", "networks", 65),
    "transnas_bench_101_micro": ("validation", "validation", "rows", 100),
    "once_for_all_mobilenet_v3": ("validation", "validation", "runs", 100),
    "accel_nasbench": ("validation", "validation", "networks", 100),
}
"""Accuracy that is learned, accuracy that is judged, split, labels."""


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parse(arguments)
    print("| space | labels | picked | tau of the pick | best family | its tau | difference |")
    print("|---|--:|---|--:|---|--:|--:|")
    for name in options.spaces:
        learned, judged, split, labels = SPACES[name]
        data = BenchmarkData.of(load_table(TableParameters.model_validate({"name": name})), learned, judged, split)
        rows = [_of_seed(data, labels, options.trials, seed) for seed in range(options.seeds)]
        print(_line(name, labels, rows), flush=True)


def _of_seed(data: BenchmarkData, labels: int, trials: int, seed: int) -> dict[str, Any]:
    """What was picked, its tau, and the tau of every family with its defaults."""
    sets = data.sets(labels, seed)
    tuning = STUDY.model_copy(update={"trials": trials})
    distinct = sets.learned[np.unique(data.networks[sets.learned], return_index=True)[1]]
    evaluations = data.evaluations(distinct)
    scores = NetworkScores(
        (0,), ("all",), evaluations.score[:, None, None], evaluations.noise[:, None], evaluations.source
    )
    with TemporaryDirectory() as folder:
        seen = ~outer_rows(len(distinct), tuning, seed)
        study = run_study(data.batch(distinct[seen]), scores[seen], PREDICTOR, tuning, seed, WorkStore(Path(folder)))
    picked = contender_of(choose(study, PREDICTOR.name, tuning.inner_folds).params, PREDICTOR)
    known = {name: contender_of(asked, PREDICTOR) for name, asked in defaults(PREDICTOR, FAMILIES).items()}

    def tau(family: str, settings: Any) -> float:
        fitted = make_predictor(family, settings, seed)
        fitted.fit(data.batch(sets.learned), data.evaluations(sets.learned))
        return kendall_tau(data.truth[sets.judged], fitted.predict(data.batch(sets.judged)).mean)

    return {
        "picked": picked[0],
        "tau": tau(*picked),
        "families": {name: tau(*contender) for name, contender in known.items()},
    }


def _line(name: str, labels: int, rows: list[dict[str, Any]]) -> str:
    families = pd.DataFrame([row["families"] for row in rows])
    best = str(families.mean().idxmax())
    picks = Counter(row["picked"] for row in rows)
    taus = np.array([row["tau"] for row in rows])
    lead: NDArray[np.float64] = taus - families[best].to_numpy(np.float64)
    error = lead.std(ddof=1) / len(lead) ** 0.5 if len(lead) > 1 else float("nan")
    picked = ", ".join(f"{family} {count}" for family, count in picks.most_common())
    return (
        f"| {name} | {labels} | {picked} | {taus.mean():.3f} | {best} | {families[best].mean():.3f} | "
        f"{lead.mean():+.3f} ± {error:.3f} |"
    )


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spaces", nargs="+", default=list(SPACES), choices=list(SPACES))
    parser.add_argument("--seeds", type=int, default=5, help="repetitions, each with labels of its own")
    parser.add_argument("--trials", type=int, default=12, help="of a study; the first are the families' defaults")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
