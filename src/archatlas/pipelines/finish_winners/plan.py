"""What finish_winners will do, and for how long."""

from __future__ import annotations

from archatlas.pipelines.ahead import Ahead, Plan

AUGMENTED_BY = "finishing"
"""The section of the parameters that says how training images are changed."""


def plan(ahead: Ahead) -> Plan:
    """Winners and the best behind them are trained on."""
    finishing, budgets = ahead.settings.finishing, len(ahead.settings.search.budgets)
    if ahead.settings.table is not None:
        return Plan("nothing: nothing was trained", 1.0)
    if finishing is None or ahead.looks_up:
        return Plan("nothing: winners are exported as they were trained", 1.0)
    trainings, epochs = budgets * finishing.contenders * finishing.seeds, finishing.training.epochs
    what = f"{trainings} trainings for {budgets} budgets, {epochs} epochs each"
    workers = min(ahead.workers, trainings * finishing.processes)
    if ahead.pace is None:
        return Plan(what, None, workers)
    steps = trainings * epochs * (ahead.train / finishing.training.batch_size)
    return Plan(what, steps * ahead.pace.step / workers, workers)
