"""About how long the benchmark takes. Torch-free; meant to tell minutes from hours."""

from __future__ import annotations

from archatlas.predictors.benchmark.parameters import PredictorBenchmarkParameters

_FIT = {
    "constant": (0.0, 0.0),
    "gcn": (0.4, 0.003),
    "flow": (0.6, 0.014),
    "gp": (0.1, 0.005),
    "lightgbm": (0.05, 0.0003),
    "macs": (0.0, 0.0),
    "params": (0.0, 0.0),
    "random_forest": (0.2, 0.001),
    "ridge": (0.01, 0.0),
    "stack": (1.0, 0.02),
}
"""CPU seconds of a fit by family: at no labels, and for each label."""

_OTHER_FIT = (2.0, 0.01)
"""Of a family that was not timed."""

_JUDGE = 0.3
"""Seconds for predicting and judging a table."""

_LABELS_OF_A_LOOP = 60
"""Evaluations of a loop, about."""


def describe_benchmark(parameters: PredictorBenchmarkParameters) -> tuple[str, float]:
    """What will be made where nothing is there yet, and about how many seconds that takes on one core."""
    predictors, loops = parameters.chosen_predictors, parameters.chosen_loops
    fits = [
        (one.family, labels)
        for space in parameters.chosen_spaces.values()
        for labels in space.labels
        for one in predictors.values()
        for _ in space.learned
    ]
    seconds = sum(_fit_seconds(family, labels) + _JUDGE for family, labels in fits) * parameters.seeds
    for loop in loops.values():
        family = predictors[loop.predictor].family
        rounds = max(_LABELS_OF_A_LOOP - loop.first, 0) / loop.batch
        seconds += parameters.acquisition.seeds * rounds * _fit_seconds(family, _LABELS_OF_A_LOOP)
    what = f"{len(fits) * parameters.seeds:,} fits to labels of {len(parameters.chosen_spaces)} spaces"
    repeated = len(loops) * parameters.acquisition.seeds
    return f"{what}{f', {repeated:,} acquisition loops' if repeated else ''}, less what is there", seconds


def _fit_seconds(family: str, labels: int) -> float:
    start, each = _FIT.get(family, _OTHER_FIT)
    return start + each * labels
