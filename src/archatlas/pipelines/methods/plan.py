"""What the comparison of search methods will do, and for how long."""

from __future__ import annotations

from archatlas.pipelines.ahead import Ahead, Plan
from archatlas.supernet.kept import KEPT_MIB
from archatlas.systems.at_initialisation import WITHOUT_TRAINING
from archatlas.systems.registry import METHODS

AUGMENTED_BY = "methods"


def plan(ahead: Ahead) -> Plan:
    """Every method searches for each budget from several seeds; what each would choose is trained alone."""
    settings, budgets = ahead.settings, len(ahead.settings.search.budgets)
    if settings.table is not None:
        return Plan("searches of every method on the table's accuracies", 5.0)
    asked = [name for name in METHODS if settings.methods.asks(name)]
    each = settings.methods.seeds * budgets
    scoring = len([name for name in asked if name not in WITHOUT_TRAINING])
    scored = scoring * each * (settings.methods.evaluations or settings.sample.architectures)
    alone = (len(asked) * each + budgets) * settings.verification.seeds
    what = f"{len(asked) * each} searches of {scored:,} networks in all, {alone} trainings at most"
    by_training = settings.methods.score_by == "training"
    processes = 0 if ahead.looks_up else ahead.workers
    kept = 0 if by_training else processes * settings.supernet.seeds * KEPT_MIB
    if by_training:
        what = f"{what}, scored by trainings"
    if ahead.pace is None:
        return Plan(what, None, processes, kept)
    schedule = settings.verification.training
    steps = alone * schedule.epochs * ahead.train / schedule.batch_size / ahead.workers
    if by_training:
        own = settings.methods.training
        # Searches side by side, each with one network at a time: those of one method, for all budgets and seeds.
        steps += scored * own.epochs * ahead.train / own.batch_size / min(ahead.workers, each)
        return Plan(what, _SECONDS_OF_A_METHOD * scoring + steps * ahead.pace.step, processes)
    images = ahead.full_seeds * scored * ahead.judged
    return Plan(what, 8 + images * ahead.pace.image + steps * ahead.pace.step, processes, kept)


_SECONDS_OF_A_METHOD = 8
"""Processes that begin, and whatever a method fits."""
