"""Which predictor, fitted to a super-network's scores, is truest, and what should it be fitted to?

Reads the current results of `kedro run --env nas_bench_macro`. Each way is fitted to the scores of the run's sample and
asked for all networks; then a third of what every network's own score says beyond it is added (in normal quantiles).
Kendall's tau-b with true accuracies, and within the truly better half in brackets.

    python -m benchmarks.score_predictors                    # three minutes
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from benchmarks.macro_run import SHARE, MacroRun, read_run
from numpy.typing import NDArray

from archatlas.predictors.make import make_predictor
from archatlas.predictors.metrics import kendall_tau, kendall_tau_top_half
from archatlas.predictors.scores import NetworkScores
from archatlas.verification.truth.scores import with_residual

Floats = NDArray[np.float64]
DEFAULTS = Path(__file__).parent.parent / "conf" / "base" / "parameters_fit_predictor.yml"


def as_they_are(scores: NetworkScores) -> NetworkScores:
    """Super-networks are averaged by their log losses."""
    return scores


def standardised(scores: NetworkScores) -> NetworkScores:
    """Every super-network's scores have the same mean and spread before they are averaged."""
    level = scores.score.mean(axis=(0, 2), keepdims=True)
    return replace(scores, score=(scores.score - level) / scores.score.std(axis=(0, 2), keepdims=True))


@dataclass(frozen=True)
class Way:
    """A predictor, and what it is fitted to."""

    family: str = "gcn"
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Of the settings that the run took."""
    settings: Mapping[str, Any] | None = None
    """In the place of those."""
    prepare: Callable[[NetworkScores], NetworkScores] = as_they_are


def ways() -> dict[str, Way]:
    """By name."""
    default = yaml.safe_load(DEFAULTS.read_text())["predictor"]["gcn"]
    return {
        "as it is": Way(),
        "super-networks standardised": Way(prepare=standardised),
        "half of what the GCN adds": Way(changes={"residual_share": 0.5}),
        "a fifth of it": Way(changes={"residual_share": 0.2}),
        "pairwise hinge": Way(changes={"loss": "hinge"}),
        "log losses, not their normal quantiles": Way(changes={"transform": "raw"}),
        "flow encoder": Way(changes={"encoder": "flow"}),
        "ridges on counts and one-hot choices": Way(changes={"additive_features": "both"}),
        "the default of other environments": Way(settings=default),
        "ridge on counts": Way("ridge", settings={"features": "kinds"}),
        "ridge on one-hot choices": Way("ridge", settings={"features": "one_hot"}),
        "gp": Way("gp", settings={}),
        "lightgbm": Way("lightgbm", settings={}),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiment", default="nas_bench_macro")
    parser.add_argument("--only", nargs="+", default=list(ways()), choices=list(ways()))
    options = parser.parse_args(arguments)
    run = read_run(options.experiment)
    print("| way | predictor | with a third of the residual |\n|---|--:|--:|")
    for name in options.only:
        print(f"| {name} | {' | '.join(figures(run, ways()[name]))} |", flush=True)


def figures(run: MacroRun, way: Way) -> tuple[str, str]:
    """Tau (top half) of what the predictor says of all networks, without and with a share of their own scores."""
    batch, scores = run.sample
    settings = {**run.tuned_as["settings"], **way.changes} if way.settings is None else way.settings
    predictor = make_predictor(way.family, dict(settings), run.tuned_as["seed"])
    predictor.fit(batch, way.prepare(scores).evaluations())
    predicted, own = predictor.predict(run.every).mean, way.prepare(run.scores).evaluations().score
    true = run.truth.to_numpy(np.float64)
    return _figure(true, predicted), _figure(true, with_residual(predicted, own, predicted, SHARE))


def _figure(true: Floats, said: Floats) -> str:
    return f"{kendall_tau(true, said):.3f} ({kendall_tau_top_half(true, said):.3f})"


if __name__ == "__main__":
    main()
