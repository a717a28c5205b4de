"""What the comparison of search methods will do, and for how long."""

from __future__ import annotations

from archatlas.pipelines.ahead import Ahead, Plan
from archatlas.supernet.kept import KEPT_MIB
from archatlas.systems.at_initialisation import WITHOUT_TRAINING
from archatlas.systems.registry import METHODS


def plan(ahead: Ahead) -> Plan:
    """Every method searches for each budget from several seeds; what each would choose is trained alone."""
    settings, budgets = ahead.settings, len(ahead.settings.search.budgets)
    if settings.table is not None:
        return Plan("searches of every method on the table's accuracies", 5.0)
    searches = len(METHODS) * settings.methods.seeds * budgets
    scored = (
        (len(METHODS) - len(WITHOUT_TRAINING))
        * settings.methods.seeds
        * budgets
        * (settings.methods.evaluations or settings.sample.architectures)
    )
    alone = (searches + budgets) * settings.verification.seeds
    what = f"{searches} searches of {scored:,} networks in all, {alone} trainings at most"
    processes = 0 if ahead.looks_up else ahead.workers
    kept = processes * settings.supernet.seeds * KEPT_MIB
    if ahead.pace is None:
        return Plan(what, None, processes, kept)
    schedule = settings.verification.training
    steps = alone * schedule.epochs * ahead.train / schedule.batch_size / ahead.workers
    if settings.methods.score_by == "training":
        own = settings.methods.training
        steps += scored * own.epochs * ahead.train / own.batch_size / ahead.workers
        return Plan(f"{what}, each network scored by a training", 8 + steps * ahead.pace.step, processes)
    images = ahead.full_seeds * scored * ahead.judged
    return Plan(what, 8 + images * ahead.pace.image + steps * ahead.pace.step, processes, kept)
