"""What compare_with_truth will do, and for how long."""

from __future__ import annotations

from archatlas.pipelines.ahead import FIT_SECONDS, Ahead, Plan


def plan(ahead: Ahead) -> Plan:
    """Every scorer over the whole space; predictors are fitted to each super-network alone too."""
    truth, seeds = ahead.settings.truth, ahead.settings.supernet.seeds
    if truth is None:
        return Plan("nothing: no table of true accuracies is given", 1.0)
    fits = seeds if truth.predictor_by_seed and seeds > 1 else 0
    seconds = 10 + fits * FIT_SECONDS * ahead.settings.sample.architectures / 100
    return Plan(f"every score beside the true accuracies of {truth.name}", seconds)
