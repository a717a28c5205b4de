"""What the figures say, in plain sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from archatlas.reporting import numbers

_RIVALS = {"ridge": "the additive ridge", "params": "counting params", "macs": "counting MACs"}


def coverage(parameters: Mapping[str, Any]) -> str:
    """How much the audit's intervals cover, as asked in `verification.audit.confidence`: ``95%``."""
    audit = _field(_field(parameters, "verification"), "audit")
    confidence = _field(audit, "confidence")
    return f"{100 * float(0.95 if confidence is None else confidence):g}%"


def _field(owner: Any, name: str) -> Any:
    return owner.get(name) if isinstance(owner, Mapping) else getattr(owner, name, None)


def predictor_against_supernet(audit_summary: Mapping[str, Any], covered: str = "95%") -> str:
    """Whether the predictor ranks the audit better than the raw scores, by the paired interval."""
    bounds = audit_summary.get("tau_difference_ci")
    if not audit_summary.get("count"):
        return "There was no audit, so this run cannot say whether the predictor ranks better than the raw scores."
    if not bounds:
        return "The audit is too small to say whether the predictor ranks better than the raw scores."
    predictor, supernet = audit_summary.get("tau_predictor"), audit_summary.get("tau_supernet")
    difference = audit_summary.get("tau_difference")
    if difference is None and predictor is not None and supernet is not None:
        difference = predictor - supernet
    low, high = float(bounds[0]), float(bounds[1])
    facts = (
        f"tau {numbers.tau(predictor)} against {numbers.tau(supernet)}, difference {_signed(difference)}, "
        f"paired {covered} interval {_signed(low)} to {_signed(high)}, {audit_summary['count']} audit networks"
    )
    if low > 0:
        return f"The predictor ranks networks better than the super-network's raw scores do ({facts})."
    if high < 0:
        return f"The predictor ranks networks worse than the super-network's raw scores do ({facts})."
    leaning = "ahead of" if (difference or 0) > 0 else "behind"
    return (
        f"The predictor is {leaning} the super-network's raw scores, but the difference is within what chance "
        f"gives: the interval includes zero ({facts})."
        if difference
        else f"The predictor and the super-network's raw scores rank alike ({facts})."
    )


def predictor_against_table(audit_summary: Mapping[str, Any], label: str, truth: str) -> str:
    """How well the predictor ranks networks by a table's ``truth``, and how well its ``label`` itself does."""
    count, tau = audit_summary.get("count"), audit_summary.get("tau_predictor")
    if not count or numbers.is_missing(tau):
        return "There was no audit, so this run cannot say how well the predictor ranks."
    text = (
        f"The predictor ranks {numbers.whole(count)} networks that it was not fitted to by their {truth} with tau "
        f"{numbers.tau(tau)} ({numbers.interval(audit_summary.get('tau_predictor_ci'))})."
    )
    own = audit_summary.get("tau_table")
    if numbers.is_missing(own):
        return text
    return f"{text} Looking up the {label} of every one of them, which it learned from, would give {numbers.tau(own)}."


def _signed(value: Any) -> str:
    return numbers.DASH if numbers.is_missing(value) else f"{float(value):+.2f}"


def against_params(audit_summary: Mapping[str, Any]) -> str:
    """How the predictor stands to counting parameters and MACs, and to the ceiling."""
    if not audit_summary.get("count") or numbers.is_missing(audit_summary.get("tau_predictor")):
        return ""
    predictor = float(audit_summary["tau_predictor"])
    counted = {
        name: float(audit_summary[f"tau_{key}"])
        for key, name in (("params", "params alone"), ("macs", "MACs alone"))
        if not numbers.is_missing(audit_summary.get(f"tau_{key}"))
    }
    ceiling = audit_summary.get("tau_ceiling")
    parts = []
    if counted:
        best = max(counted, key=lambda name: counted[name])
        verb = "ranks less well than" if counted[best] < predictor else "would rank at least as well as"
        parts.append(f"Counting {best} (tau {numbers.tau(counted[best])}) {verb} the predictor.")
    if not numbers.is_missing(ceiling):
        parts.append(
            f"Two trainings of the same networks agree to tau {numbers.tau(ceiling)}. Scores are held against the mean "
            "of all trainings, which is less noisy than one, so that a score could go somewhat beyond."
        )
    return " ".join(parts)


