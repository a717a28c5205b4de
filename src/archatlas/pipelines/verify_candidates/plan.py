"""What verify_candidates will do, and for how long."""

from __future__ import annotations

from archatlas.pipelines.ahead import SHARED_PREFIXES, Ahead, Plan

AUGMENTED_BY = "verification"
"""The section of the parameters that says how training images are changed."""


def plan(ahead: Ahead) -> Plan:
    """Finalists, what stands beside them, and the audit: trained alone, or looked up."""
    verification, audit = ahead.settings.verification, ahead.settings.verification.audit
    budgets = len(ahead.settings.search.budgets)
    beside = verification.top_k + verification.random_networks
    if ahead.settings.table is not None:
        what = f"{beside} networks looked up for each of {budgets} budgets"
        return Plan(f"{what}{'; the audit' * ahead.audited}", 15.0)
    if ahead.settings.truth is not None:
        what = f"winners of {budgets} budgets and {audit.networks} more looked up in a table"
        if ahead.pace is None:
            return Plan(what, None)
        images = ahead.full_seeds * audit.networks * ahead.judged
        return Plan(what, 15 + images * ahead.pace.image * SHARED_PREFIXES)
    alone = budgets * (beside + int(verification.mobilenet)) * verification.seeds
    audited = audit.networks * audit.seeds if ahead.audited else 0
    what = f"{alone} trainings for {budgets} budgets, {f'{audited} for the audit' if ahead.audited else 'no audit'}"
    if ahead.pace is None:
        return Plan(what, None, ahead.workers)
    counted = ((alone, verification.training), (audited, audit.training))
    steps = sum(count * training.epochs * training.steps_of_an_epoch(ahead.train) for count, training in counted)
    return Plan(what, 8 + steps * ahead.pace.step / ahead.workers, ahead.workers)
