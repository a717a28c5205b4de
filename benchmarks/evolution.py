"""How near evolution comes to the enumerated winner, on the enumerable digits preset.

Objectives over all 65,310 networks: a synthetic score (random effects of the choices and of all pairs of them, plus
the logarithm of the MACs), and what a ridge and a GCN make of it when fitted to a noisy sample. Budgets are upper
bounds on MACs, as parts of the space's range. Every seed evolves anew with the default settings of `search.evolution`.

Regret is the enumerated winner's objective less the evolved one's, in standard deviations of the objective over the
networks of the budget. The target is a regret of at most 0.1 in 19 of 20 seeds.

    python -m benchmarks.evolution            # minutes
    python -m benchmarks.evolution --quick    # some seconds: a check that it works
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from archatlas.costs.constraints import Constraint
from archatlas.costs.counting import count_parts
from archatlas.costs.table import costs_of
from archatlas.encodings.batch import ArchitectureBatch
from archatlas.predictors.make import make_predictor
from archatlas.predictors.protocol import Evaluations
from archatlas.search.enumeration import SCORED_COLUMNS
from archatlas.search.evolution import evolve
from archatlas.search.parameters import EvolutionParameters
from archatlas.spaces.presets import preset
from archatlas.spaces.protocol import Choices

SPACE = preset("digits", (1, 8, 8), 10)
PARTS = count_parts(SPACE)
SMALL_REGRET = 0.1
Objective = Callable[[Choices], NDArray[np.float64]]


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parse(arguments)
    choices = SPACE.enumerate_networks(0, SPACE.networks)
    settings = (
        EvolutionParameters() if options.evaluations is None else EvolutionParameters(evaluations=options.evaluations)
    )
    objectives: dict[str, Objective] = {
        f"synthetic, interactions {share:g}": synthetic(share, options.seed) for share in options.interactions
    }
    last = synthetic(options.interactions[-1], options.seed)
    for family in options.predictors:
        objectives[f"{family} fitted to the last"] = fitted(family, last, choices, options.sample, options.seed)
    results = []
    for name, objective in objectives.items():
        scores = in_chunks(objective, choices)
        for part in options.budgets:
            results.append(
                {"objective": name, "budget": part, **regrets(scores, choices, part, settings, options.seeds)}
            )
            print(_row(results[-1]), flush=True)
    if options.json:
        Path(options.json).write_text(json.dumps(results, indent=2))
    print("\n" + markdown(results))


def synthetic(interactions: float, seed: int) -> Objective:
    """Effects of choices (standard normal), of pairs (``interactions`` times that) and 3 log MACs."""
    generator = np.random.default_rng(seed)
    sizes = SPACE.num_choices
    single = [generator.normal(size=size) for size in sizes]
    pairs = [
        (a, b, interactions * generator.normal(size=(sizes[a], sizes[b])))
        for a in range(len(sizes))
        for b in range(a + 1, len(sizes))
    ]

    def score(choices: Choices) -> NDArray[np.float64]:
        total = 3 * np.log(costs_of(SPACE, choices, PARTS)["macs"].to_numpy(dtype=np.float64))
        for position, effect in enumerate(single):
            total += effect[choices[:, position]]
        for a, b, table in pairs:
            total += table[choices[:, a], choices[:, b]]
        return total

    return score


def fitted(family: str, truth: Objective, choices: Choices, sample: int, seed: int) -> Objective:
    """The mean that a predictor of the family gives, fitted to ``sample`` scores with noise of half their spread."""
    generator = np.random.default_rng(seed + 1)
    rows = choices[generator.choice(len(choices), sample, replace=False)]
    score = truth(rows)
    noise = np.full(sample, score.std() / 2)
    predictor = make_predictor(family, None, seed)
    noisy = Evaluations(score + noise * generator.normal(size=sample), noise, np.full(sample, "supernet"))
    predictor.fit(ArchitectureBatch(SPACE, rows, cost_table=PARTS), noisy)
    return lambda asked: predictor.predict(ArchitectureBatch(SPACE, asked, cost_table=PARTS)).mean


def in_chunks(objective: Objective, choices: Choices, chunk: int = 8192) -> NDArray[np.float64]:
    """The objective of every row."""
    return np.concatenate([objective(choices[start : start + chunk]) for start in range(0, len(choices), chunk)])


def regrets(
    scores: NDArray[np.float64], choices: Choices, part: float, settings: EvolutionParameters, seeds: int
) -> dict[str, Any]:
    """Seeds that found the winner itself, and the 95th percentile (19 of 20) and the largest of their regrets."""
    macs = costs_of(SPACE, choices, PARTS)["macs"].to_numpy()
    limit = float(macs.min() + part * (macs.max() - macs.min()))
    known = dict(zip((row.tobytes() for row in choices), scores, strict=True))
    kept = scores[macs <= limit]
    found, started = [], time.perf_counter()

    def predict(asked: Choices) -> pd.DataFrame:
        costs = costs_of(SPACE, asked, PARTS)
        score = [known[row.tobytes()] for row in asked]  # looked up: the time is that of the evolution alone
        table = costs.assign(network=SPACE.names(asked), predicted_score=score, predicted_std=0.0)
        return table.assign(predicted_latency_ms=np.nan)[SCORED_COLUMNS]

    for seed in range(seeds):
        visited = evolve(
            SPACE,
            predict,
            [Constraint("macs", "max", limit)],
            parameters=settings,
            evaluations=settings.evaluations,
            seed=seed,
        )
        best = visited.loc[visited["macs"] <= limit, "predicted_score"].max()
        found.append(float((kept.max() - best) / kept.std()))
    ordered = np.sort(found)
    return {
        "networks": len(kept),
        "evaluations": settings.evaluations,
        "seeds": seeds,
        "winner_found": int(np.sum(ordered < 1e-9)),
        "within_small_regret": int(np.sum(ordered <= SMALL_REGRET)),
        "regret_19_of_20": float(ordered[int(np.ceil(0.95 * seeds)) - 1]),
        "largest_regret": float(ordered[-1]),
        "seconds_per_seed": (time.perf_counter() - started) / seeds,
    }


_COLUMNS = {
    "objective": "objective",
    "budget": "budget",
    "networks": "networks in it",
    "evaluations": "evaluations",
    "winner_found": "winner found",
    "within_small_regret": f"regret <= {SMALL_REGRET:g}",
    "regret_19_of_20": "regret of 19 in 20",
    "largest_regret": "largest regret",
    "seconds_per_seed": "seconds",
}


def _cells(result: dict[str, Any]) -> list[str]:
    cells = {key: result[key] for key in _COLUMNS}
    cells["budget"] = f"{100 * result['budget']:g}%"
    cells["networks"], cells["evaluations"] = f"{result['networks']:,}", f"{result['evaluations']:,}"
    for key in ("winner_found", "within_small_regret"):
        cells[key] = f"{result[key]} of {result['seeds']}"
    for key in ("regret_19_of_20", "largest_regret", "seconds_per_seed"):
        cells[key] = f"{result[key]:.2f}"
    return [str(cell) for cell in cells.values()]


def _row(result: dict[str, Any]) -> str:
    return "| " + " | ".join(_cells(result)) + " |"


def markdown(results: Sequence[dict[str, Any]]) -> str:
    """The table of results as Markdown."""
    head = ["| " + " | ".join(_COLUMNS.values()) + " |", "|---" + "|--:" * (len(_COLUMNS) - 1) + "|"]
    return "\n".join([*head, *(_row(result) for result in results)])


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20, help="evolutions per objective and budget")
    parser.add_argument("--evaluations", type=int, help="networks predicted per evolution; default: as the project")
    parser.add_argument("--budgets", type=float, nargs="+", default=[0.15, 0.5], help="parts of the range of MACs")
    parser.add_argument("--interactions", type=float, nargs="+", default=[0.2, 0.4], help="effects of pairs")
    parser.add_argument("--predictors", nargs="*", default=["ridge", "gcn"], help="families fitted to the last score")
    parser.add_argument("--sample", type=int, default=1000, help="networks that predictors are fitted to")
    parser.add_argument("--seed", type=int, default=0, help="of the synthetic scores and the fits")
    parser.add_argument("--json", help="write the results to this file as well")
    parser.add_argument("--quick", action="store_true", help="one objective, three seeds: a check that it works")
    options = parser.parse_args(arguments)
    if options.quick:
        options.seeds, options.interactions, options.budgets, options.predictors = 3, [0.2], [0.3], []
    return options


if __name__ == "__main__":
    main()