def gcn_against(predictor_scores: pd.DataFrame, other: str = "ridge") -> str:
    """Whether the GCN beats another predictor on what they have not seen, paired over the same folds and seeds."""
    if predictor_scores.empty:
        return ""
    scores = predictor_scores[predictor_scores["protocol"] != "same_seed"]
    paired = scores.pivot_table(index=["fold", "fit_seed", "score_seed"], columns="predictor", values="kendall_tau")
    if not {"gcn", other} <= set(paired.columns):
        return ""
    paired = paired[["gcn", other]].dropna()
    if paired.empty:
        return ""
    difference = (paired["gcn"] - paired[other]).to_numpy(np.float64)
    mean, splits, ahead = float(difference.mean()), len(difference), int((difference > 0).sum())
    facts = (
        f"tau {numbers.tau(paired['gcn'].mean())} against {numbers.tau(paired[other].mean())} "
        f"on what they have not seen; the GCN is ahead in {ahead} of {splits} splits"
    )
    subject, rival = "The GCN (default settings)", _RIVALS.get(other, f"the {other} predictor")
    error = float(difference.std(ddof=1)) / splits**0.5 if splits > 1 else float("inf")
    if mean > 2 * error:
        return f"{subject} beats {rival} ({facts})."
    if mean < -2 * error:
        return f"{subject} does not beat {rival}: it is worse ({facts})."
    return f"{subject} does not clearly beat {rival}: their difference is within the spread of the splits ({facts})."


def tuned_sentence(tuning_summary: Mapping[str, Any]) -> str:
    """What the study chose and how that scored where the study had not looked, beside the baselines."""
    outer = numbers.known(tuning_summary.get("outer_kendall_tau"))
    if outer is None:
        return ""
    family = tuning_summary.get("family")
    text = (
        f"The study chose {family}: tau {numbers.tau(tuning_summary.get('inner_kendall_tau'))} within the study and "
        f"{numbers.tau(outer)} in the outer loop, which the study has not seen."
    )
    rest = {k: v for k, v in (tuning_summary.get("outer_baselines") or {}).items() if not numbers.is_missing(v)}
    if rest:
        ordered = sorted(rest, key=lambda name: -rest[name])
        listed = ", ".join(f"{name} {numbers.tau(rest[name])}" for name in ordered)
        beaten = all(float(value) < outer for value in rest.values())
        text += f" Baselines in the same outer loop: {listed}." + (
            "" if beaten else " At least one baseline does as well or better there."
        )
    return text


def calibrated_sentence(summary: Mapping[str, Any]) -> str:
    """What learning from a few networks trained alone has brought; empty where nothing was calibrated."""
    if not summary:
        return ""
    before, after, alone = (numbers.tau(summary.get(f"tau_{name}")) for name in ("before", "after", "alone"))
    return (
        f"It was then calibrated: it learned what {numbers.whole(summary['networks'])} networks of all levels of its "
        f"score reach when they are trained alone, and from here on its scores are such accuracies. Its tau with them "
        f"was {before} before, and for networks left out of the fit it is {after} now; they alone, without scores of "
        f"super-networks, give {alone}."
    )


def twins(space: Mapping[str, Any], *, chain: bool, table: str | None) -> str:
    """How many networks the architectures of the space are, and why."""
    size, networks = space.get("size", 0), space.get("networks", 0)
    why = (
        "a chain computes the same wherever within a stage a skip stands"
        if chain
        else "cells compute the same if they differ in what leads nowhere, or in the order of their nodes alone"
    )
    text = f"{numbers.whole(size)} architectures are {numbers.whole(networks)} networks: {why}."
    if table is None:
        return text if size != networks else "Every architecture of the space is a network of its own."
    known = f"Searched are the {numbers.whole(networks)} networks that the public table {table} knows, each by its "
    return f"{f'{text} ' if size != networks else ''}{known}canonical architecture."


def imbalance(class_counts: pd.DataFrame) -> str:
    """How unequal the classes of the training images are."""
    train = class_counts[class_counts["split"] == "train"] if len(class_counts) else class_counts
    if train.empty:
        return ""
    most, least = float(train["images"].max()), float(train["images"].min())
    if least == 0:
        return "At least one class has no training image."
    ratio = most / least
    verdict = "balanced" if ratio < 1.5 else "mildly imbalanced" if ratio < 3 else "imbalanced"
    return f"The classes are {verdict}: the largest has {ratio:.1f} times the training images of the smallest."


def spread(audit_summary: Mapping[str, Any]) -> str:
    """How far apart the networks of the space are."""
    low, high = numbers.known(audit_summary.get("spread_p10")), numbers.known(audit_summary.get("spread_p90"))
    if low is None or high is None:
        return ""
    return (
        f"From the 10th to the 90th percentile the accuracies span {100 * (high - low):.1f} points "
        f"({numbers.percent(low)} to {numbers.percent(high)})."
    )


def latency_error(latency_check: pd.DataFrame) -> str:
    """How far predicted latencies are from measured ones."""
    if latency_check.empty:
        return ""
    relative = latency_check["predicted_latency_ms"] / latency_check["measured_latency_ms"] - 1
    return (
        f"Over {len(latency_check)} networks the prediction is off by {100 * relative.abs().median():.1f}% in the "
        f"median and by {100 * relative.abs().max():.1f}% at worst."
    )


def verdict(found: int, asked: int) -> str:
    """The headline's count: ``3 of 3 budgets have a winner``."""
    if found == asked:
        return "Every budget has a winner." if asked > 1 else "The budget has a winner."
    if found == 0:
        return "No network met any of the budgets."
    return f"{found} of {asked} budgets have a winner."
