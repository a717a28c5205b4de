"""What finish_winners will do, and for how long."""

from __future__ import annotations

from archatlas.pipelines.ahead import Ahead, Plan

AUGMENTED_BY = "finishing"
"""The section of the parameters that says how training images are changed."""

_LARGER = 2
"""A step of the largest network takes about so many of another's; hearing a teacher takes about one."""


def plan(ahead: Ahead) -> Plan:
    """Winners and the best behind them are trained on."""
    finishing, budgets = ahead.settings.finishing, len(ahead.settings.search.budgets)
    if ahead.settings.table is not None:
        return Plan("nothing: nothing was trained", 1.0)
    if finishing is None or ahead.looks_up:
        return Plan("nothing: winners are exported as they were trained", 1.0)
    entrants, epochs, lessons = budgets * finishing.contenders, finishing.training.epochs, finishing.taught_epochs
    trainings = entrants * finishing.seeds
    what, passes = f"{trainings} trainings for {budgets} budgets, {epochs} epochs each", trainings * epochs
    if finishing.teacher == "contenders":
        what, passes = f"{what}, then {lessons} taught by all that were trained", passes + 2 * entrants * lessons
    elif finishing.teacher == "largest":
        what = f"the largest network, {epochs} epochs, then {entrants} that it teaches, {lessons} epochs each"
        passes = _LARGER * epochs + 2 * entrants * lessons
    workers = min(ahead.workers, trainings * finishing.processes)
    if ahead.pace is None:
        return Plan(what, None, workers)
    images = ahead.train + ahead.validation * finishing.with_validation
    steps = passes * finishing.training.steps_of_an_epoch(images)
    return Plan(what, steps * ahead.pace.step / workers, workers)
